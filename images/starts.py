"""How long a container takes from its start until it first works, measured in a fleet."""

import json
import os
import socket
import time
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import datetime
from typing import Any

from images.catalogue import Image
from images.engine import ImagesError, run

PORTS = ("MQTT", "MQTT_TOOLS", "EDGE", "AWS", "REGISTRY", "IOT", "DASHBOARD")
WITHIN = 300.0
LOOK_EVERY = 0.3


def help_time(tag: str, image: Image, platform: str) -> float:
    """Seconds of a container that prints its usage and ends, everything of Docker's included."""
    command = ("docker", "run", "--rm", "--network", "none", "--platform", platform, tag)
    started = time.monotonic()
    run((*command, *image.helps))
    return time.monotonic() - started


def fleet_times(tag: str) -> dict[str, float]:
    """Seconds by service, in a fleet with empty volumes; of ``init`` until it has ended.

    Raises ``ImagesError`` if not all of it works within five minutes.
    """
    compose = ("docker", "compose", "--progress", "quiet")
    environment = {**os.environ, **_free_ports(), "TARGET": "local", "GUSTBED_TAG": tag}
    environment["COMPOSE_PROJECT_NAME"] = f"gustbed-images-{os.getpid()}"
    try:
        run((*compose, "up", "--detach", "--no-build"), environment)
        return _watch(environment)
    finally:
        run((*compose, "down", "--volumes", "--remove-orphans"), environment)


def _watch(environment: Mapping[str, str]) -> dict[str, float]:
    found: dict[str, float] = {}
    deadline = time.monotonic() + WITHIN
    while True:
        ids = run(("docker", "compose", "ps", "--all", "--quiet"), environment).split()
        states = json.loads(run(("docker", "inspect", *ids)))
        for container in states:
            service = container["Config"]["Labels"]["com.docker.compose.service"]
            seconds = started_within(container["State"])
            if service not in found and seconds is not None:
                found[service] = seconds
        if len(found) == len(states):
            return found
        if time.monotonic() > deadline:
            names = {c["Config"]["Labels"]["com.docker.compose.service"] for c in states}
            waiting = ", ".join(sorted(names - set(found)))
            raise ImagesError(f"{waiting}: not healthy after {WITHIN:.0f} s: see its logs")
        time.sleep(LOOK_EVERY)


def started_within(state: Any) -> float | None:
    """Seconds from the start to the first look that found it well, or to an end without error."""
    health = state.get("Health")
    if not health and state["Status"] == "exited" and state["ExitCode"] == 0:
        return _seconds(state["FinishedAt"]) - _seconds(state["StartedAt"])
    if not health or health["Status"] != "healthy":
        return None
    well = [look["End"] for look in health["Log"] or () if look["ExitCode"] == 0]
    return _seconds(well[0]) - _seconds(state["StartedAt"]) if well else None


def _seconds(text: str) -> float:
    # Docker writes nanoseconds, and a name of the zone or a Z.
    whole, _, rest = text.partition(".")
    fraction = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    zone = rest[len(fraction) :].replace("Z", "+00:00") or "+00:00"
    return datetime.fromisoformat(f"{whole}.{fraction[:6]:0<6}{zone}").timestamp()


def _free_ports() -> dict[str, str]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in PORTS]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return {
            f"GUSTBED_PORT_{name}": str(each.getsockname()[1])
            for name, each in zip(PORTS, sockets, strict=True)
        }

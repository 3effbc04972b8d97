"""The one list of services that make a fleet on this machine, as processes."""

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gustbed_cli.fleet import Fleet
from gustbed_cli.runtime import emulator, probes
from gustbed_core import edge_http
from gustbed_core.enrolment import answer_folder
from gustbed_core.errors import GustbedError

LOCAL_CLOUD = ("emulator", "registry")
"""Services that stand in for AWS."""
OF_FLEET = (*LOCAL_CLOUD, "provisioner", "dashboard", "compat")
"""Services that run with a fleet's first site alone, for all of its sites."""


def has(fleet: Fleet, service: str) -> bool:
    """Whether a site, or the fleet that it is the first of, runs a service."""
    if service in LOCAL_CLOUD and fleet.target != "local":
        return False
    if service == "compat" and not fleet.place.compat:
        return False
    if service == "twin" and not fleet.twin:
        return False
    return fleet.joins is None or service not in OF_FLEET


@dataclass(frozen=True, slots=True)
class Service:
    """A process of the fleet.

    ``probe`` raises ``GustbedError`` until the service is healthy, ``answers`` while it gives no
    answer at all.
    """

    name: str
    command: tuple[str, ...]
    address: str
    probe: Callable[[], None]
    answers: Callable[[], None] = lambda: None


def addresses(fleet: Fleet) -> dict[str, str]:
    """Where each service of a fleet answers, in whichever runtime."""
    place = fleet.place
    cloud = fleet.environment().get("AWS_ENDPOINT_URL", "AWS")
    return {
        "broker": f"mqtt://127.0.0.1:{place.port_mqtt}",
        "compat": f"mqtt://127.0.0.1:{place.port_compat}",
        "emulator": f"http://127.0.0.1:{place.port_aws}",
        "registry": f"http://127.0.0.1:{place.port_registry}",
        "provisioner": cloud,
        "twin": f"{fleet.site.turbines} turbines on {fleet.site.site}",
        "edge": fleet.edge_url,
        "dashboard": fleet.dashboard_url,
    }


def services(fleet: Fleet) -> list[Service]:
    """Every service in the order of starting. Raises ``GustbedError`` if a tool is missing."""
    at = addresses(fleet)
    config = str(fleet.home / "broker" / "mosquitto.conf")
    enrolment = answer_folder(fleet.enrol_dir, fleet.site.thing)
    commands: dict[str, tuple[tuple[str, ...], Callable[[], None]]] = {
        "broker": (
            (mosquitto(), "-c", config),
            lambda: probes.broker(fleet),
        ),
        "compat": (
            (mosquitto(), "-c", str(fleet.home / "compat" / "compat.conf")),
            lambda: probes.tcp("127.0.0.1", fleet.place.port_compat),
        ),
        "emulator": (
            emulator.command(fleet, "emulator.py"),
            lambda: probes.http(f"{at['emulator']}/_ministack/ready"),
        ),
        "registry": (
            emulator.command(fleet, "registry.py"),
            lambda: probes.http(f"{at['registry']}/health"),
        ),
        "provisioner": (
            _python("gustbed_cloud", "provision", "--watch"),
            lambda: probes.enrolled(enrolment),
        ),
        "twin": (_python("gustbed_twin", "run"), lambda: probes.online(fleet, "twin")),
        "edge": (
            _python("gustbed_edge", "run"),
            lambda: probes.http(f"{at['edge']}{edge_http.HEALTH}"),
        ),
        "dashboard": (
            _python("gustbed_dashboard"),
            lambda: probes.http(f"{at['dashboard']}/_stcore/health"),
        ),
    }
    return [
        Service(name, command, at[name], probe, _answering(name, at[name]))
        for name, (command, probe) in commands.items()
        if has(fleet, name)
    ]


def _answering(name: str, address: str) -> Callable[[], None]:
    paths = {"emulator": "/_ministack/ready", "registry": "/health", "dashboard": "/_stcore/health"}
    path = edge_http.HEALTH if name == "edge" else paths.get(name)

    def ask() -> None:
        if path is not None:
            probes.get(f"{address}{path}")

    return ask


def mosquitto() -> str:
    """Path of the Mosquitto broker. Debian keeps it where an ordinary PATH does not look."""
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise GustbedError(
            "mosquitto is not installed", "install your system's mosquitto package (version 2)"
        )
    return found


def _python(module: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *arguments)


def log_file(fleet: Fleet, service: str) -> Path:
    """Where a service's output goes."""
    return fleet.home / "logs" / f"{service}.log"

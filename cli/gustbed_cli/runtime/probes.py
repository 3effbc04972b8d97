"""Is a service healthy? Each probe returns if so and raises ``GustbedError`` with the reason."""

import contextlib
import json
import socket
import threading
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from gustbed_cli.fleet import Fleet
from gustbed_core import topics
from gustbed_core.codec import decoder
from gustbed_core.edge_http import FLEET_HEADER
from gustbed_core.enrolment import CERTIFICATE, REFUSAL
from gustbed_core.errors import GustbedError
from gustbed_core.events import ServiceState
from gustbed_core.mqtt import Session
from gustbed_core.site_directory import OPERATOR

ROOM = 64 * 1024
"""Bytes that must fit where a service keeps things."""
TIMEOUT = 2.0
"""Seconds that one look may take."""


def tcp(host: str, port: int) -> None:
    """Something listens there."""
    try:
        socket.create_connection((host, port), TIMEOUT).close()
    except OSError as error:
        raise GustbedError(f"{host}:{port} does not answer", str(error)) from error


def broker(fleet: Fleet) -> None:
    """The site broker listens, and has room for what it keeps over a restart."""
    tcp("127.0.0.1", fleet.place.port_mqtt)
    writable(fleet.home / "broker")


def writable(folder: Path) -> None:
    """There is room in a folder that is there."""
    probe = folder / ".room"
    try:
        probe.write_bytes(b"\0" * ROOM)
    except OSError as error:
        raise GustbedError(
            f"{folder}: {error.strerror}", "make room, or make it writable"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            probe.unlink(missing_ok=True)


def http(url: str) -> None:
    """The address answers 200."""
    status, body = get(url)
    if status != HTTPStatus.OK:
        raise GustbedError(f"{url} answers {status}", _reason(body))


def get(url: str) -> tuple[int, bytes]:
    """Status and body. Raises ``GustbedError`` when nothing answers."""
    status, body, _ = ask(url)
    return status, body


def require_own(fleet: Fleet, url: str) -> None:
    """What answers there belongs to this fleet. Nothing answering is no objection.

    Raises ``GustbedError`` naming the address and the other fleet.
    """
    if not fleet.id:
        return
    try:
        _, _, theirs = ask(url)
    except GustbedError:
        return
    if theirs != fleet.id:
        whose = f"to fleet {theirs}" if theirs else "to something else"
        raise GustbedError(
            f"{url} belongs {whose}, not to fleet {fleet.id} of {fleet.home}",
            "start this one with `gustbed up`, or set GUSTBED_HOME to the other fleet's home",
        )


def ask(url: str) -> tuple[int, bytes, str]:
    """Status, body and the id of the answering fleet. Raises ``GustbedError`` without answer."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port or 80, timeout=TIMEOUT)
    try:
        connection.request("GET", f"{parts.path}?{parts.query}" if parts.query else parts.path)
        response = connection.getresponse()
        return response.status, response.read(), response.headers.get(FLEET_HEADER, "")
    except (OSError, HTTPException) as error:
        raise GustbedError(f"{url} does not answer", str(error)) from error
    finally:
        connection.close()


def enrolled(folder: Path) -> None:
    """The edge has its certificate, or was told why not: the site runs without the cloud."""
    if not refusal(folder) and not (folder / CERTIFICATE).is_file():
        raise GustbedError(f"{folder}", "the edge is not enrolled yet")


def refusal(folder: Path) -> str:
    """Why the edge is not enrolled, as enrolment says; empty if it says nothing."""
    try:
        return (folder / REFUSAL).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def online(fleet: Fleet, service: str) -> None:
    """The service's retained state says online."""
    states: list[ServiceState] = []
    received = threading.Event()
    decode = decoder(ServiceState)

    def receive(_topic: str, payload: bytes) -> None:
        states.append(decode(payload))
        received.set()

    topic = topics.state(fleet.site.site, service)
    with Session(fleet.mqtt(), user=OPERATOR, subscriptions={topic: receive}):
        received.wait(TIMEOUT)
    if not states or states[-1].state != "online":
        raise GustbedError(topic, "not online yet")


def _reason(body: bytes) -> str:
    try:
        return json.dumps(json.loads(body))[:300]
    except ValueError:
        return body[:300].decode("utf-8", "replace")

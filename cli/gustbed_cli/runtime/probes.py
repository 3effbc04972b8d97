"""Is a service healthy? Each probe returns if so and raises ``GustbedError`` with the reason."""

import json
import socket
import threading
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from gustbed_cli.fleet import OPERATOR, Fleet
from gustbed_core import topics
from gustbed_core.codec import decoder
from gustbed_core.errors import GustbedError
from gustbed_core.events import ServiceState
from gustbed_core.mqtt import Session

TIMEOUT = 2.0
"""Seconds that one look may take."""


def tcp(host: str, port: int) -> None:
    """Something listens there."""
    try:
        socket.create_connection((host, port), TIMEOUT).close()
    except OSError as error:
        raise GustbedError(f"{host}:{port} does not answer", str(error)) from error


def http(url: str) -> None:
    """The address answers 200."""
    status, body = get(url)
    if status != HTTPStatus.OK:
        raise GustbedError(f"{url} answers {status}", _reason(body))


def get(url: str) -> tuple[int, bytes]:
    """Status and body. Raises ``GustbedError`` when nothing answers."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port or 80, timeout=TIMEOUT)
    try:
        connection.request("GET", f"{parts.path}?{parts.query}" if parts.query else parts.path)
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, HTTPException) as error:
        raise GustbedError(f"{url} does not answer", str(error)) from error
    finally:
        connection.close()


def enrolled(folder: Path) -> None:
    """The edge has its certificate."""
    if not (folder / "certificate.pem").is_file():
        raise GustbedError(f"{folder}", "the edge is not enrolled yet")


def online(fleet: Fleet, service: str) -> None:
    """The service's retained state says online."""
    states: list[ServiceState] = []
    received = threading.Event()
    decode = decoder(ServiceState)

    def receive(_topic: str, payload: bytes) -> None:
        states.append(decode(payload))
        received.set()

    topic = topics.state(fleet.site.site, service)
    with Session(
        fleet.mqtt(),
        user=OPERATOR,
        client_id=f"probe-{threading.get_ident()}",
        subscriptions={topic: receive},
    ):
        received.wait(TIMEOUT)
    if not states or states[-1].state != "online":
        raise GustbedError(topic, "not online yet")


def _reason(body: bytes) -> str:
    try:
        return json.dumps(json.loads(body))[:300]
    except ValueError:
        return body[:300].decode("utf-8", "replace")

"""What passes between a device and whoever enrols it, one folder per direction.

``<enrol dir>/requests/<thing>/`` is written by the device, ``<enrol dir>/answers/<thing>/`` by the
cloud side. Neither needs to write what the other writes, and containers do not let them.
"""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gustbed_core.errors import GustbedError

REQUESTS, ANSWERS = "requests", "answers"
REQUEST = "request.csr"
CERTIFICATE, ENDPOINT, CA, SIGNING_KEYS = (
    "certificate.pem",
    "endpoint.json",
    "ca.pem",
    "signing-keys",
)
REFUSAL = "refused.txt"
"""One line: why a request is not answered."""

DeviceRole = Literal["edge", "device"]
"""``edge``: a gateway of the fleet, to which rollouts go. ``device``: has an identity, topics and
jobs of its own, and gets none of our rollouts."""


@dataclass(frozen=True)
class Endpoint:
    """Where a device connects (MQTT over mutual TLS), and whom it may obey.

    ``downloads``: hosts, with their port if it is not the scheme's, that packages may be fetched
    from. ``targets``: thing groups whose orders are for this device; its own name always is.
    """

    host: str
    port: int
    downloads: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()


def request_path(enrol_dir: Path, thing: str) -> Path:
    """Where a device's certificate request lies."""
    return enrol_dir / REQUESTS / thing / REQUEST


def answer_folder(enrol_dir: Path, thing: str) -> Path:
    """Where the answer to it lies."""
    return enrol_dir / ANSWERS / thing


def adopt_old_layout(enrol_dir: Path, thing: str) -> None:
    """Move what earlier versions kept in ``<enrol dir>/<thing>``; newer files win.

    Raises ``GustbedError`` naming what cannot be moved.
    """
    old = enrol_dir / thing
    if thing in (REQUESTS, ANSWERS) or not (old / REQUEST).is_file():
        return
    request, answer = request_path(enrol_dir, thing), answer_folder(enrol_dir, thing)
    try:
        # The request last: it is what tells that there is something to move.
        for path in sorted(old.iterdir(), key=lambda each: each.name == REQUEST):
            target = request if path.name == REQUEST else answer / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            # Edge and provisioner may both be at it.
            with suppress(FileNotFoundError):
                if not target.exists():
                    path.rename(target)
                elif path.is_file():
                    path.unlink()
    except OSError as error:
        raise GustbedError(
            f"{old}: {error.strerror}",
            f"move {REQUEST} to {request.parent} and the rest to {answer}",
        ) from error
    with suppress(OSError):
        old.rmdir()

"""The twin's heartbeat: a file that says it lives, for whoever watches the process."""

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from gustbed_core.errors import GustbedError
from gustbed_twin.shards import suffix

FRESH_S = 15.0
"""It is written every second or so, however far blocks are apart."""


@dataclass(frozen=True, slots=True)
class Health:
    """``t`` is Unix seconds; ``dropped`` counts blocks lost while the broker was away."""

    t: float
    site: str
    pid: int
    turbines: int
    connected: int
    online: bool
    blocks: int
    dropped: int


def health_file(folder: Path, site: str, shard: str = "1/1") -> Path:
    """Where the heartbeat of a site's twin lies; each shard has its own."""
    return folder / f"{site}{suffix(shard)}.health.json"


def open_data_dir(folder: Path) -> None:
    """Make the folder. Raises ``GustbedError`` naming the variable."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = folder / f".{os.getpid()}.probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise GustbedError(
            f"{folder}: {error.strerror}", "set GUSTBED_TWIN_DATA_DIR to a folder that is yours"
        ) from error


def write_health(path: Path, health: Health) -> None:
    """Replace the file at once, so that nobody reads half of it."""
    unfinished = path.with_name(f".{path.name}.{health.pid}")
    unfinished.write_bytes(msgspec.json.encode(health))
    unfinished.replace(path)


def remove_health(path: Path) -> None:
    """A twin that stopped on purpose leaves no heartbeat."""
    with contextlib.suppress(OSError):
        path.unlink()


def check_health(path: Path, now: float | None = None) -> Health:
    """Return the heartbeat. Raises ``GustbedError`` if it is missing, stale or not online."""
    try:
        health = msgspec.json.decode(path.read_bytes(), type=Health)
    except OSError as error:
        raise GustbedError(f"{path}: {error.strerror}", "is the twin running?") from error
    except msgspec.MsgspecError as error:
        raise GustbedError(f"{path}: {error}", "restart the twin") from error
    age = (time.time() if now is None else now) - health.t
    if age > FRESH_S:
        raise GustbedError(f"{path}: {age:.0f} s old", "the twin has stopped: restart it")
    if not health.online:
        raise GustbedError(
            f"{health.connected} of {health.turbines} turbines connected",
            "is the site broker running, and do the passwords fit?",
        )
    return health

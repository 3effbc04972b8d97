"""What the last ``up`` chose, kept in the home folder for the commands that follow."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from uuid import uuid4

import msgspec

from gustbed_core.errors import GustbedError

Runtime = Literal["process", "docker"]
Target = Literal["local", "aws"]

FILE = "fleet.json"
FIRST_PROJECT = "gustbed"
"""Compose project of fleets that were started before a record named one."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A fleet as it was started.

    ``addresses`` holds ports and stack by the settings that choose them; ``fleet`` is an id that
    the fleet's services show to whoever asks; ``checkout`` and ``project`` are the folder and the
    Compose project that it was started from and as.

    A further site's also says whose home the fleet is that it has joined, whether its turbines are
    simulated, and of which type; an empty one is as the environment says.
    """

    runtime: Runtime
    target: Target
    site: str
    turbines: int
    addresses: dict[str, int | str] = {}
    fleet: str = ""
    checkout: str = ""
    project: str = FIRST_PROJECT
    joins: str = ""
    twin: bool = True
    turbine_type: str = ""


def read_record(home: Path) -> Record | None:
    """What the last ``up`` chose, or None if there was none."""
    try:
        return msgspec.json.decode((home / FILE).read_bytes(), type=Record)
    except (OSError, msgspec.MsgspecError):
        return None


def write_record(home: Path, record: Record) -> None:
    """Remember a fleet. Raises ``GustbedError`` if the folder cannot be written."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        fresh = home / f"{FILE}.new"
        fresh.write_bytes(msgspec.json.encode(record))
        fresh.replace(home / FILE)
    except OSError as error:
        raise GustbedError(
            f"{home}: {error.strerror}",
            "make it writable, or set GUSTBED_HOME to a folder of yours",
        ) from error


def new_fleet_id() -> str:
    """An id for a home's first fleet; it lasts as long as the home."""
    return uuid4().hex[:16]


def project_of(home: Path) -> str:
    """The Compose project of a home: each its own, whatever its checkout is called."""
    return f"gustbed-{hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:8]}"


def require_same(home: Path, said: Mapping[str, object], record: Record) -> None:
    """What variables say of addresses is what the fleet was started with.

    ``said`` maps settings to the values that the environment gives. Raises ``GustbedError``.
    """
    for name, value in said.items():
        started = record.addresses.get(name)
        if started is not None and started != value:
            raise mismatch(home, f"GUSTBED_{name.upper()}", value, started)


def require_project(home: Path, record: Record, environment: Mapping[str, str]) -> None:
    """``COMPOSE_PROJECT_NAME``, if given, is that of a fleet of containers.

    Raises ``GustbedError``.
    """
    said = environment.get("COMPOSE_PROJECT_NAME")
    if record.runtime == "docker" and said and said != record.project:
        raise mismatch(home, "COMPOSE_PROJECT_NAME", said, record.project)


def mismatch(home: Path, variable: str, said: object, started: object) -> GustbedError:
    """A variable that names another fleet than the one of this home."""
    return GustbedError(
        f"{variable}={said}, but the fleet of {home} was started with {started}",
        f"unset {variable}, or set GUSTBED_HOME to the other fleet's home; "
        "`gustbed up` starts this one anew with it",
    )

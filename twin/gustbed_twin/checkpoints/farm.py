"""A farm of any type to a file and back, bit for bit."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from gustbed_core.errors import GustbedError
from gustbed_core.turbine_types import TurbineType, known_types, load_type
from gustbed_twin.checkpoints.file import not_a_checkpoint, read_checkpoint, write_checkpoint
from gustbed_twin.farms.farm import Farm, FarmState
from gustbed_twin.physics.registry import physics_of

Since = Mapping[tuple[int, str], float]
"""Unix time since when a turbine, by position, has had a kind of fault."""


def write_state(turbine_type: TurbineType, state: FarmState, since: Since, path: Path) -> None:
    """Write a checkpoint, whole or not at all. Raises ``GustbedError``."""
    head = {
        "type": turbine_type.name,
        "definition": _digest(turbine_type),
        "since": [[*key, t] for key, t in since.items()],
        **state.head,
    }
    write_checkpoint(path, head, state.arrays)


def save_farm(farm: Farm, path: Path) -> None:
    """Write the farm as of now. Raises ``GustbedError``."""
    write_state(farm.turbine_type, farm.state(), {}, path)


def load_farm(path: Path, types_dir: Path | None = None) -> Farm:
    """Read a checkpoint of a type that has a name. Raises ``GustbedError``."""
    name = str(read_checkpoint(path)[0].get("type"))
    if name not in known_types(types_dir):
        raise GustbedError(f"{path}: of type {name}, which is not known", "set GUSTBED_TYPES_DIR")
    return load_farm_of(path, load_type(name, types_dir))


def load_farm_of(path: Path, turbine_type: TurbineType) -> Farm:
    """Read a checkpoint of a type. Raises ``GustbedError`` naming the file and what is wrong."""
    head, arrays = read_checkpoint(path)
    try:
        if head["type"] != turbine_type.name:
            raise GustbedError(
                f"{path}: of type {head['type']}", f"name one of type {turbine_type.name}"
            )
        if head["definition"] != _digest(turbine_type):
            raise GustbedError(
                f"{path}: type {turbine_type.name} was another then", "start without it"
            )
        return physics_of(turbine_type).restore(FarmState(head, arrays))
    except (ValueError, KeyError, TypeError, msgspec.MsgspecError) as error:
        raise not_a_checkpoint(path, error) from error


def load_since(path: Path) -> dict[tuple[int, str], float]:
    """Since when the faults of a checkpoint are there. Raises ``GustbedError``."""
    head, _ = read_checkpoint(path)
    try:
        rows = msgspec.convert(head.get("since", []), list[tuple[int, str, float]])
    except msgspec.ValidationError as error:
        raise not_a_checkpoint(path, error) from error
    return {(position, kind): t for position, kind, t in rows}


def _digest(turbine_type: TurbineType) -> str:
    """Of what the simulation reads of a type."""
    said = [msgspec.to_builtins(turbine_type.channels), turbine_type.rate_hz, turbine_type.physics]
    return hashlib.sha256(msgspec.json.encode(said, order="sorted")).hexdigest()[:16]

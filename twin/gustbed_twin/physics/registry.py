"""The table of physics models. A new one is a class in it."""

from pathlib import Path

from gustbed_core.errors import GustbedError
from gustbed_core.turbine_types import TurbineType, load_type, read_type, type_files
from gustbed_twin.physics.miniature import Miniature
from gustbed_twin.physics.model import PhysicsModel
from gustbed_twin.physics.variable_speed import VariableSpeed
from gustbed_twin.turbine.variable_speed import type_file

MODELS: dict[str, type[PhysicsModel]] = {
    "miniature": Miniature,
    "variable_speed": VariableSpeed,
}


def physics_of(turbine_type: TurbineType) -> PhysicsModel:
    """The physics that a type's file describes. Raises ``GustbedError`` naming file and key."""
    model = turbine_type.physics.get("model")
    if model not in MODELS:
        raise GustbedError(
            f"{type_file(turbine_type)}: physics.model: {model!r}", f"one of {', '.join(MODELS)}"
        )
    return MODELS[model](turbine_type)


def load_physics(name: str, folder: Path | None = None) -> PhysicsModel:
    """The physics of a type, by name or file. Raises ``GustbedError``."""
    return physics_of(load_type(name, folder))


def summaries(folder: Path | None = None) -> list[dict[str, object]]:
    """A row per type that can be simulated. Raises ``GustbedError`` for a wrong file."""
    rows: list[dict[str, object]] = []
    for path in type_files(folder):
        turbine_type = read_type(path)
        if not turbine_type.physics:
            continue
        power, diameter = physics_of(turbine_type).ratings
        rows.append({
            "name": turbine_type.name,
            "model": turbine_type.physics["model"],
            "title": turbine_type.title,
            "rated_power_kw": power,
            "rotor_diameter_m": diameter,
            "channels": len(turbine_type.channels),
            "rate_hz": round(turbine_type.rate_hz),
            "file": path.name,
        })  # fmt: skip
    return rows


def fault_kinds() -> tuple[str, ...]:
    """What can go wrong with turbines of any model."""
    return tuple(dict.fromkeys(kind for model in MODELS.values() for kind in model.faults))

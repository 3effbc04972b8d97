"""What a model is called."""

from dataclasses import dataclass

from gustbed_core.telemetry import MINI


def model_name(turbine_type: str) -> str:
    """What a type's model is called unless it is given a name."""
    if turbine_type == MINI:
        return "windturbine"
    name = turbine_type.lower().replace("_", "-")
    return name if name[:1].isalpha() else f"type-{name}"


@dataclass(frozen=True, slots=True)
class Identity:
    """What a package is called."""

    name: str
    version: str

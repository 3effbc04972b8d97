"""What a model is called."""

from dataclasses import dataclass

from gustbed_training.data.types import find_type, type_names


def model_name(turbine_type: str) -> str:
    """What a type's model is called unless it is given a name: as its file says."""
    if turbine_type in type_names():
        return find_type(turbine_type).model_name
    name = turbine_type.lower().replace("_", "-")
    return name if name[:1].isalpha() else f"type-{name}"


@dataclass(frozen=True, slots=True)
class Identity:
    """What a package is called."""

    name: str
    version: str

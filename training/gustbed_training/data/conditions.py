"""Machines and weather that a model was not made for: what a reality gap is measured on.

A condition changes constants of the twin's machine, what its sensors read, or the weather. Machines
are written as type files of their own; sensors are changed in the recordings.
"""

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from gustbed_core.errors import GustbedError
from gustbed_core.turbine_types import TurbineType
from gustbed_training.data.individuals import Sensing
from gustbed_training.data.types import files_of


@dataclass(frozen=True)
class Condition:
    """What is changed. ``machine`` maps a constant's place in a type file's physics, with dots, to
    a factor. ``wind`` and ``turbulence`` replace those of the recordings that are judged; ``ramps``
    are m/s that the wind rises and falls by in ten minutes each, for types that know weather.

    ``machine_differs``: whether a commissioning has something to correct, or only the weather is
    another.
    """

    name: str
    machine: Mapping[str, float] = field(default_factory=dict)
    sensing: Sensing = field(default_factory=Sensing)
    wind: float | None = None
    turbulence: float | None = None
    ramps: float = 0.0

    @property
    def machine_differs(self) -> bool:
        """Whether anything but the weather is changed."""
        return bool(self.machine) or self.sensing != Sensing()


def write_type(condition: Condition, turbine_type: TurbineType, folder: Path) -> Path:
    """The type's file with the condition's machine, in a folder of its own. Raises
    ``GustbedError`` for a constant that the type does not have.
    """
    file, *others = files_of(turbine_type)
    content: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    for path, factor in condition.machine.items():
        _multiply(content["physics"], path, factor, condition.name)
    text = yaml.safe_dump(content, sort_keys=False)
    home = folder / hashlib.sha256(text.encode()).hexdigest()[:12]
    home.mkdir(parents=True, exist_ok=True)
    for other in others:
        shutil.copy(other, home / other.name)
    written = home / file.name
    written.write_text(text, encoding="utf-8")
    return written


def _multiply(physics: dict[str, Any], path: str, factor: float, name: str) -> None:
    *parents, last = path.split(".")
    place = physics
    for parent in parents:
        place = place.get(parent, {})
    if not isinstance(place.get(last), int | float):
        raise GustbedError(f"condition {name!r}: no constant physics.{path}", "name one")
    place[last] = float(place[last]) * factor

"""Turbine types: those of Gustbed, and those in the user's folder that the environment names."""

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from gustbed_core.settings import SiteSettings, load
from gustbed_core.signals import Signals
from gustbed_core.turbine_types import TurbineType, known_types, load_type


def find_type(name: str) -> TurbineType:
    """A type by its name, or by the path of its file. Raises ``GustbedError``."""
    return load_type(name, load(SiteSettings).types_dir)


def type_names() -> list[str]:
    """Names of all types that have a file."""
    return known_types(load(SiteSettings).types_dir)


def files_of(turbine_type: TurbineType) -> Iterator[Path]:
    """The file of a type, and those beside it that its physics names."""
    yield turbine_type.folder / f"{turbine_type.name}.yaml"
    for part in turbine_type.physics.values():
        named = part.values() if isinstance(part, dict) else [part]
        paths = (turbine_type.folder / name for name in named if isinstance(name, str))
        yield from (path for path in paths if path.is_file())


def signal_fields(signals: Signals) -> dict[str, Any]:
    """What a schema and a manifest have in common, by field, to make one from the other."""
    return {each.name: getattr(signals, each.name) for each in fields(Signals)}

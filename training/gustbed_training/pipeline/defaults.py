"""What is trained on where no dataset is named: the twin's, by turbine type."""

from pathlib import Path

from gustbed_core.errors import GustbedError
from gustbed_core.telemetry import MINI
from gustbed_training.data.profiles import PROFILES, profile
from gustbed_training.data.twin import Profile, cached
from gustbed_training.progress import Log

UTILITY = "nrel_5mw"
TYPES = (MINI, UTILITY)
"""Turbine types that we ship models of."""


def training_profile(turbine_type: str) -> Profile:
    """What a type's shipped model is trained on."""
    return _profile("default" if turbine_type == MINI else turbine_type, turbine_type)


def evaluation_profile(turbine_type: str) -> Profile:
    """What it is judged on: seeds and winds that no training sees."""
    name = "evaluation" if turbine_type == MINI else f"{turbine_type}-evaluation"
    return _profile(name, turbine_type)


def made(wanted: Profile, home: Path, log: Log) -> Path:
    """The dataset's folder, simulated unless it is there."""
    return cached(wanted, log, home / "datasets")


def _profile(name: str, turbine_type: str) -> Profile:
    if name not in PROFILES:
        raise GustbedError(
            f"turbine type {turbine_type!r}: the twin has no dataset of it",
            f"name a dataset with --data, or one of {', '.join(TYPES)}",
        )
    return profile(name)

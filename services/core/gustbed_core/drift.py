"""The drift report: a site's data beside what its model learnt from, one JSON file a model."""

from dataclasses import dataclass
from typing import Literal

FOLDER = "drift"
"""Of the reports, below the home folder."""
Level = Literal["none", "moderate", "large", "unknown"]
"""``unknown``: too little was seen to say."""


@dataclass(frozen=True, slots=True)
class FeatureDrift:
    """How far a feature's distribution has moved since training.

    ``psi`` is the population stability index over the training data's outer tenths, ``shift`` the
    mean's in training's standard deviations; None where it cannot be said.
    """

    name: str
    psi: float | None
    shift: float | None
    level: Level


@dataclass(frozen=True, slots=True)
class DriftReport:
    """What a site's data was, beside what a model was trained on. ``t`` is Unix seconds."""

    model: str
    turbine_type: str
    t: float
    overall: Level
    features: list[FeatureDrift]
    source: str = ""


def report_file(model: str) -> str:
    """Name of the file that holds a model's latest report."""
    return f"{model}.json"

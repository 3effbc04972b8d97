"""The drift report: a site's data beside what its model learnt from, one JSON file a model."""

from dataclasses import dataclass, field
from typing import Literal

FOLDER = "drift"
"""Of the reports, below the home folder."""
Level = Literal["none", "moderate", "large", "unknown"]
"""``unknown``: too little was seen to say."""
Finding = Literal["fits", "inputs_moved", "misfit", "unknown"]
"""``inputs_moved``: the data are not what was learnt, and the verdicts hold; ``misfit``: the model
no longer fits the turbines, whatever their data look like.
"""


@dataclass(frozen=True, slots=True)
class FeatureDrift:
    """How far a feature's distribution has moved since training, and whether the model fits it.

    ``psi`` is the population stability index over the training data's outer tenths, ``shift`` the
    mean's in training's standard deviations, ``alarms`` the share of windows in which the feature
    passes its threshold; None where it cannot be said. ``fit`` is that share's level.
    """

    name: str
    psi: float | None
    shift: float | None
    level: Level
    fit: Level = "unknown"
    alarms: float | None = None


@dataclass(frozen=True, slots=True)
class TurbineDrift:
    """How the model fits a turbine: ``alarms`` is the share of windows above the threshold, over
    so many captures; ``features`` carry the level, the strongest first.
    """

    name: str
    level: Level
    captures: int
    alarms: float
    features: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class DriftReport:
    """What a site's data was, beside what a model was trained on. ``t`` is Unix seconds.

    ``overall`` says how far the verdicts can be trusted, ``inputs`` how far the data have moved.
    ``remedy`` is the command that mends it, if anything is to be mended. Reports of 0.3 have no
    finding.
    """

    model: str
    turbine_type: str
    t: float
    overall: Level
    features: list[FeatureDrift]
    source: str = ""
    finding: Finding | None = None
    inputs: Level = "unknown"
    turbines: list[TurbineDrift] = field(default_factory=list)
    alarms: float | None = None
    remedy: str = ""


def report_file(model: str) -> str:
    """Name of the file that holds a model's latest report."""
    return f"{model}.json"

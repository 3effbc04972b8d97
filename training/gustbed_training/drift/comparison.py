"""A site beside a model: what of its data has moved, and whether the model's verdicts hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gustbed_core.drift import Finding
from gustbed_core.package import Distribution
from gustbed_core.signals import Schema
from gustbed_training.drift.fit import Fit, Judged, TurbineFit, fit
from gustbed_training.drift.inputs import FeatureDrift, moved
from gustbed_training.drift.levels import Level, largest

COMMISSION = "gustbed commission start"
RETRAIN = "gustbed model train --from-lake --normal FROM..TO"


@dataclass(frozen=True)
class Drift:
    """The whole comparison. ``inputs`` is the level of the feature that moved most; ``level`` says
    how far the verdicts can be trusted. The windows lie within ``hours`` of time, if known.
    """

    windows: int
    features: tuple[FeatureDrift, ...]
    inputs: Level
    fit: Fit | None
    finding: Finding
    level: Level
    hours: float | None = None

    @property
    def misfits(self) -> tuple[TurbineFit, ...]:
        """The turbines that the model does not fit, the worst first."""
        found = [each for each in self.fit.turbines if each.level.changed] if self.fit else []
        return tuple(sorted(found, key=lambda each: (-each.above, -each.near)))

    @property
    def carriers(self) -> tuple[str, ...]:
        """The features in which the model does not fit, the strongest first."""
        found = [each for each in self.fit.features if each.level.changed] if self.fit else []
        found.sort(key=lambda each: (-each.near, -each.median))
        return tuple(each.feature for each in found)

    @property
    def remedy(self) -> str:
        """The command that mends it; empty where nothing is to be mended."""
        if self.finding != "misfit" or self.fit is None:
            return ""
        if self.fit.everywhere or not self.misfits:
            return RETRAIN
        return f"{COMMISSION} {self.misfits[0].turbine.rpartition('/')[2]}"


def drift(
    reference: Mapping[str, Distribution],
    schema: Schema,
    windows: NDArray[np.float32],
    judged: Sequence[Judged] = (),
    usual: Sequence[float | None] | None = None,
) -> Drift:
    """Compare windows (n, features, time), which ought not to overlap, with a package's reference,
    and captures as its model judged them with the features' usual ratios, if known.

    Raises ``GustbedError`` for a feature that the reference does not know.
    """
    features = moved(reference, schema, windows)
    inputs = largest(each.level for each in features)
    names = schema.feature_names
    known = (None,) * len(names) if usual is None else usual
    fitted = fit(names, judged, known, strayed=inputs is Level.LARGE)
    finding = _finding(inputs, fitted)
    return Drift(len(windows), features, inputs, fitted, finding, _level(finding, inputs, fitted))


def _finding(inputs: Level, fitted: Fit | None) -> Finding:
    verdicts = Level.UNKNOWN if fitted is None else fitted.level
    if verdicts.changed:
        return "misfit"
    if Level.UNKNOWN in (verdicts, inputs):
        return "unknown"
    return "inputs_moved" if inputs.changed else "fits"


def _level(finding: Finding, inputs: Level, fitted: Fit | None) -> Level:
    if finding == "unknown":
        return Level.UNKNOWN
    if finding != "misfit" or fitted is None:
        return Level.NONE
    # Verdicts that are doubtful on data that nobody learnt from are worth little.
    return Level.LARGE if inputs is Level.LARGE else fitted.level

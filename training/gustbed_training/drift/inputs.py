"""Whether a site's data still look like what a model learnt from, feature by feature.

Each feature's population stability index (PSI): the sum of (found - expected) * ln(found /
expected) over the shares of the values in the lowest tenth of the training data, in the highest,
and between. By custom 0.1 is a moderate and 0.25 a large change. An outer tenth that is found less
often counts as expected: a site in steady wind sees less than the model has learnt, which is no
drift.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gustbed_core.errors import GustbedError
from gustbed_core.package import QUANTILES, Distribution
from gustbed_core.signals import Schema
from gustbed_training.drift.levels import Level

MODERATE, LARGE = 0.1, 0.25
FEWEST_WINDOWS = 100
"""Windows that do not overlap below which chance alone can pass for drift."""
_LEAST_SHARE = 1e-4
"""An empty share counts as this, lest the logarithm be infinite."""


@dataclass(frozen=True, slots=True)
class FeatureDrift:
    """``shift`` is how far the mean has moved, in standard deviations of the training data;
    None where those did not vary.
    """

    feature: str
    unit: str
    psi: float
    shift: float | None
    trained_mean: float
    found_mean: float
    level: Level


def moved(
    reference: Mapping[str, Distribution], schema: Schema, windows: NDArray[np.float32]
) -> tuple[FeatureDrift, ...]:
    """Compare windows (n, features, time), which ought not to overlap, with a package's reference.

    Raises ``GustbedError`` for a feature that the reference does not know.
    """
    for name in schema.feature_names:
        if name not in reference:
            raise GustbedError(
                f"the model's reference knows no feature {name!r}",
                "compare with a model of this turbine type, trained by this version",
            )
    return tuple(
        _feature(feature.name, feature.unit, reference[feature.name], windows[:, i])
        for i, feature in enumerate(schema.features)
        if len(windows)
    )


def stability_index(reference: Distribution, values: NDArray[np.floating]) -> float:
    """PSI of values, at least one, against the outer tenths of the training data.

    A value on an edge may lie on either side of it, and is counted where the training data would
    have had it: else counted and constant sensors would drift by themselves.
    """
    ordered = np.sort(values, axis=None)
    edges = np.array(reference.quantiles)[[1, -2]]
    expected = np.array(QUANTILES)[[1, -2]]
    below = np.searchsorted(ordered, edges, side="left") / len(ordered)
    up_to = np.searchsorted(ordered, edges, side="right") / len(ordered)
    low, high = np.clip(expected, below, up_to)
    planned = np.array((expected[0], expected[1] - expected[0], 1 - expected[1]))
    lowest, highest = max(low, planned[0]), max(1 - high, planned[2])
    found = np.array((lowest, max(1 - lowest - highest, _LEAST_SHARE), highest))
    return float(((found - planned) * np.log(found / planned)).sum())


def _feature(
    name: str, unit: str, reference: Distribution, values: NDArray[np.float32]
) -> FeatureDrift:
    mean = float(values.mean(dtype=np.float64))
    psi = stability_index(reference, values)
    return FeatureDrift(
        feature=name,
        unit=unit,
        psi=psi,
        shift=(mean - reference.mean) / reference.std if reference.std > 0 else None,
        trained_mean=reference.mean,
        found_mean=mean,
        level=_level(psi) if len(values) >= FEWEST_WINDOWS else Level.UNKNOWN,
    )


def _level(psi: float) -> Level:
    if psi >= LARGE:
        return Level.LARGE
    return Level.MODERATE if psi >= MODERATE else Level.NONE

"""Whether a site still looks like the data that a model learnt from.

Each feature's population stability index (PSI): the sum of (found - expected) * ln(found /
expected) over the shares of the values in the lowest tenth of the training data, in the highest,
and between. By custom 0.1 is a moderate and 0.25 a large change. An outer tenth that is found less
often counts as expected: a site in steady wind sees less than the model has learnt, which is no
drift.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gustbed_core.errors import GustbedError
from gustbed_core.package import QUANTILES, Distribution
from gustbed_core.signals import Schema

MODERATE, LARGE = 0.1, 0.25
FEWEST_WINDOWS = 100
"""Windows that do not overlap below which chance alone can pass for drift."""
SHORT_HOURS = 1.0
"""Within less the weather hardly changes: it alone can pass for drift."""
_LEAST_SHARE = 1e-4
"""An empty share counts as this, lest the logarithm be infinite."""


class Level(StrEnum):
    """How much has changed. ``unknown``: too little was seen to say."""

    NONE = "none"
    MODERATE = "moderate"
    LARGE = "large"
    UNKNOWN = "unknown"


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


@dataclass(frozen=True, slots=True)
class ScoreDrift:
    """Verdicts, and the shares of them whose largest ratio is above one half and above 1."""

    verdicts: int
    above_half: float
    above_one: float


@dataclass(frozen=True)
class Drift:
    """The whole comparison: ``level`` is that of the feature that changed most; the windows lie
    within ``hours`` of time, if known.
    """

    windows: int
    features: tuple[FeatureDrift, ...]
    scores: ScoreDrift | None
    level: Level
    hours: float | None = None


def drift(
    reference: Mapping[str, Distribution],
    schema: Schema,
    windows: NDArray[np.float32],
    worst: NDArray[np.floating] | None = None,
) -> Drift:
    """Compare windows (n, features, time) with a package's reference.

    ``worst`` are the verdicts' largest ratios, if known. Windows ought not to overlap. Raises
    ``GustbedError`` for a feature that the reference does not know.
    """
    for name in schema.feature_names:
        if name not in reference:
            raise GustbedError(
                f"the model's reference knows no feature {name!r}",
                "compare with a model of this turbine type, trained by this version",
            )
    found = tuple(
        _feature(feature.name, feature.unit, reference[feature.name], windows[:, i])
        for i, feature in enumerate(schema.features)
        if len(windows)
    )
    scores = None
    if worst is not None and len(worst):
        scores = ScoreDrift(len(worst), float(np.mean(worst > 0.5)), float(np.mean(worst > 1)))
    level = Level.UNKNOWN
    if found and found[0].level is not Level.UNKNOWN:
        level = _level(max(feature.psi for feature in found))
    return Drift(len(windows), found, scores, level)


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


def as_json(found: Drift) -> dict[str, Any]:
    """Plain values."""
    return {
        "level": str(found.level),
        "windows": found.windows,
        "hours": None if found.hours is None else round(found.hours, 3),
        "features": [
            {
                "feature": one.feature,
                "unit": one.unit,
                "level": str(one.level),
                "psi": round(one.psi, 4),
                "shift_std": None if one.shift is None else round(one.shift, 4),
                "trained_mean": one.trained_mean,
                "found_mean": one.found_mean,
            }
            for one in found.features
        ],
        "scores": {
            "verdicts": found.scores.verdicts,
            "above_half": round(found.scores.above_half, 6),
            "above_one": round(found.scores.above_one, 6),
        }
        if found.scores
        else None,
    }


def as_table(found: Drift) -> str:
    """For people, what changed most first."""
    widest = max([len("feature"), *(len(one.feature) for one in found.features)])
    lines = [_headline(found)]
    if found.features:
        lines.append(
            f"{'feature':<{widest}}  {'PSI':>7}  {'shift, std':>10}  {'trained':>10}  {'found':>10}"
            "  drift"
        )
    for cells in _rows(found):
        name, psi, shift, trained, now, level = cells
        lines.append(f"{name:<{widest}}  {psi:>7}  {shift:>10}  {trained:>10}  {now:>10}  {level}")
    return "\n".join([*lines, *_scores(found)])


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


def _headline(found: Drift) -> str:
    if found.level is Level.UNKNOWN:
        return (
            f"Drift unknown: {found.windows} windows, and fewer than {FEWEST_WINDOWS} can differ "
            "by chance."
        )
    if found.hours is None:
        return f"Drift: {found.level}, from {found.windows} windows."
    line = f"Drift: {found.level}, from {found.windows} windows within {found.hours:.1f} h."
    if found.level is Level.NONE or found.hours >= SHORT_HOURS:
        return line
    return f"{line} That is little time: its weather alone may be unlike the training data's."


def _rows(found: Drift) -> list[tuple[str, str, str, str, str, str]]:
    return [
        (
            one.feature,
            f"{one.psi:.3f}",
            "-" if one.shift is None else f"{one.shift:+.2f}",
            f"{one.trained_mean:.4g}",
            f"{one.found_mean:.4g}",
            str(one.level),
        )
        for one in sorted(found.features, key=lambda one: -one.psi)
    ]


def _scores(found: Drift) -> Sequence[str]:
    if found.scores is None:
        return []
    return [
        f"Of {found.scores.verdicts} verdicts, {100 * found.scores.above_half:.2f} % are above "
        f"half of the threshold and {100 * found.scores.above_one:.2f} % above it."
    ]

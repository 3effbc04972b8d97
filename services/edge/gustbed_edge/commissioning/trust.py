"""When a model's own judgement of a turbine has been calm for long enough to be believed."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from gustbed_core import decisions
from gustbed_core.commissioning.population import Floats
from gustbed_core.decisions import MeanHistory


class Trust:
    """Follows uncorrected verdicts of turbines, smoothed as those that count.

    ``after``: seconds in a row without a violating one, by the turbine's own clock.
    """

    def __init__(self, turbines: int, features: int, smooth: int, after: float) -> None:
        self._smooth = smooth
        self._after = after
        self._history = MeanHistory.empty(turbines, smooth, features)
        self._calm_since = np.full(turbines, np.nan)

    def restart(self, rows: NDArray[np.intp]) -> None:
        """What follows is not adjacent: a turbine's calm begins anew."""
        self._calm_since[rows] = np.nan
        self._history.filled[rows] = 0
        self._history.ratios[rows] = 0.0

    def take(
        self, rows: NDArray[np.intp], ends: NDArray[np.float64], ratios: Floats
    ) -> NDArray[np.intp]:
        """Take verdicts in order of time; return the turbines that are believed now."""
        found = [self._round(rows[part], ends[part], ratios[part]) for part in rounds(rows)]
        return np.unique(np.concatenate(found)) if found else rows[:0]

    def _round(
        self, rows: NDArray[np.intp], ends: NDArray[np.float64], ratios: Floats
    ) -> NDArray[np.intp]:
        kept = self._history
        before = MeanHistory(kept.ratios[rows], kept.filled[rows])
        means, after = decisions.moving_mean(ratios[:, None, :], before, self._smooth)
        kept.ratios[rows], kept.filled[rows] = after.ratios, after.filled
        calm = ~decisions.violating(means[:, 0]).any(axis=1)
        since = self._calm_since[rows]
        since = np.where(calm, np.where(np.isnan(since), ends, since), np.nan)
        self._calm_since[rows] = since
        believed: NDArray[np.intp] = rows[calm & (ends - since >= self._after)]
        return believed


def rounds(rows: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    """Places of rows, split so that none comes twice in a part, each row's in their order."""
    left = np.arange(len(rows))
    while len(left):
        _, first = np.unique(rows[left], return_index=True)
        yield left[np.sort(first)]
        left = np.delete(left, first)

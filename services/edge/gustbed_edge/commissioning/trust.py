"""When a model's own judgement of a turbine is believed, and when it is believed no more."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gustbed_core import decisions
from gustbed_core.commissioning.population import Floats
from gustbed_core.decisions import MeanHistory

FORGIVING = 200.0
"""Calm seconds that make good for one second in alarm: whoever is in alarm for less than half a
percent of the time is never doubted.
"""


@dataclass(frozen=True, slots=True)
class Patience:
    """``calm``: seconds in a row without a violating verdict after which a turbine is believed; 0:
    at once, and for ever. ``alarm``: seconds of violating ones that nothing confirms after which it
    is doubted; 0: never. By the turbine's own clock. ``unasked``: seconds of what a turbine shows
    that is neither believed nor commissioned, until it is judged by that; 0: never.
    """

    calm: float
    alarm: float
    unasked: float = 0.0

    @property
    def doubts(self) -> bool:
        """Whether trust can be lost."""
        return self.calm > 0 and self.alarm > 0


@dataclass(frozen=True, slots=True)
class Told:
    """Rows that are ``believed`` now: calm for long enough, and nothing speaks against them; and
    those ``doubted``.
    """

    believed: NDArray[np.intp]
    doubted: NDArray[np.intp]


class Trust:
    """Follows verdicts that nobody vouches for, smoothed as those that count.

    Of ``watched`` ones, which are judged by them, it adds up the seconds in alarm that the wide
    measure does not confirm, less what calm makes good for: a cumulative sum (Page, Biometrika
    41(1-2), 1954). The wide measure confirms with as many violating verdicts in a row as open an
    event, and then the sum is 0 again. ``doubt`` is that sum, by row.
    """

    def __init__(
        self, turbines: int, features: int, smooth: int, open_after: int, patience: Patience
    ) -> None:
        self.watched = np.zeros(turbines, dtype=np.bool_)
        self.doubt = np.zeros(turbines)
        self._noted = np.zeros(turbines)
        self._smooth = smooth
        self._open_after = open_after
        self._patience = patience
        self._narrow = MeanHistory.empty(turbines, smooth, features)
        self._wide = MeanHistory.empty(turbines, smooth, features)
        self._calm_since = np.full(turbines, np.nan)
        self._last_end = np.full(turbines, np.nan)
        self._confirming = np.zeros(turbines, dtype=np.int64)

    def restart(self, rows: NDArray[np.intp]) -> None:
        """What follows is not adjacent: a turbine's calm begins anew, its doubt stays."""
        self._calm_since[rows] = self._last_end[rows] = np.nan
        self._confirming[rows] = 0
        for history in (self._narrow, self._wide):
            history.filled[rows] = 0
            history.ratios[rows] = 0.0

    def watch(self, row: int, doubt: float = 0.0) -> None:
        """Let a turbine lose trust from now on."""
        if self._patience.doubts and not self.watched[row]:
            self.restart(np.array([row]))
            self.watched[row], self.doubt[row], self._noted[row] = True, doubt, doubt

    def unwatch(self, row: int) -> None:
        """Forget what there was against a turbine."""
        self.watched[row], self.doubt[row] = False, 0.0

    def notable(self, step: float) -> NDArray[np.intp]:
        """Watched rows whose doubt is by ``step`` seconds or more another than when they were told
        last, or is gone.
        """
        gone = (self.doubt == 0) & (self._noted > 0)
        told = np.flatnonzero(self.watched & (gone | (np.abs(self.doubt - self._noted) >= step)))
        self._noted[told] = self.doubt[told]
        return told

    def take(
        self, rows: NDArray[np.intp], ends: NDArray[np.float64], ratios: Floats, widely: Floats
    ) -> Told:
        """Take verdicts in order of time: ``ratios`` by the model alone, ``widely`` as they are of
        a turbine that is not commissioned (k, features).
        """
        found = [
            self._round(rows[part], ends[part], ratios[part], widely[part]) for part in rounds(rows)
        ]
        if not found:
            return Told(rows[:0], rows[:0])
        believed = np.unique(np.concatenate([each.believed for each in found]))
        doubted = np.unique(np.concatenate([each.doubted for each in found]))
        return Told(believed, doubted)

    def _round(
        self, rows: NDArray[np.intp], ends: NDArray[np.float64], ratios: Floats, widely: Floats
    ) -> Told:
        calm = ~self._violating(self._narrow, rows, ratios)
        since = self._calm_since[rows]
        since = np.where(calm, np.where(np.isnan(since), ends, since), np.nan)
        self._calm_since[rows] = since
        self._doubt(rows, ends, calm, self._violating(self._wide, rows, widely))
        believed = calm & (ends - since >= self._patience.calm) & (self.doubt[rows] == 0)
        doubted = self.watched[rows] & (self.doubt[rows] >= self._patience.alarm)
        return Told(rows[believed], rows[doubted])

    def _violating(
        self, kept: MeanHistory, rows: NDArray[np.intp], ratios: Floats
    ) -> NDArray[np.bool_]:
        before = MeanHistory(kept.ratios[rows], kept.filled[rows])
        means, after = decisions.moving_mean(ratios[:, None, :], before, self._smooth)
        kept.ratios[rows], kept.filled[rows] = after.ratios, after.filled
        violating: NDArray[np.bool_] = np.logical_or.reduce(
            decisions.violating(means[:, 0]), axis=1
        )
        return violating

    def _doubt(
        self,
        rows: NDArray[np.intp],
        ends: NDArray[np.float64],
        calm: NDArray[np.bool_],
        wide: NDArray[np.bool_],
    ) -> None:
        passed = np.nan_to_num(ends - self._last_end[rows], nan=0.0)
        self._last_end[rows] = ends
        run = np.where(wide, self._confirming[rows] + 1, 0)
        self._confirming[rows] = run
        against = np.where(calm, -passed / FORGIVING, np.where(wide, 0.0, passed))
        doubt = np.where(run >= self._open_after, 0.0, self.doubt[rows] + against)
        self.doubt[rows] = np.where(self.watched[rows], np.maximum(doubt, 0.0), 0.0)


def rounds(rows: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    """Places of rows, split so that none comes twice in a part, each row's in their order."""
    left = np.arange(len(rows))
    while len(left):
        _, first = np.unique(rows[left], return_index=True)
        yield left[np.sort(first)]
        left = np.delete(left, first)

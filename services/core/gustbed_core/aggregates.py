"""What the cloud gets of a few seconds of samples: one number by name, for any turbine type."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gustbed_core.errors import GustbedError
from gustbed_core.events import TelemetrySummary

Op = Literal["mean", "min", "max", "std", "rms_change"]
"""``rms_change`` is the root mean square of the change from sample to sample, over all channels
together as the length of a vector.
"""
DECIMALS = 4


@dataclass(frozen=True, slots=True)
class Aggregate:
    """A number and what it is made of. All but ``rms_change`` take one channel."""

    name: str
    op: Op
    of: tuple[str, ...]


def check_aggregates(aggregates: Sequence[Aggregate], channels: Sequence[str], where: str) -> None:
    """Raises ``GustbedError`` for an aggregate of channels that are not there, or too many."""
    for aggregate in aggregates:
        unknown = [name for name in aggregate.of if name not in channels]
        if unknown:
            raise GustbedError(
                f"{where}.{aggregate.name}: no channel {unknown[0]!r}", "name one of channels"
            )
        if aggregate.op != "rms_change" and len(aggregate.of) != 1:
            raise GustbedError(
                f"{where}.{aggregate.name}: {aggregate.op} of {len(aggregate.of)} channels",
                "name one",
            )


class Aggregator:
    """Running sums of the turbines of one type since the last summary. Used by one thread.

    Aggregates whose channels a block does not have are left out.
    """

    def __init__(
        self, aggregates: Sequence[Aggregate], channels: Sequence[str], turbines: int
    ) -> None:
        place = {name: i for i, name in enumerate(channels)}
        self._aggregates = tuple(a for a in aggregates if all(name in place for name in a.of))
        self._rows_of = [[place[name] for name in a.of] for a in self._aggregates]
        self._summed = self._chosen("mean", "std")
        self._squared = self._chosen("std")
        self._lowest = self._chosen("min")
        self._highest = self._chosen("max")
        self._changing = [i for i, a in enumerate(self._aggregates) if a.op == "rms_change"]
        width = len(self._aggregates)
        self._count = np.zeros(turbines, dtype=np.int64)
        self._changes = np.zeros(turbines, dtype=np.int64)
        self._sums = np.zeros((turbines, width))
        self._squares = np.zeros((turbines, width))
        self._low = np.full((turbines, width), np.inf)
        self._high = np.full((turbines, width), -np.inf)
        self._end = np.zeros(turbines)

    def _chosen(self, *ops: Op) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Places of the aggregates of these kinds, and the channel of each."""
        places = [i for i, aggregate in enumerate(self._aggregates) if aggregate.op in ops]
        channels = [self._rows_of[i][0] for i in places]
        return np.array(places, dtype=np.intp), np.array(channels, dtype=np.intp)

    def add(
        self, rows: NDArray[np.intp], values: NDArray[np.floating], ends: NDArray[np.float64]
    ) -> None:
        """Take samples (k, channels, n) of k different turbines, ending at Unix times (k)."""
        self._count[rows] += values.shape[2]
        self._changes[rows] += values.shape[2] - 1
        self._end[rows] = ends
        each = rows[:, None]
        places, channels = self._summed
        self._sums[each, places] += values[:, channels].sum(axis=2)
        places, channels = self._squared
        if len(places):
            self._squares[each, places] += np.square(values[:, channels]).sum(axis=2)
        places, channels = self._lowest
        if len(places):
            low = values[:, channels].min(axis=2)
            self._low[each, places] = np.minimum(self._low[each, places], low)
        places, channels = self._highest
        if len(places):
            high = values[:, channels].max(axis=2)
            self._high[each, places] = np.maximum(self._high[each, places], high)
        for i in self._changing:
            chosen = values[:, self._rows_of[i]]
            change = chosen[:, :, 1:] - chosen[:, :, :-1]
            self._squares[rows, i] += np.einsum("ijk,ijk->i", change, change)

    def take(self, turbines: Sequence[str], turbine_type: str) -> list[TelemetrySummary]:
        """Summaries of the turbines that sent anything since the last call."""
        summaries = [
            TelemetrySummary(
                turbine=turbines[row],
                type=turbine_type,
                t=float(self._end[row]),
                values={
                    aggregate.name: round(self._value(row, i), DECIMALS)
                    for i, aggregate in enumerate(self._aggregates)
                },
            )
            for row in np.flatnonzero(self._count).tolist()
        ]
        for array in (self._count, self._changes, self._sums, self._squares):
            array[:] = 0
        self._low[:], self._high[:] = np.inf, -np.inf
        return summaries

    def _value(self, row: int, i: int) -> float:
        op, count = self._aggregates[i].op, int(self._count[row])
        if op == "rms_change":
            return float(np.sqrt(self._squares[row, i] / max(1, int(self._changes[row]))))
        if op == "min":
            return float(self._low[row, i])
        if op == "max":
            return float(self._high[row, i])
        mean = float(self._sums[row, i]) / count
        if op == "mean":
            return mean
        return float(np.sqrt(max(0.0, float(self._squares[row, i]) / count - mean * mean)))

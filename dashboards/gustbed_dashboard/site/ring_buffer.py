"""Bounded time series: the newest rows of a table, oldest first when read."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MAX_COLUMNS = 96
"""Whatever a turbine sends, a table grows no wider."""


class RingBuffer:
    """A table of ``columns`` numbers per row that keeps the newest ``capacity`` rows.

    Not thread-safe: whoever owns it holds the lock.
    """

    def __init__(self, capacity: int, columns: int) -> None:
        self._times = np.empty(capacity, dtype=np.float64)
        self._values = np.empty((capacity, columns), dtype=np.float32)
        self._next = 0
        self._filled = 0

    def __len__(self) -> int:
        return self._filled

    def append(self, times: NDArray[np.float64], rows: NDArray[np.floating]) -> None:
        """Add rows of shape (n, columns) at ``times`` (n,), in seconds."""
        capacity = len(self._times)
        times, rows = times[-capacity:], rows[-capacity:]
        places = (self._next + np.arange(len(times))) % capacity
        self._times[places] = times
        self._values[places] = rows
        self._next = (self._next + len(times)) % capacity
        self._filled = min(self._filled + len(times), capacity)

    def since(self, start: float) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Copies of the times and rows at or after ``start``, oldest first."""
        capacity = len(self._times)
        places = (self._next - self._filled + np.arange(self._filled)) % capacity
        places = places[self._times[places] >= start]
        return self._times[places], self._values[places]


class TimeSeriesBuffer:
    """A ring buffer whose columns have names, which follow what comes. Not thread-safe.

    It takes no memory before the first row. Rows with other names than before keep the history
    of the names that stay.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._ring: RingBuffer | None = None
        self.names: tuple[str, ...] = ()

    def append(
        self, times: NDArray[np.float64], names: Sequence[str], rows: NDArray[np.floating]
    ) -> None:
        """Add rows of shape (n, names); beyond ``MAX_COLUMNS`` names the last are dropped."""
        kept = tuple(names[:MAX_COLUMNS])
        rows = rows[:, : len(kept)]
        if kept != self.names:
            if set(kept) == set(self.names):
                rows = rows[:, [kept.index(name) for name in self.names]]
            else:
                self._adopt(kept)
        if self._ring is not None:
            self._ring.append(times, rows)

    def since(
        self, start: float, names: Sequence[str] | None = None
    ) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float32]]]:
        """Times at or after ``start``, oldest first, and the columns asked for; all if None."""
        if self._ring is None:
            return np.empty(0), {}
        times, rows = self._ring.since(start)
        wanted = self.names if names is None else [name for name in names if name in self.names]
        return times, {name: rows[:, self.names.index(name)] for name in wanted}

    def _adopt(self, names: tuple[str, ...]) -> None:
        times, columns = self.since(-np.inf)
        self._ring = RingBuffer(self._capacity, len(names)) if names else None
        self.names = names
        if self._ring is not None and len(times):
            gap = np.full(len(times), np.nan, dtype=np.float32)
            self._ring.append(times, np.column_stack([columns.get(name, gap) for name in names]))


def resample(
    times: NDArray[np.float64], values: NDArray[np.floating], end: float, seconds: float, bins: int
) -> list[float | None]:
    """Means of ``values`` in equal bins over the ``seconds`` before ``end``; None where empty."""
    places = np.floor((times - (end - seconds)) / seconds * bins).astype(int)
    kept = (places >= 0) & (places < bins) & np.isfinite(values)
    counts = np.bincount(places[kept], minlength=bins)
    sums = np.bincount(places[kept], weights=values[kept], minlength=bins)
    return [
        float(total / count) if count else None for total, count in zip(sums, counts, strict=True)
    ]

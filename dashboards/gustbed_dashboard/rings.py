"""Bounded time series: the newest rows of a table, oldest first when read."""

import numpy as np
from numpy.typing import NDArray


class Ring:
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

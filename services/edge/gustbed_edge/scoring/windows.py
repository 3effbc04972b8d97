"""The last seconds of every turbine, in one array."""

from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

SPARE = 8
"""Capacity over window: how rarely the buffers are moved down."""
MAX_LENGTHS = 16
"""Block lengths that are remembered; turbines hardly have more than one."""
KEPT = 4
"""Windows of history that moving down keeps, for a next model that looks further back."""


class Windows:
    """Sample buffers of all turbines: (turbines, channels, capacity), oldest sample first.

    Appending writes behind the last sample; a full row is moved down to its latest part, which
    happens once in many blocks. So every window is contiguous and in time order.
    """

    def __init__(self, turbines: int, channels: int, window: int) -> None:
        self.window = window
        self._data = np.zeros((turbines, channels, window * SPARE), dtype=np.float32)
        self._fill = np.zeros(turbines, dtype=np.intp)
        self._views = sliding_window_view(self._data, window, axis=2)
        self._targets: dict[int, NDArray[np.float32]] = {}
        """By block length; making such a view takes longer than writing through it."""
        self._history = sliding_window_view(self._data, window * KEPT, axis=2)

    def restart(self, rows: NDArray[np.intp]) -> None:
        """Forget what these turbines sent: their window warms up again."""
        self._fill[rows] = 0

    def append(self, rows: NDArray[np.intp], values: NDArray[np.floating]) -> None:
        """Add samples (k, channels, n) to k different turbines."""
        if values.shape[2] > self.window:
            # Only the end counts, and nothing older is adjacent to it any more.
            values = values[:, :, -self.window :]
            self._fill[rows] = 0
        count = values.shape[2]
        full = rows[self._fill[rows] + count > self._data.shape[2]]
        if len(full):
            kept = self.window * KEPT
            self._data[full, :, :kept] = self._history[full, :, self._fill[full] - kept]
            self._fill[full] = kept
        self._target(count)[rows, :, self._fill[rows]] = values
        self._fill[rows] += count

    def _target(self, count: int) -> NDArray[np.float32]:
        target = self._targets.get(count)
        if target is None:
            if len(self._targets) >= MAX_LENGTHS:
                self._targets.clear()
            target = sliding_window_view(self._data, count, axis=2, writeable=True)
            self._targets[count] = target
        return target

    def ready(self, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Which of these turbines have a full window."""
        full: NDArray[np.bool_] = self._fill[rows] >= self.window
        return full

    def latest(self, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        """A copy of the last window (k, channels, window) of turbines that are ready."""
        windows: NDArray[np.float32] = self._views[rows, :, self._fill[rows] - self.window]
        return windows

    def history(self, row: int, samples: int) -> NDArray[np.float32]:
        """A copy of a turbine's latest unbroken samples (channels, at most ``samples``)."""
        fill = int(self._fill[row])
        return self._data[row, :, max(0, fill - samples) : fill].copy()

    def resized(self, window: int, places: Sequence[int] | None = None) -> "Windows":
        """The same buffers for another window length, with as much history as there is;
        ``places`` names the channels to keep, in their new order.
        """
        turbines, channels, _ = self._data.shape
        wanted = list(range(channels) if places is None else places)
        other = Windows(turbines, len(wanted), window)
        for row in np.flatnonzero(self._fill).tolist():
            fill = int(self._fill[row])
            kept = min(fill, window * KEPT)
            other._data[row, :, :kept] = self._data[row, wanted, fill - kept : fill]
            other._fill[row] = kept
        return other

"""Means over a few seconds per turbine, for the cloud."""

import numpy as np
from numpy.typing import NDArray

from gustbed_core.channels import CHANNEL_INDEX
from gustbed_core.events import TelemetrySummary

_MEANS = ("voltage", "rps", "wind_speed_rps", "gearboxtemp")
_MEAN_CHANNELS = [CHANNEL_INDEX[name] for name in _MEANS]
_ACCELERATION = slice(CHANNEL_INDEX["ax"], CHANNEL_INDEX["az"] + 1)


class Summaries:
    """Running sums of all turbines since the last summary."""

    def __init__(self, turbines: int) -> None:
        self._count = np.zeros(turbines, dtype=np.int64)
        self._sums = np.zeros((turbines, len(CHANNEL_INDEX)))
        self._changes = np.zeros(turbines, dtype=np.int64)
        self._squares = np.zeros(turbines)
        self._end = np.zeros(turbines)

    def add(
        self, rows: NDArray[np.intp], values: NDArray[np.floating], ends: NDArray[np.float64]
    ) -> None:
        """Take samples (k, channels, n) of k different turbines, ending at Unix times (k)."""
        count = values.shape[2]
        self._count[rows] += count
        self._sums[rows] += values.sum(axis=2)
        acceleration = values[:, _ACCELERATION]
        change = acceleration[:, :, 1:] - acceleration[:, :, :-1]
        self._squares[rows] += np.einsum("ijk,ijk->i", change, change)
        self._changes[rows] += count - 1
        self._end[rows] = ends

    def take(self, turbines: tuple[str, ...]) -> list[TelemetrySummary]:
        """Summaries of the turbines that sent anything since the last call."""
        summaries = []
        for row in np.flatnonzero(self._count):
            sums = self._sums[row, _MEAN_CHANNELS]
            means = dict(zip(_MEANS, (sums / self._count[row]).round(4).tolist(), strict=True))
            vibration = float(np.sqrt(self._squares[row] / max(1, self._changes[row])))
            summaries.append(
                TelemetrySummary(
                    turbine=turbines[row],
                    t=float(self._end[row]),
                    vibration=round(vibration, 4),
                    **means,
                )
            )
        for array in (self._count, self._sums, self._changes, self._squares):
            array[:] = 0
        return summaries

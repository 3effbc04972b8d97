"""Severities of physical faults that ramp linearly, by turbine and kind."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gustbed_twin.filters import Floats
from gustbed_twin.utility.names import PHYSICAL


@dataclass
class Ramps:
    """``times`` (turbines, 2, kinds): begin and length in samples; ``levels``: from and to."""

    times: NDArray[np.int64]
    levels: Floats

    @classmethod
    def none(cls, turbines: int) -> "Ramps":
        """A sound farm."""
        shape = (turbines, 2, len(PHYSICAL))
        return cls(np.zeros(shape, np.int64), np.zeros(shape))

    def set(self, position: int, kind: str, severity: float, length: int, now: int) -> None:
        """From sample ``now`` go from wherever it is to ``severity`` in ``length`` samples."""
        column = PHYSICAL.index(kind)
        current = float(self.at(now)[position, column])
        self.times[position, :, column] = now, length
        self.levels[position, :, column] = current, severity

    def at(self, now: int) -> Floats:
        """Severities (turbines, kinds) at a sample, as the machine feels them."""
        begin, length = self.times[:, 0], self.times[:, 1]
        share = np.clip((now - begin) / np.maximum(length, 1), 0.0, 1.0)
        share = np.where((length <= 0) & (now >= begin), 1.0, share)
        low, high = self.levels[:, 0], self.levels[:, 1]
        return np.asarray(low + (high - low) * share)

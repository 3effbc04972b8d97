"""Severities of physical faults that ramp linearly, by turbine and kind."""

from dataclasses import dataclass

import numpy as np

from gustbed_twin.filters import Floats
from gustbed_twin.records import PHYSICAL, RAMP, Records


@dataclass(frozen=True, slots=True)
class Ramps:
    """``records`` (turbines, ``PHYSICAL``) are ``Ramp``s."""

    records: Records

    @classmethod
    def none(cls, turbines: int) -> "Ramps":
        """A sound farm."""
        return cls(np.zeros((turbines, len(PHYSICAL)), RAMP))

    def set(self, position: int, kind: str, severity: float, length: int, now: int) -> None:
        """From sample ``now`` go from wherever it is to ``severity`` in ``length`` samples."""
        column = PHYSICAL.index(kind)
        current = float(self.at(now)[position, column])
        self.records[position, column] = (now, length, current, severity)

    def at(self, now: int) -> Floats:
        """Severities (turbines, kinds) at a sample, as the machine feels them."""
        begin, length = self.records["begin"], self.records["length"]
        share = np.clip((now - begin) / np.maximum(length, 1), 0.0, 1.0)
        share = np.where((length <= 0) & (now >= begin), 1.0, share)
        low, high = self.records["start"], self.records["target"]
        return np.asarray(low + (high - low) * share)

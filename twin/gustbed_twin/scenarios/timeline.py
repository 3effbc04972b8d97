"""A farm with what is to happen to it: advances to any sample, changes at their very samples."""

from collections.abc import Iterator, Sequence

import numpy as np

from gustbed_twin.farms.farm import Farm
from gustbed_twin.filters import Floats
from gustbed_twin.scenarios.scenario import Change


class Timeline:
    """Changes of a farm's turbines, by their numbers in the whole farm; others are left out."""

    def __init__(self, farm: Farm, changes: Sequence[Change]) -> None:
        self.farm = farm
        place = {number: position for position, number in enumerate(farm.indices)}
        self._coming = [
            (round(change.at * farm.rate_hz), place[change.turbine], change)
            for change in changes
            if change.turbine in place
        ]
        self.changes = tuple(change for _, _, change in self._coming)
        self._next = 0

    def skip_past(self) -> None:
        """Leave out what lies before the farm's present, after a resumption."""
        while self._next < len(self._coming) and self._coming[self._next][0] < self.farm.sample:
            self._next += 1

    def advance(self, samples: int) -> Floats:
        """Like ``Farm.advance``, with the changes that fall into these samples."""
        parts = list(self.pieces(samples))
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)

    def pieces(self, samples: int) -> Iterator[Floats]:
        """The same, cut where something changes."""
        end = self.farm.sample + samples
        while self.farm.sample < end:
            self._apply_due()
            until = end
            if self._next < len(self._coming):
                until = min(end, self._coming[self._next][0])
            yield self.farm.advance(until - self.farm.sample)

    def _apply_due(self) -> None:
        while self._next < len(self._coming) and self._coming[self._next][0] <= self.farm.sample:
            _, position, change = self._coming[self._next]
            if change.action == "inject":
                self.farm.inject(position, change.kind, change.severity, change.ramp, change.signal)
            else:
                self.farm.control(position, change.action, change.value)
            self._next += 1

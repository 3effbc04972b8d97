"""Network impairment: blocks that come late and so out of order, twice, or never."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gustbed_core.telemetry import Samples

Publish = Callable[[int, Samples], bool]


@dataclass(frozen=True, slots=True)
class ImpairmentShares:
    """Shares of all blocks; ``late_blocks`` is how many blocks later the late ones come."""

    late: float = 0.0
    late_blocks: int = 10
    twice: float = 0.0
    lost: float = 0.0


class Impairment:
    """Stands before ``publish`` and treats blocks by a stream of its own."""

    def __init__(self, publish: Publish, shares: ImpairmentShares, seed: int) -> None:
        self._publish = publish
        self._shares = shares
        self._stream = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(13,)))
        self._waiting: list[tuple[int, int, Samples]] = []
        self._round = 0

    def next_round(self) -> None:
        """A new block of every turbine begins: what is due goes out."""
        self._round += 1
        due = [entry for entry in self._waiting if entry[0] <= self._round]
        self._waiting = [entry for entry in self._waiting if entry[0] > self._round]
        for _, position, samples in due:
            self._publish(position, samples)

    def publish(self, position: int, samples: Samples) -> bool:
        """Publish now, later, twice or never. False if the publisher could not."""
        shares = self._shares
        if not (shares.late or shares.twice or shares.lost):
            return self._publish(position, samples)
        late, twice, lost = self._stream.random(3)
        if lost < shares.lost:
            return True
        if late < shares.late:
            self._waiting.append((self._round + shares.late_blocks, position, samples))
            return True
        if twice < shares.twice:
            self._publish(position, samples)
        return self._publish(position, samples)

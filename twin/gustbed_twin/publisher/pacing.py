"""Real time: when a block is due, and the wall-clock time of its first sample."""

import time
from collections.abc import Callable
from dataclasses import dataclass

MAX_CATCH_UP_S = 5.0
"""Later than this (a suspended machine), blocks are not made up for: time jumps instead."""
GROUP = 50
"""Turbines whose blocks are due at one moment, at least."""
MOST_GROUPS = 20
SPREAD_S = 1.0
"""Real seconds that the last group's blocks are due after the first's, at most."""
MAX_DRIFT_S = 1.0
"""Further than this from the wall clock, blocks take its time again."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """Where time comes from, in seconds."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time


def phases(turbines: int, interval: float, speed: float = 1.0) -> list[float]:
    """Seconds by which each turbine's blocks are taken, and due, after the first turbine's.

    Machines' clocks do not tick together: a thousand blocks at one moment would be a burst that
    no site has, and the last would wait for all the others.
    """
    groups = min(MOST_GROUPS, max(1, turbines // GROUP))
    pause = min(interval, SPREAD_S * speed) / groups
    return [round(position * groups // turbines * pause, 6) for position in range(turbines)]


class Pacer:
    """Paces blocks of ``interval`` seconds by the monotonic clock.

    A block is due when its last sample has been taken, one interval after its first. ``speed`` is
    farm time over real time; other than 1, the blocks' times run on from the start.
    """

    def __init__(self, interval: float, clocks: Clocks, speed: float = 1.0) -> None:
        self._interval = interval
        self._speed = speed
        self._clocks = clocks
        self._started = 0.0
        self._wall = 0.0
        self._count = 0
        self._restart(clocks.monotonic())

    @property
    def t0(self) -> float:
        """Unix time of the current block's first sample, in seconds."""
        return round(self._wall + self._count * self._interval, 6)

    def wait(self, phase: float = 0.0) -> float:
        """Seconds until the current block of that phase is due; 0 if it is late."""
        return max(0.0, self._due + phase / self._speed - self._clocks.monotonic())

    def next(self) -> None:
        """Go to the next block."""
        self._count += 1

    def settle(self) -> str | None:
        """Give up on lost time and follow the wall clock; say so, or None if all is well."""
        if self._speed != 1.0:
            return None
        now = self._clocks.monotonic()
        late = now - self._due
        if late > MAX_CATCH_UP_S:
            self._restart(now - self._interval)
            return f"{late:.1f} s late: time jumps"
        drift = self._clocks.wall() - (self._wall + now - self._started)
        if abs(drift) > MAX_DRIFT_S:
            self._wall = round(self._wall + drift, 3)
            return f"the clock was set by {drift:+.1f} s: following it"
        return None

    @property
    def _due(self) -> float:
        return self._started + (self._count + 1) * self._interval / self._speed

    def _restart(self, started: float) -> None:
        self._started = started
        self._wall = round(self._clocks.wall() - (self._clocks.monotonic() - started), 3)
        self._count = 0

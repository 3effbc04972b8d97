"""A turbine beside its fitted twin, minute by minute, as its mirror told."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gustbed_core.errors import PayloadError
from gustbed_core.mirror import Mirrored, MirroredChannel

KEPT_SECONDS = 1200.0
STALE_AFTER = 150.0
"""Seconds without a minute, which comes once in 60, after which nothing is said of now."""
MAX_MINUTES = 120
"""A twin that runs faster than time has more of them."""
MAX_CHANNELS = 8

_Figure = Callable[[MirroredChannel], float]


@dataclass(frozen=True, slots=True)
class MirrorHistory:
    """The last minutes of a mirror whose twin is of ``type``; ``age`` in seconds (0 is now).

    By channel in its unit what was ``measured`` and ``expected``, and ``judged``, the mean z that
    ``limit`` is for, either way; NaN where a minute has none. ``limit`` is None where the mirror
    does not say it.
    """

    type: str
    age: NDArray[np.float64]
    measured: Mapping[str, NDArray[np.float64]]
    expected: Mapping[str, NDArray[np.float64]]
    judged: Mapping[str, NDArray[np.float64]]
    limit: float | None

    @property
    def heard(self) -> float:
        """Seconds since the newest minute came."""
        return float(-self.age[-1])

    @property
    def stale(self) -> bool:
        """Whether the mirror has fallen silent."""
        return self.heard > STALE_AFTER


class MirrorLog:
    """The newest minutes, by when they came: a turbine's clock may be wrong. Not thread-safe."""

    def __init__(self) -> None:
        self._minutes: deque[tuple[float, Mirrored]] = deque(maxlen=MAX_MINUTES)

    def add(self, minute: Mirrored, now: float) -> None:
        """Take a minute. Raises ``PayloadError`` if it has none or too many channels."""
        if not 0 < len(minute.channels) <= MAX_CHANNELS:
            raise PayloadError("wrong_fields", f"{len(minute.channels)} channels in a mirror")
        self._minutes.append((now, minute))

    def history(self, now: float) -> MirrorHistory | None:
        """The newest mirror's last minutes, None if there are none."""
        kept = [(at, each) for at, each in self._minutes if now - at <= KEPT_SECONDS]
        if not kept:
            return None
        newest = kept[-1][1]
        kept = [(at, each) for at, each in kept if each.type == newest.type]
        minutes = [each for _, each in kept]
        return MirrorHistory(
            newest.type,
            np.array([at for at, _ in kept]) - now,
            _by_channel(minutes, lambda channel: channel.measured),
            _by_channel(minutes, lambda channel: channel.expected),
            _by_channel(minutes, _judged),
            newest.limit,
        )


def _by_channel(minutes: list[Mirrored], figure: _Figure) -> dict[str, NDArray[np.float64]]:
    """A figure of each of the newest minute's channels."""
    return {
        name: np.array(
            [figure(each.channels[name]) if name in each.channels else np.nan for each in minutes]
        )
        for name in minutes[-1].channels
    }


def _judged(channel: MirroredChannel) -> float:
    return channel.z if channel.judged is None else channel.judged

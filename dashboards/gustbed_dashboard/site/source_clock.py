"""Where a sender's times lie on this machine's clock, and how late what it sends comes."""

CLOCK_TOLERANCE = 2.0
STEADY_SECONDS = 5.0
"""A clock that is behind stays as far behind for so long; a backlog comes nearer or falls back."""
_STEADY_WITHIN = 1.0


class SourceClock:
    """The offset of one sender, from the times that it states. Not thread-safe.

    What comes from the future comes from a clock that is ahead, and is placed at now. What is old
    is a backlog until it has proved to be a clock: it is never placed at now before.
    """

    def __init__(self) -> None:
        self._boot = ""
        self._offset = 0.0
        self._right = False
        self._behind: tuple[float, float] | None = None

    def place(self, boot: str, end: float, now: float) -> float:
        """What to add to a message's times; ``end`` is its newest, ``now`` when it came."""
        if boot != self._boot:
            self._boot, self._offset, self._right, self._behind = boot, 0.0, False, None
        error = now - end
        if abs(error) <= CLOCK_TOLERANCE:
            self._right = self._right or self._offset == 0.0
        elif self._offset == 0.0 and error < 0:
            self._offset = error
        elif self._offset == 0.0 and not self._right:
            self._consider(error, now)
        return self._offset

    def _consider(self, error: float, now: float) -> None:
        if self._behind is None or abs(error - self._behind[0]) > _STEADY_WITHIN:
            self._behind = (error, now)
        elif now - self._behind[1] >= STEADY_SECONDS:
            self._offset = error

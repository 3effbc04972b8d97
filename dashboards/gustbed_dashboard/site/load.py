"""How busy this process is: whether a page that is late has itself to blame."""

import time
from collections.abc import Callable

SECONDS = 5.0


class Load:
    """The share of a core that this process took in the last seconds."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        spent: Callable[[], float] = time.process_time,
    ) -> None:
        self._clock, self._spent = clock, spent
        self._from = (clock(), spent())
        self._share = 0.0

    def look(self) -> None:
        """Measure, if the last measure is some seconds old."""
        now, spent = self._clock(), self._spent()
        passed = now - self._from[0]
        if passed >= SECONDS:
            self._share = (spent - self._from[1]) / passed
            self._from = (now, spent)

    @property
    def share(self) -> float:
        """From 0; above 1 where it takes more than one core."""
        return self._share

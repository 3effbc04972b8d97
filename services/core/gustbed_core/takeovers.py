"""Does somebody else connect as this user? What can be told of it from this side."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

log = logging.getLogger(__name__)

SUSPICIOUS = 3
"""So many losses within ``WINDOW_SECONDS`` are no accident of the network."""
WINDOW_SECONDS = 60.0


class Takeovers:
    """Counts connections that the broker ended and gave back at the next try.

    A broker that takes a second client of the same user closes the first one's connection and
    says nothing. A broker that restarts, or a way to it that is cut, refuses the next try: that
    is not counted. Called by the session's network thread, asked by any.
    """

    def __init__(self, user: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._user = user
        self._clock = clock
        self._lock = threading.Lock()
        self._lost = False
        self._told = False
        self._recent: deque[float] = deque(maxlen=SUSPICIOUS)
        self.total = 0
        """Since the start."""

    @property
    def disputed(self) -> bool:
        """Whether it happened too often of late."""
        with self._lock:
            return self._is_disputed()

    def lost(self) -> None:
        """The broker ended the connection."""
        with self._lock:
            self._lost = True

    def unreachable(self) -> None:
        """A try to connect failed: the broker, not another client, was why."""
        with self._lock:
            self._lost = False

    def served(self) -> None:
        """Connected."""
        with self._lock:
            if not self._lost:
                return
            self._lost = False
            self.total += 1
            self._recent.append(self._clock())
            disputed = self._is_disputed()
            told, self._told = self._told, disputed
        if disputed and not told:
            log.warning(
                "another client uses the broker's user %r: %d losses within %.0f s; "
                "likely a second process with the same password file",
                self._user,
                SUSPICIOUS,
                WINDOW_SECONDS,
            )

    def _is_disputed(self) -> bool:
        oldest = self._recent[0] if len(self._recent) == SUSPICIOUS else None
        return oldest is not None and self._clock() - oldest < WINDOW_SECONDS

"""One background thread: woken or after a while it takes a turn, until it is stopped."""

import logging
import threading
import time
from abc import ABC, abstractmethod

log = logging.getLogger(__name__)


class Worker(ABC):
    """Runs ``turn`` again and again in a thread of its own.

    A turn that raises is logged and tried again after ``retry_seconds``: one failure must not end
    the thread. ``last_turn`` (seconds of a monotonic clock) is how a stuck one is found.
    """

    retry_seconds = 1.0

    def __init__(self, name: str) -> None:
        self.last_turn = time.monotonic()
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @abstractmethod
    def turn(self) -> float | None:
        """Do what there is to do. Returns the seconds until the next turn unless woken before;
        None waits for ``wake``.
        """

    def finish(self) -> None:  # noqa: B027 - most have nothing to do
        """What is to be done once, after the last turn."""

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    @property
    def stopping(self) -> bool:
        """Whether ``stop`` was called: a long turn looks at it."""
        return self._stopping.is_set()

    def start(self) -> None:
        """Begin in the background."""
        self._thread.start()

    def wake(self) -> None:
        """Take a turn soon. May be called by any thread; never blocks."""
        self._woken.set()

    def stop(self, timeout: float) -> None:
        """End after the turn under way; wait at most ``timeout`` seconds for it."""
        self._stopping.set()
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def pause(self, seconds: float) -> bool:
        """Wait within a turn. True if the worker is to stop."""
        return self._stopping.wait(seconds)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.last_turn = time.monotonic()
            try:
                wait = self.turn()
            except Exception:
                log.exception("%s: a turn failed", self._thread.name)
                wait = self.retry_seconds
            self._woken.wait(wait)
            self._woken.clear()
        try:
            self.finish()
        except Exception:
            log.exception("%s: the end failed", self._thread.name)

"""The bounded queue between whoever delivers and the scoring thread."""

import threading
import time
from collections import deque
from typing import NamedTuple

from gustbed_core.telemetry import Samples

MAX_BYTES = 64 * 1024 * 1024
MAX_BATCH = 512


class Received(NamedTuple):
    """A block, or the payload of one, where it is from, and when it came (seconds of a monotonic
    clock). ``source`` is a payload's topic.
    """

    source: str
    content: bytes | Samples
    arrived: float


class ReceiveQueue:
    """What was received, in order. When full, the oldest goes: new data is worth more."""

    def __init__(self, limit: int, max_bytes: int = MAX_BYTES) -> None:
        self.dropped = 0
        self._limit = limit
        self._max_bytes = max_bytes
        self._bytes = 0
        self._queue: deque[Received] = deque()
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return len(self._queue)

    def put(self, source: str, content: bytes | Samples) -> None:
        """Add a payload or a block; never blocks. May be called by any thread. Raises
        ``TypeError`` for anything else.
        """
        if not isinstance(content, bytes | Samples):
            raise TypeError(f"neither a payload nor a block: {type(content).__name__}")
        item = Received(source, content, time.monotonic())
        size = _size(item)
        with self._changed:
            self._queue.append(item)
            self._bytes += size
            while len(self._queue) > self._limit or self._bytes > self._max_bytes:
                self._bytes -= _size(self._queue.popleft())
                self.dropped += 1
            self._changed.notify()

    def take(self, timeout: float, grace: float, enough: int) -> list[Received]:
        """Wait for an item, then up to ``grace`` seconds for ``enough`` of them.

        Returns at most ``MAX_BATCH``, none if nothing came within ``timeout`` seconds.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: bool(self._queue), timeout):
                return []
            self._changed.wait_for(lambda: len(self._queue) >= enough, grace)
            count = min(len(self._queue), MAX_BATCH)
            batch = [self._queue.popleft() for _ in range(count)]
            self._bytes -= sum(map(_size, batch))
            return batch


def _size(item: Received) -> int:
    content = item.content
    return len(content) if isinstance(content, bytes) else int(content.values.nbytes)

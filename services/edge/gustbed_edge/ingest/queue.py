"""The bounded queue between the network thread and the scoring thread."""

import threading
import time
from collections import deque

from gustbed_edge.scoring.scorer import Received

MAX_BYTES = 64 * 1024 * 1024
MAX_BATCH = 512


class ReceiveQueue:
    """Received payloads in order. When full, the oldest goes: new data is worth more."""

    def __init__(self, limit: int, max_bytes: int = MAX_BYTES) -> None:
        self.dropped = 0
        self._limit = limit
        self._max_bytes = max_bytes
        self._bytes = 0
        self._queue: deque[Received] = deque()
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return len(self._queue)

    def put(self, topic: str, payload: bytes) -> None:
        """Add a payload; never blocks."""
        item = Received(topic, payload, time.monotonic())
        with self._changed:
            self._queue.append(item)
            self._bytes += len(payload)
            while len(self._queue) > self._limit or self._bytes > self._max_bytes:
                self._bytes -= len(self._queue.popleft().payload)
                self.dropped += 1
            self._changed.notify()

    def take(self, timeout: float, grace: float, enough: int) -> list[Received]:
        """Wait for a payload, then up to ``grace`` seconds for ``enough`` of them.

        Returns at most ``MAX_BATCH``, none if nothing came within ``timeout`` seconds.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: bool(self._queue), timeout):
                return []
            self._changed.wait_for(lambda: len(self._queue) >= enough, grace)
            count = min(len(self._queue), MAX_BATCH)
            batch = [self._queue.popleft() for _ in range(count)]
            self._bytes -= sum(len(item.payload) for item in batch)
            return batch

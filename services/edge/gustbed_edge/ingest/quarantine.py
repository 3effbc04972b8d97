"""Payloads that were refused: counted by reason, and kept in part for a person to look at."""

import json
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path

from gustbed_core.errors import PayloadError
from gustbed_core.worker import Worker
from gustbed_edge.disk import Disk

FILE = "quarantine.jsonl"
KEPT_BYTES = 256
MAX_FILE_BYTES = 1024 * 1024
MAX_PER_SECOND = 20
"""Entries written; all are counted. A flood of bad payloads must not wear the disk out."""


WAITING = 1000
"""Entries that may wait for the disk; the oldest go."""
WRITE_SECONDS = 1.0


class Quarantine(Worker):
    """A rotating file of at most twice ``MAX_FILE_BYTES``, and counts since the start.

    The file is written by a thread of its own: whoever rejects never waits for the disk.
    """

    def __init__(
        self, folder: Path, clock: Callable[[], float] = time.time, disk: Disk | None = None
    ) -> None:
        super().__init__("quarantine")
        self.counts: Counter[str] = Counter()
        self._path = folder / FILE
        self._clock = clock
        self._disk = disk or Disk()
        self._lock = threading.Lock()
        self._second = 0
        self._written = 0
        self._waiting: deque[str] = deque(maxlen=WAITING)

    def retained(self, topic: str, payload: bytes) -> None:
        """Refuse what the broker had kept: said at some time, to nobody here, it is not of now."""
        self.reject(topic, payload, PayloadError("retained", "kept by the broker, not sent now"))

    def reject(self, topic: str, payload: bytes, error: PayloadError) -> None:
        """Count a refused payload and keep its beginning. May be called by any thread."""
        with self._lock:
            self.counts[error.reason] += 1
            now = self._clock()
            if int(now) != self._second:
                self._second, self._written = int(now), 0
            if self._written >= MAX_PER_SECOND:
                return
            self._written += 1
        entry = {
            "t": now,
            "topic": topic[:KEPT_BYTES],
            "reason": error.reason,
            "detail": error.detail[:KEPT_BYTES],
            "size": len(payload),
            "payload": payload[:KEPT_BYTES].decode("utf-8", "backslashreplace"),
        }
        self._waiting.append(json.dumps(entry) + "\n")

    def turn(self) -> float:
        """Write what waits; what the disk refuses waits on."""
        while self._waiting:
            try:
                self._write(self._waiting[0])
            except OSError as failure:
                self._disk.failed(self._path, failure)
                break
            self._disk.written(self._path)
            self._waiting.popleft()
        return WRITE_SECONDS

    def finish(self) -> None:
        """Write what is left."""
        self.turn()

    def _write(self, line: str) -> None:
        if self._path.exists() and self._path.stat().st_size + len(line) > MAX_FILE_BYTES:
            self._path.replace(self._path.with_suffix(".jsonl.1"))
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line)

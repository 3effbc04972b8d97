"""Payloads that were refused: counted by reason, and kept in part for a person to look at."""

import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from gustbed_core.errors import PayloadError

log = logging.getLogger(__name__)

FILE = "quarantine.jsonl"
KEPT_BYTES = 256
MAX_FILE_BYTES = 1024 * 1024
MAX_PER_SECOND = 20
"""Entries written; all are counted. A flood of bad payloads must not wear the disk out."""


class Quarantine:
    """A rotating file of at most twice ``MAX_FILE_BYTES``, and counts since the start."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self.counts: Counter[str] = Counter()
        self._path = folder / FILE
        self._clock = clock
        self._lock = threading.Lock()
        self._second = 0
        self._written = 0

    def reject(self, topic: str, payload: bytes, error: PayloadError) -> None:
        """Count a refused payload and keep its beginning. May be called by any thread."""
        with self._lock:
            self._reject(topic, payload, error)

    def _reject(self, topic: str, payload: bytes, error: PayloadError) -> None:
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
        try:
            self._write(json.dumps(entry) + "\n")
        except OSError as failure:
            # A full disk must not stop scoring; the count above is still right.
            log.warning("cannot write %s: %s", self._path, failure)

    def _write(self, line: str) -> None:
        if self._path.exists() and self._path.stat().st_size + len(line) > MAX_FILE_BYTES:
            self._path.replace(self._path.with_suffix(".jsonl.1"))
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line)

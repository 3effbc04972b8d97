"""The thread that packs captures for the cloud, within a day's bytes."""

import logging
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from gustbed_core import codec
from gustbed_core.capture import Capture, pack
from gustbed_core.worker import Worker
from gustbed_edge.capture.capturer import Stretch
from gustbed_edge.disk import Disk
from gustbed_edge.files import write_atomic

log = logging.getLogger(__name__)

FILE = "captures.json"
MAX_CAPTURE_BYTES = 96 * 1024
"""Of one capture as JSON, so that it goes into one message to IoT Core."""
WAITING = 32
"""Finished stretches that may wait to be packed."""
KEPT_FOR_EVENTS = 0.25
"""Share of the day's bytes that sampled captures leave to those around events."""
SCORE_DECIMALS = 5
RETRY_SECONDS = 5.0
"""Before what is spent is noted again on a disk that refused it."""
DAY = 86_400


@dataclass(frozen=True, slots=True)
class _Spent:
    """Bytes of captures on one day (days since 1970, UTC)."""

    day: int = 0
    bytes: int = 0


class CaptureWriter(Worker):
    """``put`` never blocks; ``keep`` gets each capture as JSON."""

    def __init__(
        self,
        folder: Path,
        keep: Callable[[list[bytes]], None],
        *,
        max_bytes_per_day: int,
        clock: Callable[[], float] = time.time,
        disk: Disk | None = None,
    ) -> None:
        super().__init__("captures")
        self.counts: Counter[str] = Counter()
        """Captures by reason, and those ``dropped``: too many at once, or too much for a day."""
        self._path = folder / FILE
        self._keep = keep
        self._limit = max_bytes_per_day
        self._clock = clock
        self._disk = disk or Disk()
        self._spent = self._noted = self._read()
        self._full_day = -1
        self._waiting: deque[Stretch] = deque()

    def put(self, stretch: Stretch) -> None:
        """Take a stretch; never blocks."""
        if len(self._waiting) >= WAITING:
            self.counts["dropped"] += 1
            return
        self._waiting.append(stretch)
        self.wake()

    def turn(self) -> float | None:
        """Pack what waits; what cannot be packed is logged and left out."""
        while self._waiting:
            stretch = self._waiting.popleft()
            try:
                self.write(stretch)
            except Exception:
                log.exception("a capture of %s failed", stretch.turbine)
        return None if self._note() else RETRY_SECONDS

    def finish(self) -> None:
        """Pack what still waits."""
        self.turn()

    @property
    def today(self) -> int:
        """Bytes of captures since midnight (UTC)."""
        return self._today().bytes

    def status(self) -> dict[str, object]:
        """Counts, bytes of today, and whether sampling has stopped until tomorrow."""
        spent = self._today()
        return {
            "captures": dict(self.counts),
            "bytes_today": spent.bytes,
            "max_bytes_per_day": self._limit,
            "stopped": self._full_day == spent.day,
        }

    def write(self, stretch: Stretch) -> None:
        """Pack one stretch and pass it on, unless the day's bytes are spent."""
        spent = self._today()
        limit = self._limit * (1.0 if stretch.reason == "event" else 1.0 - KEPT_FOR_EVENTS)
        payloads = encoded(stretch) if spent.bytes < limit else []
        size = sum(len(payload) for payload in payloads)
        if not payloads or spent.bytes + size > limit:
            self.counts["dropped"] += 1
            if self._full_day != spent.day:
                log.warning("captures stop until tomorrow: %d bytes are for the day", self._limit)
            self._full_day = spent.day
            return
        self.counts[stretch.reason] += 1
        self._spent = _Spent(spent.day, spent.bytes + size)
        self._keep(payloads)
        self._note()

    def _note(self) -> bool:
        """Note on disk what is spent; whether it is noted."""
        if self._noted != self._spent:
            try:
                write_atomic(self._path, msgspec.json.encode(self._spent))
            except OSError as error:
                self._disk.failed(self._path, error)
                return False
            self._disk.written(self._path)
            self._noted = self._spent
        return True

    def _today(self) -> _Spent:
        day = int(self._clock() // DAY)
        return self._spent if self._spent.day == day else _Spent(day)

    def _read(self) -> _Spent:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_Spent)
        except (OSError, msgspec.MsgspecError):
            # None yet, or spoilt: the day begins anew.
            return _Spent()


def encoded(stretch: Stretch) -> list[bytes]:
    """A stretch as captures in JSON: one, or several that follow each other if it is large."""
    values = np.concatenate(stretch.parts, axis=1)
    return _pieces(stretch, values, 0, values.shape[1])


def _pieces(stretch: Stretch, values: NDArray[np.floating], first: int, last: int) -> list[bytes]:
    judged = [judged for judged in stretch.judged if first < judged.position <= last]
    capture = Capture(
        turbine=stretch.turbine,
        type=stretch.type,
        boot=stretch.boot,
        t0=stretch.t0 + first * stretch.dt,
        dt=stretch.dt,
        channels=list(stretch.channels),
        values=pack(values[:, first:last]),
        scores=[round(verdict.score, SCORE_DECIMALS) for verdict in judged],
        anomalies=sum(verdict.anomaly for verdict in judged),
        model=stretch.model,
        reason=stretch.reason,
    )
    payload = codec.encode(capture)
    if len(payload) <= MAX_CAPTURE_BYTES or last - first == 1:
        return [payload]
    middle = (first + last) // 2
    return [*_pieces(stretch, values, first, middle), *_pieces(stretch, values, middle, last)]

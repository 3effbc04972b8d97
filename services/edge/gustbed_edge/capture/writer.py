"""The thread that packs captures for the cloud, within a day's bytes."""

import logging
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from gustbed_core import codec
from gustbed_core.capture import Capture, pack
from gustbed_core.worker import Worker
from gustbed_edge.capture.budgets import DRAWN, SORTS, Sort, Spent, budget, sort_of
from gustbed_edge.capture.capturer import Stretch
from gustbed_edge.capture.regimes import Counts, Regime, Regimes, regime
from gustbed_edge.disk import Disk
from gustbed_edge.files import write_atomic

log = logging.getLogger(__name__)

FILE = "captures.json"
MAX_CAPTURE_BYTES = 96 * 1024
"""Of one capture as JSON, so that it goes into one message to IoT Core."""
WAITING = 32
"""Finished stretches that may wait to be packed."""
SCORE_DECIMALS = 5
RETRY_SECONDS = 5.0
"""Before what is spent is noted again on a disk that refused it."""
DAY = 86_400


@dataclass(frozen=True, slots=True)
class _Noted:
    """What outlives a restart: the day and its bytes, by sort, and the regimes that were captured.

    Edges of 0.3 note the day and all its bytes alone, and read no more.
    """

    day: int = 0
    bytes: int = 0
    by_sort: dict[Sort, int] | None = None
    regimes: Counts = field(default_factory=dict)

    @property
    def spent(self) -> Spent:
        """Bytes of which nobody noted the sort count as calm: most were."""
        return Spent(self.day, {"calm": self.bytes} if self.by_sort is None else self.by_sort)


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
        noted = self._read()
        self._spent = self._on_disk = noted.spent
        self._regimes = Regimes(noted.regimes)
        self._full: dict[Sort, int] = {}
        """By sort, the last day whose bytes were spent."""
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
        return self._today().total

    @property
    def today_by_sort(self) -> dict[str, int]:
        """The same, by sort of capture."""
        spent = self._today()
        return {sort: spent.of(sort) for sort in SORTS}

    def status(self) -> dict[str, object]:
        """Counts, bytes of today, and which sorts have stopped until tomorrow."""
        spent = self._today()
        full = [sort for sort in SORTS if self._full.get(sort) == spent.day]
        return {
            "captures": dict(self.counts),
            "bytes_today": spent.total,
            "bytes_by_sort": self.today_by_sort,
            "max_bytes_per_day": self._limit,
            "stopped": bool(full),
            "full": full,
        }

    def write(self, stretch: Stretch) -> None:
        """Pack one stretch and pass it on, unless the day's bytes of its sort are spent."""
        spent, found = self._today(), _regime(stretch)
        sort = sort_of(
            event=stretch.reason == "event",
            rare=self._regimes.rare(stretch.type, found),
            anomalies=sum(verdict.anomaly for verdict in stretch.judged),
        )
        limit = budget(sort, self._limit)
        fair = not any(self._full.get(each) == spent.day for each in DRAWN)
        payloads = encoded(stretch, fair=fair) if spent.of(sort) < limit else []
        size = sum(len(payload) for payload in payloads)
        if not payloads or spent.of(sort) + size > limit:
            self._drop(sort, spent.day, limit)
            return
        self.counts[stretch.reason] += 1
        self._spent = spent.plus(sort, size)
        self._regimes.add(stretch.type, found)
        self._keep(payloads)
        self._note()

    def _drop(self, sort: Sort, day: int, limit: int) -> None:
        self.counts["dropped"] += 1
        if self._full.get(sort) != day:
            log.warning("%s captures stop until tomorrow: %d bytes are for the day", sort, limit)
        self._full[sort] = day

    def _note(self) -> bool:
        """Note on disk what is spent; whether it is noted."""
        if self._on_disk != self._spent:
            spent = self._spent
            noted = _Noted(spent.day, spent.total, spent.bytes, self._regimes.counts)
            try:
                write_atomic(self._path, msgspec.json.encode(noted))
            except OSError as error:
                self._disk.failed(self._path, error)
                return False
            self._disk.written(self._path)
            self._on_disk = self._spent
        return True

    def _today(self) -> Spent:
        day = int(self._clock() // DAY)
        return self._spent if self._spent.day == day else Spent(day)

    def _read(self) -> _Noted:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_Noted)
        except (OSError, msgspec.MsgspecError):
            # None yet, or spoilt: the day begins anew.
            return _Noted()


def _regime(stretch: Stretch) -> Regime:
    scores = np.array([verdict.score for verdict in stretch.judged])
    return regime(stretch.manifest, np.concatenate(stretch.parts, axis=1), scores)


def encoded(stretch: Stretch, *, fair: bool = True) -> list[bytes]:
    """A stretch as captures in JSON: one, or several that follow each other if it is large."""
    values = np.concatenate(stretch.parts, axis=1)
    return _pieces(stretch, values, 0, values.shape[1], fair=fair)


def _pieces(
    stretch: Stretch, values: NDArray[np.floating], first: int, last: int, *, fair: bool
) -> list[bytes]:
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
        violations=sorted({kind for verdict in judged for kind in verdict.violations}),
        commissioning=stretch.commissioning,
        fair=fair,
    )
    payload = codec.encode(capture)
    if len(payload) <= MAX_CAPTURE_BYTES or last - first == 1:
        return [payload]
    middle = (first + last) // 2
    halves = ((first, middle), (middle, last))
    return [piece for half in halves for piece in _pieces(stretch, values, *half, fair=fair)]

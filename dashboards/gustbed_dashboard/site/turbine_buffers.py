"""What is known of one turbine right now, from its telemetry and its verdicts."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

import numpy as np
from numpy.typing import NDArray

from gustbed_core.events import Verdict
from gustbed_core.telemetry import Samples
from gustbed_core.turbine_types import TurbineType
from gustbed_dashboard.site.mirror_log import MirrorLog
from gustbed_dashboard.site.ring_buffer import TimeSeriesBuffer
from gustbed_dashboard.site.signals import KEPT_HZ, Downsampler
from gustbed_dashboard.site.source_clock import SourceClock

KEPT_SECONDS = 300
SILENT_AFTER = 5.0
"""Seconds without telemetry; more where a block spans more."""
_BLOCKS_MISSED = 2.5
WATCHED_SECONDS = 15.0
_VERDICTS_PER_SECOND = 2
_LARGEST = ""
"""The column of the largest ratio: no feature is called that."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Recent scores over threshold: ``age`` in seconds (0 is now), the largest, and by feature."""

    age: NDArray[np.float64]
    largest: NDArray[np.floating]
    ratios: Mapping[str, NDArray[np.floating]]


class Heard(Enum):
    """What comes from a turbine: ``LATE`` is a backlog, or a page that cannot keep up."""

    NEVER = auto()
    SILENT = auto()
    LATE = auto()
    LIVE = auto()


class TurbineBuffers:
    """Ring buffers of one turbine. Not thread-safe.

    ``heard`` is when its last block came, ``late`` how old the newest sample was by then.
    """

    def __init__(self) -> None:
        self.signals = TimeSeriesBuffer(int(KEPT_SECONDS * KEPT_HZ))
        self.mirror = MirrorLog()
        self.verdict: Verdict | None = None
        self.shadow_verdict: Verdict | None = None
        self.heard: float | None = None
        self.late = 0.0
        self.silent_after = SILENT_AFTER
        self._verdict_at = float("-inf")
        self._watched = float("-inf")
        self._passed_over: dict[str, int] = {}
        self._scores = TimeSeriesBuffer(KEPT_SECONDS * _VERDICTS_PER_SECOND)
        self._shadow_scores = TimeSeriesBuffer(KEPT_SECONDS * _VERDICTS_PER_SECOND)
        self._downsampler: Downsampler | None = None
        self._clock = SourceClock()

    @property
    def turbine_type(self) -> TurbineType | None:
        """As its last block says, None before the first."""
        return self._downsampler.turbine_type if self._downsampler is not None else None

    def add_block(self, samples: Samples, turbine_type: TurbineType, now: float) -> None:
        """Keep a block, placed on this machine's clock."""
        last = self._downsampler
        if last is None or last.turbine_type is not turbine_type or last.columns != samples.names:
            last = self._downsampler = Downsampler(turbine_type, samples.names)
        times, rows = last(samples)
        offset = self._clock.place(samples.boot, samples.end, now)
        self.signals.append(times + offset, last.names, rows)
        self.heard, self.late = now, max(0.0, now - samples.end - offset)
        spans = samples.dt * samples.values.shape[1]
        self.silent_after = max(SILENT_AFTER, _BLOCKS_MISSED * spans)

    def watch(self, now: float) -> None:
        """Somebody looks at this turbine: none of its blocks is passed over for a while."""
        self._watched = now

    def pass_over(self, kind: str, stride: int, now: float) -> bool:
        """Whether a message may be left unread because only every ``stride``-th of a kind is."""
        if self.heard is None or now - self._watched < WATCHED_SECONDS:
            return False
        place = (self._passed_over.get(kind, 0) + 1) % stride
        self._passed_over[kind] = place
        return place > 0

    def hears(self, now: float) -> Heard:
        """What comes from the turbine now."""
        if self.heard is None:
            return Heard.NEVER
        if now - self.heard > self.silent_after:
            return Heard.SILENT
        return Heard.LATE if self.late > self.silent_after else Heard.LIVE

    def age(self, now: float) -> float | None:
        """Seconds since its newest sample was measured, None before the first."""
        return None if self.heard is None else now - self.heard + self.late

    def score(self, now: float) -> float | None:
        """The newest verdict's, None where that is not of now."""
        if self.verdict is None or now - self._verdict_at > self.silent_after:
            return None
        score = self.verdict.score
        return score if score is not None and np.isfinite(score) else None

    def add_verdict(self, verdict: Verdict, now: float) -> None:
        """Keep a verdict. One without a score becomes a gap in the trend."""
        given = dict(verdict.ratios) if verdict.score is not None else {}
        known = self._scores.names
        same_model = self.verdict is not None and self.verdict.model == verdict.model
        # A verdict that leaves features out is a gap in those, unless another model took over.
        keep = known and set(given) <= set(known) and (same_model or not given)
        names = known if keep else (_LARGEST, *(name for name in given if name != _LARGEST))
        row = [_largest(verdict), *(given.get(name, np.nan) for name in names[1:])]
        at = self._place(verdict, now)
        self._scores.append(at, names, np.array([row]))
        self.verdict, self._verdict_at = verdict, float(at[0])

    def add_shadow_verdict(self, verdict: Verdict, now: float) -> None:
        """Keep a verdict of the model in shadow; of another model than before, only that."""
        if self.shadow_verdict is not None and self.shadow_verdict.model != verdict.model:
            self._shadow_scores = TimeSeriesBuffer(KEPT_SECONDS * _VERDICTS_PER_SECOND)
        row = np.array([[_largest(verdict)]])
        self._shadow_scores.append(self._place(verdict, now), [_LARGEST], row)
        self.shadow_verdict = verdict

    def scores(self, since: float, now: float) -> Scores:
        """The serving model's scores since a time."""
        return _scores(self._scores, since, now)

    def shadow_scores(self, since: float, now: float) -> Scores:
        """The shadow model's; it keeps no ratios."""
        return _scores(self._shadow_scores, since, now)

    def _place(self, verdict: Verdict, now: float) -> NDArray[np.float64]:
        return np.array([verdict.t + self._clock.place(verdict.boot, verdict.t, now)])


def _largest(verdict: Verdict) -> float:
    return np.nan if verdict.score is None else verdict.score


def _scores(table: TimeSeriesBuffer, since: float, now: float) -> Scores:
    times, columns = table.since(since)
    ratios = {name: column for name, column in columns.items() if name != _LARGEST}
    return Scores(times - now, columns.get(_LARGEST, np.empty(0)), ratios)

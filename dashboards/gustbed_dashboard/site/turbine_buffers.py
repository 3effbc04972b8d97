"""What is known of one turbine right now, from its telemetry and its verdicts."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gustbed_core.events import Verdict
from gustbed_core.telemetry import Samples
from gustbed_core.turbine_types import TurbineType
from gustbed_dashboard.site.ring_buffer import TimeSeriesBuffer
from gustbed_dashboard.site.signals import KEPT_HZ, Downsampler

KEPT_SECONDS = 300
CLOCK_TOLERANCE = 2.0
_VERDICTS_PER_SECOND = 2
_LARGEST = ""
"""The column of the largest ratio: no feature is called that."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Recent scores over threshold: ``age`` in seconds (0 is now), the largest, and by feature."""

    age: NDArray[np.float64]
    largest: NDArray[np.floating]
    ratios: Mapping[str, NDArray[np.floating]]


class TurbineBuffers:
    """Ring buffers of one turbine. Not thread-safe."""

    def __init__(self) -> None:
        self.signals = TimeSeriesBuffer(int(KEPT_SECONDS * KEPT_HZ))
        self.verdict: Verdict | None = None
        self.shadow_verdict: Verdict | None = None
        self.seen: float | None = None
        self._scores = TimeSeriesBuffer(KEPT_SECONDS * _VERDICTS_PER_SECOND)
        self._shadow_scores = TimeSeriesBuffer(KEPT_SECONDS * _VERDICTS_PER_SECOND)
        self._downsampler: Downsampler | None = None
        self._boot = ""
        self._offset = 0.0

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
        offset = self._clock_offset(samples.boot, samples.end, now)
        self.signals.append(times + offset, last.names, rows)
        self.seen = now

    def add_verdict(self, verdict: Verdict, now: float) -> None:
        """Keep a verdict. One without a score becomes a gap in the trend."""
        given = dict(verdict.ratios) if verdict.score is not None else {}
        known = self._scores.names
        same_model = self.verdict is not None and self.verdict.model == verdict.model
        # A verdict that leaves features out is a gap in those, unless another model took over.
        keep = known and set(given) <= set(known) and (same_model or not given)
        names = known if keep else (_LARGEST, *(name for name in given if name != _LARGEST))
        row = [_largest(verdict), *(given.get(name, np.nan) for name in names[1:])]
        self._scores.append(self._place(verdict, now), names, np.array([row]))
        self.verdict = verdict

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
        return np.array([verdict.t + self._clock_offset(verdict.boot, verdict.t, now)])

    def _clock_offset(self, boot: str, end: float, now: float) -> float:
        # A turbine whose clock is wrong is still watched live; one offset per boot keeps blocks
        # that arrive in a burst apart.
        if boot != self._boot:
            self._boot = boot
            self._offset = now - end if abs(now - end) > CLOCK_TOLERANCE else 0.0
        return self._offset


def _largest(verdict: Verdict) -> float:
    return np.nan if verdict.score is None else verdict.score


def _scores(table: TimeSeriesBuffer, since: float, now: float) -> Scores:
    times, columns = table.since(since)
    ratios = {name: column for name, column in columns.items() if name != _LARGEST}
    return Scores(times - now, columns.get(_LARGEST, np.empty(0)), ratios)

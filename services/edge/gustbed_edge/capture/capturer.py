"""Stretches of sensor data with their scores, for retraining: sampled, and around events.

This part runs in the scoring thread, after the verdicts are told, and only notes what is there;
``capture_writer`` packs it.
"""

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gustbed_core.event_kinds import EventKind
from gustbed_core.events import AnomalyEvent, ModelRef, Verdict
from gustbed_core.package import Manifest
from gustbed_core.telemetry import Samples
from gustbed_edge.scoring.scorer import Outcome, Scorer

WINDOWS = 2
"""So many a stretch is long where samples come too slowly for one in its seconds."""
RECENT_VERDICTS = 64
"""Of each turbine, for the part of a capture that lies before its event."""


class Judged(NamedTuple):
    """A verdict within a stretch: after how many of its samples, and what it said."""

    position: int
    score: float
    anomaly: bool
    violations: Sequence[EventKind] = ()


_Recent = tuple[float, float, bool, Sequence[EventKind]]
"""A verdict's time, score, whether it was an anomaly and of which kinds; plain, because all pass
through here.
"""


@dataclass(slots=True)
class Stretch:
    """Unbroken samples of one turbine, ``wanted`` of them in the end; times as in ``Capture``.
    ``manifest`` is that of the model which judged them.
    """

    turbine: str
    type: str
    boot: str
    t0: float
    dt: float
    channels: tuple[str, ...]
    model: ModelRef | None
    reason: Literal["sample", "event"]
    wanted: int
    commissioning: str = ""
    manifest: Manifest | None = None
    parts: list[NDArray[np.floating]] = field(default_factory=list)
    length: int = 0
    judged: list[Judged] = field(default_factory=list)

    def add(self, values: NDArray[np.floating]) -> None:
        """Put samples (channels, n) behind those before."""
        self.parts.append(values)
        self.length += values.shape[1]


class Capturer:
    """Draws a stretch of ``seconds``, or of two windows where these hold none, from every turbine
    once in ``interval`` seconds, one turbine after the other, and one around the opening of an
    event, at most once in ``interval`` too.

    ``keep`` takes finished stretches and must not block. An ``interval`` of 0 draws none.
    ``first`` is the row whose turn it is first; ``commissioning`` tells which one a verdict with a
    score heeds, empty for none.
    """

    def __init__(
        self,
        turbines: Sequence[str],
        scorer: Scorer,
        keep: Callable[[Stretch], None],
        *,
        interval: float,
        seconds: float,
        first: int = 0,
        commissioning: Callable[[Verdict], str] = lambda _verdict: "",
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rows = {turbine: row for row, turbine in enumerate(turbines)}
        self._scorer = scorer
        self._keep = keep
        self._interval = interval
        self._seconds = seconds
        self._commissioning = commissioning
        self._monotonic = monotonic
        self._due = monotonic() + interval / len(self._rows)
        self._turn = first % len(self._rows)
        self._active: dict[int, Stretch | None] = {}
        """By row; None: whatever the turbine sends next begins it."""
        self._recent = [deque[_Recent](maxlen=RECENT_VERDICTS) for _ in self._rows]
        self._last_event: dict[int, float] = {}

    def watch(self, outcome: Outcome) -> None:
        """Note what a batch brought of the stretches that are being drawn."""
        if self._interval <= 0:
            return
        now = self._monotonic()
        self._take_turns(now)
        verdicts = iter(outcome.verdicts)
        for part in outcome.rounds:
            restarted = set(part.restarted.tolist()) if self._active else ()
            for row, samples in zip(part.rows.tolist(), part.samples, strict=True):
                verdict = next(verdicts)
                if row in self._active:
                    self._follow(row, samples, verdict, broken=row in restarted)
                if verdict.score is not None:
                    anomaly = verdict.state == "anomaly"
                    seen = (verdict.t, verdict.score, anomaly, verdict.violations)
                    self._recent[row].append(seen)
        for event in outcome.events:
            if event.change == "opened":
                self._around(event, outcome, now)

    def _take_turns(self, now: float) -> None:
        pause = self._interval / len(self._rows)
        if now - self._due > self._interval:
            # Nothing came for long: do not make up for it all at once.
            self._due = now
        while now >= self._due:
            self._active.setdefault(self._turn, None)
            self._turn = (self._turn + 1) % len(self._rows)
            self._due += pause

    def _follow(self, row: int, samples: Samples, verdict: Verdict, *, broken: bool) -> None:
        stretch = self._active[row]
        if stretch is not None and (broken or self._differs(stretch, samples, verdict)):
            # What an event asked for is worth having in part, as is half of any other.
            if stretch.reason == "event" or 2 * stretch.length >= stretch.wanted:
                self._finish(row, stretch)
                return
            stretch = None
        if stretch is None:
            channels = self._scorer.channels(samples.type)
            if channels is None:
                return
            wanted = self._length(samples)
            stretch = self._begin(samples, samples.t0, channels, verdict, "sample", wanted)
        places = {name: place for place, name in enumerate(samples.names)}
        stretch.add(samples.values[[places[name] for name in stretch.channels]])
        if verdict.score is not None:
            anomaly = verdict.state == "anomaly"
            judged = Judged(stretch.length, verdict.score, anomaly, verdict.violations)
            stretch.judged.append(judged)
            stretch.commissioning = self._commissioning(verdict)
        self._active[row] = stretch
        if stretch.length >= stretch.wanted:
            self._finish(row, stretch)

    def _around(self, event: AnomalyEvent, outcome: Outcome, now: float) -> None:
        row = self._rows[event.turbine]
        latest = _latest(row, outcome)
        if latest is None or now - self._last_event.get(row, -math.inf) < self._interval:
            return
        samples, verdict = latest
        half = math.ceil(self._length(samples) / 2)
        before = self._scorer.history(row, samples.type, half)
        channels = self._scorer.channels(samples.type)
        if before is None or channels is None:
            return
        self._last_event[row] = now
        t0 = samples.end - (before.shape[1] - 1) * samples.dt
        stretch = self._begin(samples, t0, channels, verdict, "event", before.shape[1] + half)
        stretch.add(before)
        for t, score, anomaly, violations in self._recent[row]:
            position = round((t - t0) / samples.dt) + 1
            if 1 <= position <= stretch.length:
                stretch.judged.append(Judged(position, score, anomaly, violations))
        self._active[row] = stretch

    def _length(self, samples: Samples) -> int:
        """Samples of a stretch: where its seconds hold no window, as many as teach something."""
        asked = math.ceil(self._seconds / samples.dt)
        window = self._scorer.window(samples.type) or 1
        return asked if asked >= window else WINDOWS * window

    def _begin(
        self,
        samples: Samples,
        t0: float,
        channels: tuple[str, ...],
        verdict: Verdict,
        reason: Literal["sample", "event"],
        wanted: int,
    ) -> Stretch:
        detector = self._scorer.detectors.get(samples.type)
        return Stretch(
            samples.turbine,
            samples.type,
            samples.boot,
            t0,
            samples.dt,
            channels,
            verdict.model,
            reason,
            wanted,
            "" if verdict.score is None else self._commissioning(verdict),
            detector.manifest if detector else None,
        )

    def _differs(self, stretch: Stretch, samples: Samples, verdict: Verdict) -> bool:
        now = (samples.type, samples.boot, verdict.model)
        if (stretch.type, stretch.boot, stretch.model) != now:
            return True
        # Verdicts without a score heed nothing.
        if verdict.score is None or not stretch.judged:
            return False
        return self._commissioning(verdict) != stretch.commissioning

    def _finish(self, row: int, stretch: Stretch) -> None:
        del self._active[row]
        self._keep(stretch)


def _latest(row: int, outcome: Outcome) -> tuple[Samples, Verdict] | None:
    """A turbine's last block of a batch, and its verdict."""
    end = len(outcome.verdicts)
    for part in reversed(outcome.rounds):
        end -= len(part.samples)
        found = np.flatnonzero(part.rows == row)
        if len(found):
            place = int(found[0])
            return part.samples[place], outcome.verdicts[end + place]
    return None

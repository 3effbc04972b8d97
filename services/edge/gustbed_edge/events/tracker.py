"""From violations that last to anomaly events that open, grow and close."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from gustbed_core import decisions
from gustbed_core.decisions import RunCounts
from gustbed_core.event_kinds import EventKind
from gustbed_core.events import AnomalyEvent, ModelRef
from gustbed_edge.events.judge import Judge

UPDATE_SECONDS = 5.0
PEAK_GROWTH = 1.05
"""A peak must grow by this much before it is worth telling again."""
_Key = tuple[int, EventKind]
"""A turbine's row, and what it is accused of."""


@dataclass(slots=True)
class _Open:
    """An open event. ``event`` is as it was told last."""

    event: AnomalyEvent
    peak: float
    told: float


@dataclass(frozen=True, slots=True)
class Site:
    """Whose events these are."""

    site: str
    thing: str
    turbines: Sequence[str]


class EventTracker:
    """Events per turbine and kind, by the decision of the model that judges the turbine.

    Kinds are those that models and resumed events name; one that the judging model does not know
    is not violated. Rows whose window warms up or whose model failed say nothing, and so neither
    open nor close anything.
    """

    def __init__(self, site: Site, clock: Callable[[], float] = time.time) -> None:
        self._site = site
        self._clock = clock
        self._kinds: list[EventKind] = []
        self._counts = RunCounts.zero((len(site.turbines), 0))
        self._since = np.zeros((len(site.turbines), 0))
        self._columns: dict[tuple[EventKind, ...], NDArray[np.intp]] = {}
        """Of the kinds of a judge, in the arrays above."""
        self._open: dict[_Key, _Open] = {}
        self._signals: dict[_Key, dict[str, float]] = {}
        """The largest ratio of each feature that passed 1 since the violation began."""

    def resume(self, events: Iterable[AnomalyEvent]) -> list[AnomalyEvent]:
        """Take up events that were open at the last stop.

        Returns those that can no longer be followed, closed: their turbine is gone, or another
        open event already speaks for the same violation.
        """
        rows = {turbine: row for row, turbine in enumerate(self._site.turbines)}
        orphans: list[AnomalyEvent] = []
        for event in events:
            key = (rows.get(event.turbine, -1), event.kind)
            if key[0] < 0 or key in self._open:
                orphans.append(replace(event, closed=self._clock(), change="closed"))
                continue
            self._open[key] = _Open(event, event.peak_score, self._clock())
            (column,) = self._columns_of((event.kind,))
            self._counts.open[key[0], column] = True
            # How strong the weaker ones were is not known; that they were weaker is.
            strengths = [event.peak_score] + [1.0] * len(event.signals)
            self._signals[key] = dict(zip(event.signals, strengths, strict=False))
        return orphans

    def open_kinds(self, row: int) -> list[EventKind]:
        """Kinds of the events that are open on a turbine."""
        # A copy: the heartbeat asks while the scoring thread opens others.
        found = [kind for at, kind in self._open.copy() if at == row]
        return sorted(found, key=self._kinds.index)

    def restart(self, row: int, t: float, reason: str = "") -> list[AnomalyEvent]:
        """Another turbine stands where this one did, or another measure judges it: return its open
        events, closed.
        """
        self._counts.violating[row] = self._counts.normal[row] = 0
        self._counts.open[row] = False
        ended = [self._end((row, kind), t) for kind in self.open_kinds(row)]
        return [replace(event, reason=reason) for event in ended] if reason else ended

    def update(
        self,
        rows: NDArray[np.intp],
        times: NDArray[np.float64],
        ratios: NDArray[np.floating],
        scores: NDArray[np.floating],
        judge: Judge,
    ) -> list[AnomalyEvent]:
        """Take one verdict of each of k turbines; return the events that changed.

        ``times`` (k) are the verdicts' Unix times, ``ratios`` (k, features) the judge's, and
        ``scores`` (k, kinds) what it makes of them by kind.
        """
        scores = self._spread(scores, judge)
        violated = decisions.violating(scores)
        opened = self._counts.open[rows]
        if not (violated.any() or opened.any()):
            # As hysteresis has it: no run of violations, and nothing that normal ones could close.
            self._counts.violating[rows] = 0
            return []
        before = self._counts.violating[rows]
        began = violated & (before == 0)
        if began.any():
            self._since[rows] = np.where(began, times[:, None], self._since[rows])
        counts = RunCounts(before, self._counts.normal[rows], opened)
        is_open, after = decisions.hysteresis(violated[..., None], counts, judge.decision)
        self._counts.violating[rows] = after.violating
        self._counts.normal[rows] = after.normal
        self._counts.open[rows] = after.open
        closing = opened & ~is_open[..., 0]
        changes: list[AnomalyEvent] = []
        # As lists: what follows looks at single numbers.
        places, values, largest = rows.tolist(), ratios.tolist(), scores.tolist()
        closes, known, opens = closing.tolist(), opened.tolist(), after.open.tolist()
        for i, k in np.argwhere(violated | closing).tolist():
            key = (places[i], self._kinds[k])
            if closes[i][k]:
                changes.append(self._end(key, float(times[i])))
                continue
            if began[i, k] and not known[i][k]:
                self._signals.pop(key, None)
            self._carry(key, values[i], judge)
            if known[i][k]:
                self._grow(key, largest[i][k], changes)
            elif opens[i][k]:
                since = float(self._since[places[i], k])
                changes.append(self._begin(key, since, largest[i][k], judge.model))
        return changes

    def _spread(self, scores: NDArray[np.floating], judge: Judge) -> NDArray[np.floating]:
        """A judge's scores (k, its kinds) to those of all kinds: -inf for what it does not know."""
        columns = self._columns_of(judge.kinds)
        if judge.kinds == tuple(self._kinds):
            return scores
        spread = np.full((len(scores), len(self._kinds)), -np.inf)
        spread[:, columns] = scores
        return spread

    def _columns_of(self, kinds: tuple[EventKind, ...]) -> NDArray[np.intp]:
        columns = self._columns.get(kinds)
        if columns is None:
            new = [kind for kind in kinds if kind not in self._kinds]
            self._kinds += new
            more = [(0, 0), (0, len(new))]
            counts = self._counts
            self._counts = RunCounts(
                np.pad(counts.violating, more),
                np.pad(counts.normal, more),
                np.pad(counts.open, more),
            )
            self._since = np.pad(self._since, more)
            columns = np.array([self._kinds.index(kind) for kind in kinds], dtype=np.intp)
            self._columns[kinds] = columns
        return columns

    def _carry(self, key: _Key, ratios: list[float], judge: Judge) -> None:
        signals = self._signals.setdefault(key, {})
        for place, name in judge.signals[key[1]]:
            if ratios[place] > signals.get(name, 1.0):
                signals[name] = ratios[place]

    def _strongest(self, key: _Key) -> list[str]:
        signals = self._signals.get(key, {})
        return sorted(signals, key=signals.__getitem__, reverse=True)

    def _begin(self, key: _Key, since: float, score: float, model: ModelRef) -> AnomalyEvent:
        row, kind = key
        event = AnomalyEvent(
            id=str(uuid4()),
            site=self._site.site,
            thing=self._site.thing,
            turbine=self._site.turbines[row],
            kind=kind,
            opened=since,
            closed=None,
            peak_score=score,
            model=model,
            change="opened",
            signals=self._strongest(key),
        )
        self._open[key] = _Open(event, score, self._clock())
        return event

    def _grow(self, key: _Key, score: float, changes: list[AnomalyEvent]) -> None:
        current = self._open[key]
        if score > current.peak:
            current.peak = score
        told = current.event
        grown = current.peak > told.peak_score * PEAK_GROWTH
        if not grown and len(self._signals[key]) == len(told.signals):
            return
        now = self._clock()
        if now - current.told < UPDATE_SECONDS:
            return
        current.told = now
        current.event = replace(
            told, peak_score=current.peak, signals=self._strongest(key), change="updated"
        )
        changes.append(current.event)

    def _end(self, key: _Key, t: float) -> AnomalyEvent:
        current = self._open.pop(key)
        signals = self._strongest(key)
        self._signals.pop(key, None)
        return replace(
            current.event,
            closed=max(t, current.event.opened),
            peak_score=current.peak,
            signals=signals,
            change="closed",
        )

"""From ratios to violations, and from lasting violations to anomaly events."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from gustbed_protocol.events import AnomalyEvent, ModelRef
from gustbed_protocol.violations import Violation

KINDS: tuple[Violation, ...] = tuple(Violation)
UPDATE_SECONDS = 5.0
PEAK_GROWTH = 1.05
"""A peak must grow by this much before it is worth telling again."""


@dataclass(slots=True)
class _Open:
    event: AnomalyEvent
    told: float
    told_peak: float


@dataclass(frozen=True, slots=True)
class Site:
    """Whose events these are."""

    site: str
    thing: str
    turbines: Sequence[str]


@dataclass(slots=True)
class EventTracker:
    """Hysteresis per turbine and kind.

    An event opens after ``open_after`` violating verdicts in a row and closes after
    ``close_after`` normal ones. Rows whose window warms up or whose model failed say nothing,
    and so neither open nor close anything.
    """

    site: Site
    open_after: int
    close_after: int
    clock: Callable[[], float] = time.time
    _violating: NDArray[np.int32] = field(init=False)
    _normal: NDArray[np.int32] = field(init=False)
    _opened: NDArray[np.bool_] = field(init=False)
    _since: NDArray[np.float64] = field(init=False)
    _open: dict[tuple[int, int], _Open] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        shape = (len(self.site.turbines), len(KINDS))
        self._violating = np.zeros(shape, dtype=np.int32)
        self._normal = np.zeros(shape, dtype=np.int32)
        self._opened = np.zeros(shape, dtype=bool)
        self._since = np.zeros(shape)

    def resume(self, events: Iterable[AnomalyEvent]) -> list[AnomalyEvent]:
        """Take up events that were open at the last stop.

        Returns those that can no longer be followed, closed: their turbine is gone, or another
        open event already speaks for the same violation.
        """
        rows = {turbine: row for row, turbine in enumerate(self.site.turbines)}
        orphans: list[AnomalyEvent] = []
        for event in events:
            key = (rows.get(event.turbine, -1), KINDS.index(event.kind))
            if key[0] < 0 or key in self._open:
                orphans.append(replace(event, closed=self.clock(), change="closed"))
                continue
            self._open[key] = _Open(event, self.clock(), event.peak_score)
            self._opened[key] = True
        return orphans

    def open_kinds(self, row: int) -> list[Violation]:
        """Kinds of the events that are open on a turbine."""
        return [kind for k, kind in enumerate(KINDS) if self._opened[row, k]]

    def update(
        self,
        rows: NDArray[np.intp],
        times: NDArray[np.float64],
        scores: NDArray[np.floating],
        model: ModelRef,
    ) -> list[AnomalyEvent]:
        """Take one verdict of each of k turbines; return the events that changed.

        ``times`` (k) are the verdicts' Unix times, ``scores`` (k, kinds) the largest ratio that
        speaks for each kind: above 1 is a violation.
        """
        violated = scores > 1
        began = violated & (self._violating[rows] == 0)
        self._since[rows] = np.where(began, times[:, None], self._since[rows])
        self._violating[rows] = np.where(violated, self._violating[rows] + 1, 0)
        self._normal[rows] = np.where(violated, 0, self._normal[rows] + 1)
        opened = self._opened[rows]
        opening = ~opened & (self._violating[rows] >= self.open_after)
        closing = opened & (self._normal[rows] >= self.close_after)
        lasting = opened & violated
        changes: list[AnomalyEvent] = []
        for i, k in np.argwhere(opening | closing | lasting):
            key, t, score = (int(rows[i]), int(k)), float(times[i]), float(scores[i, k])
            if opening[i, k]:
                changes.append(self._begin(key, score, model))
            elif closing[i, k]:
                changes.append(self._end(key, t))
            else:
                changes.extend(self._grow(key, score))
        return changes

    def _begin(self, key: tuple[int, int], score: float, model: ModelRef) -> AnomalyEvent:
        row, k = key
        event = AnomalyEvent(
            id=str(uuid4()),
            site=self.site.site,
            thing=self.site.thing,
            turbine=self.site.turbines[row],
            kind=KINDS[k],
            opened=float(self._since[key]),
            closed=None,
            peak_score=score,
            model=model,
            change="opened",
        )
        self._open[key] = _Open(event, self.clock(), score)
        self._opened[key] = True
        return event

    def _grow(self, key: tuple[int, int], score: float) -> list[AnomalyEvent]:
        current = self._open[key]
        if score > current.event.peak_score:
            current.event = replace(current.event, peak_score=score, change="updated")
        now = self.clock()
        grown = current.event.peak_score > current.told_peak * PEAK_GROWTH
        if not grown or now - current.told < UPDATE_SECONDS:
            return []
        current.told, current.told_peak = now, current.event.peak_score
        return [current.event]

    def _end(self, key: tuple[int, int], t: float) -> AnomalyEvent:
        self._opened[key] = False
        event = self._open.pop(key).event
        return replace(event, closed=max(t, event.opened), change="closed")

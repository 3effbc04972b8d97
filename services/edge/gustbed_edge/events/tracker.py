"""From ratios to violations, and from lasting violations to anomaly events."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from gustbed_core.events import AnomalyEvent, ModelRef
from gustbed_core.package import Decision, Manifest
from gustbed_core.violations import Violation

KINDS: tuple[Violation, ...] = tuple(Violation)
UPDATE_SECONDS = 5.0
PEAK_GROWTH = 1.05
"""A peak must grow by this much before it is worth telling again."""


@dataclass(frozen=True, slots=True)
class Judge:
    """Who speaks of a turbine, and how its verdicts become events.

    ``masks`` (kinds, features) says which of its features speak for which kind.
    """

    model: ModelRef
    features: tuple[str, ...]
    masks: NDArray[np.bool_]
    decision: Decision
    signals: tuple[tuple[tuple[int, str], ...], ...]
    """The same by kind: each feature's place and name."""

    @classmethod
    def of(cls, manifest: Manifest, decision: Decision) -> "Judge":
        """The judge that a model's manifest describes, deciding as told."""
        names = manifest.feature_names
        masks = violation_masks(manifest, KINDS)
        signals = tuple(
            tuple((i, names[i]) for i in np.flatnonzero(mask).tolist()) for mask in masks
        )
        return cls(ModelRef(manifest.name, manifest.version), names, masks, decision, signals)

    def by_kind(self, ratios: NDArray[np.floating]) -> NDArray[np.floating]:
        """Ratios (k, features) to the largest that speaks for each kind (k, kinds)."""
        masked = np.where(self.masks, ratios[:, None, :], -np.inf)
        largest: NDArray[np.floating] = masked.max(axis=2, initial=-np.inf)
        return largest


def violation_masks(manifest: Manifest, kinds: Sequence[str]) -> NDArray[np.bool_]:
    """Which features speak for which kind: (kinds, features)."""
    masks = np.zeros((len(kinds), len(manifest.features)), dtype=bool)
    for row, kind in enumerate(kinds):
        for violation, features in manifest.violations.items():
            if violation.value == kind:
                masks[row] = [name in features for name in manifest.feature_names]
    return masks


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


@dataclass(slots=True)
class EventTracker:
    """Hysteresis per turbine and kind, by the decision of the model that judges the turbine.

    Rows whose window warms up or whose model failed say nothing, and so neither open nor close
    anything.
    """

    site: Site
    clock: Callable[[], float] = time.time
    _violating: NDArray[np.int32] = field(init=False)
    _normal: NDArray[np.int32] = field(init=False)
    _opened: NDArray[np.bool_] = field(init=False)
    _since: NDArray[np.float64] = field(init=False)
    _open: dict[tuple[int, int], _Open] = field(init=False, default_factory=dict)
    _signals: dict[tuple[int, int], dict[str, float]] = field(init=False, default_factory=dict)
    """The largest ratio of each feature that passed 1 since the violation began."""

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
            self._open[key] = _Open(event, event.peak_score, self.clock())
            self._opened[key] = True
            # How strong the weaker ones were is not known; that they were weaker is.
            strengths = [event.peak_score] + [1.0] * len(event.signals)
            self._signals[key] = dict(zip(event.signals, strengths, strict=False))
        return orphans

    def open_kinds(self, row: int) -> list[Violation]:
        """Kinds of the events that are open on a turbine."""
        return [kind for k, kind in enumerate(KINDS) if self._opened[row, k]]

    def restart(self, row: int, t: float) -> list[AnomalyEvent]:
        """Another turbine stands where this one did: return its open events, closed."""
        self._violating[row] = self._normal[row] = 0
        return [self._end((row, int(k)), t) for k in np.flatnonzero(self._opened[row])]

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
        ``scores`` (k, kinds) what it makes of them by kind: above 1 is a violation.
        """
        violated = scores > 1
        began = violated & (self._violating[rows] == 0)
        self._since[rows] = np.where(began, times[:, None], self._since[rows])
        self._violating[rows] = np.where(violated, self._violating[rows] + 1, 0)
        self._normal[rows] = np.where(violated, 0, self._normal[rows] + 1)
        opened = self._opened[rows]
        opening = ~opened & (self._violating[rows] >= judge.decision.open_after)
        closing = opened & (self._normal[rows] >= judge.decision.close_after)
        changes: list[AnomalyEvent] = []
        told = violated | closing
        if not told.any():
            return changes
        # As lists: what follows looks at single numbers.
        places, values, largest = rows.tolist(), ratios.tolist(), scores.tolist()
        opens, closes, known = opening.tolist(), closing.tolist(), opened.tolist()
        for i, k in np.argwhere(told).tolist():
            key = (places[i], k)
            if closes[i][k]:
                changes.append(self._end(key, float(times[i])))
                continue
            if not known[i][k] and self._violating[key] == 1:
                self._signals.pop(key, None)
            self._carry(key, values[i], judge)
            if opens[i][k]:
                changes.append(self._begin(key, largest[i][k], judge.model))
            elif known[i][k]:
                self._grow(key, largest[i][k], changes)
        return changes

    def _carry(self, key: tuple[int, int], ratios: list[float], judge: Judge) -> None:
        signals = self._signals.setdefault(key, {})
        for place, name in judge.signals[key[1]]:
            if ratios[place] > signals.get(name, 1.0):
                signals[name] = ratios[place]

    def _strongest(self, key: tuple[int, int]) -> list[str]:
        signals = self._signals.get(key, {})
        return sorted(signals, key=signals.__getitem__, reverse=True)

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
            signals=self._strongest(key),
        )
        self._open[key] = _Open(event, score, self.clock())
        self._opened[key] = True
        return event

    def _grow(self, key: tuple[int, int], score: float, changes: list[AnomalyEvent]) -> None:
        current = self._open[key]
        if score > current.peak:
            current.peak = score
        told = current.event
        grown = current.peak > told.peak_score * PEAK_GROWTH
        if not grown and len(self._signals[key]) == len(told.signals):
            return
        now = self.clock()
        if now - current.told < UPDATE_SECONDS:
            return
        current.told = now
        current.event = replace(
            told, peak_score=current.peak, signals=self._strongest(key), change="updated"
        )
        changes.append(current.event)

    def _end(self, key: tuple[int, int], t: float) -> AnomalyEvent:
        self._opened[key] = False
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

"""Event by event, as the edge would open them, against the labelled faults.

An event is true if it opens while a fault of its turbine is on, false if it opens while none is on
or settling, and else counts neither way. Events of several kinds that overlap are one to whoever
is called: true ones are merged with true ones, false with false ones. A fault is detected by an
event that opens while it is on, or by one that is still open from another fault when it starts;
the latter has no delay. So an event during several faults is a hit for all of them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from gustbed_core.decisions import RunCounts, hysteresis, spans
from gustbed_core.event_kinds import EventKind
from gustbed_core.signals import Decision
from gustbed_training.data.partition import Label
from gustbed_training.evaluation.effect_size import STRONG, effect_size, total
from gustbed_training.evaluation.intervals import poisson_interval
from gustbed_training.evaluation.pointwise import ratio
from gustbed_training.evaluation.verdicts import Verdicts


@dataclass(frozen=True, slots=True)
class Event:
    """``opened`` and ``closed`` are samples; one that outlasts the recording never closes."""

    kind: EventKind
    opened: int
    closed: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one fault.

    ``right_kind`` is None where its violation is not known. ``cross_talk`` counts the events of
    another kind that no other fault explains. ``delay_s`` is from its start to its first event.
    ``effect_size`` is how far it moves a feature, in standard deviations of normal operation.
    """

    fault: Label
    detected: bool
    right_kind: bool | None
    exactly_one: bool
    cross_talk: int
    delay_s: float | None
    effect_size: float | None


@dataclass(frozen=True, slots=True)
class RecordingCounts:
    """One recording: its faults and false events, and turbine-hours. Calm ones are split into those
    with an open event; those that follow a fault which has settled, and of them those with an open
    event. ``settling_hours`` count neither way.
    """

    faults: int
    detected: int
    false_events: int
    calm_hours: float
    alarm_hours: float
    settled_hours: float
    settled_alarm_hours: float
    settling_hours: float


@dataclass(frozen=True)
class KindCounts:
    """One kind of violation: its own events against its own faults."""

    faults: int = 0
    detected: int = 0
    true_events: int = 0
    false_events: int = 0

    @property
    def precision(self) -> float | None:
        """Share of the kind's events that open in a fault of that kind."""
        return ratio(self.true_events, self.true_events + self.false_events)

    @property
    def recall(self) -> float | None:
        """Share of the kind's faults that an event of that kind finds."""
        return ratio(self.detected, self.faults)

    @property
    def f1(self) -> float | None:
        """Harmonic mean of both; None without any fault of the kind."""
        return _harmonic(self.precision, self.recall)


@dataclass(frozen=True)
class Eventwise:
    """All events of all recordings, and by recording what they come to."""

    outcomes: tuple[Outcome, ...]
    true_events: int
    false_events: int
    calm_hours: float
    kinds: dict[EventKind, KindCounts]
    recordings: tuple[RecordingCounts, ...] = ()

    @property
    def calm_in_alarm(self) -> float | None:
        """Share of the calm time with an open event: one that never closes is one event."""
        return ratio(sum(r.alarm_hours for r in self.recordings), self.calm_hours)

    @property
    def settled_hours(self) -> float:
        """Calm turbine-hours that follow a fault of the same recording."""
        return sum(r.settled_hours for r in self.recordings)

    @property
    def settled_in_alarm(self) -> float | None:
        """Share of those with an open event."""
        return ratio(sum(r.settled_alarm_hours for r in self.recordings), self.settled_hours)

    @property
    def settling_hours(self) -> float:
        """Turbine-hours that count neither way."""
        return sum(r.settling_hours for r in self.recordings)

    @property
    def precision(self) -> float | None:
        """Share of the merged events that are true."""
        return ratio(self.true_events, self.true_events + self.false_events)

    @property
    def recall(self) -> float | None:
        """Share of the faults that are detected."""
        return ratio(sum(o.detected for o in self.outcomes), len(self.outcomes))

    @property
    def strong(self) -> list[Outcome]:
        """The faults that move a feature by ``STRONG`` standard deviations at least."""
        return [o for o in self.outcomes if o.effect_size is not None and o.effect_size >= STRONG]

    @property
    def recall_of_strong(self) -> float | None:
        """Share of those that are detected."""
        return ratio(sum(o.detected for o in self.strong), len(self.strong))

    @property
    def f1(self) -> float | None:
        """Harmonic mean of both; None without any fault."""
        return _harmonic(self.precision, self.recall)

    @property
    def right_kind(self) -> float | None:
        """Of the detected faults whose kind is known, the share with an event of that kind."""
        known = [o for o in self.outcomes if o.detected and o.right_kind is not None]
        return ratio(sum(bool(o.right_kind) for o in known), len(known))

    @property
    def false_per_day(self) -> float | None:
        """Merged false events per turbine-day without faults."""
        return ratio(24 * self.false_events, self.calm_hours)

    @property
    def false_per_day_interval(self) -> tuple[float, float] | None:
        """Exact Poisson bounds of the same."""
        if not self.calm_hours:
            return None
        low, high = poisson_interval(self.false_events)
        return 24 * low / self.calm_hours, 24 * high / self.calm_hours

    @property
    def delays(self) -> list[float]:
        """Of the detected faults, in seconds."""
        return [o.delay_s for o in self.outcomes if o.delay_s is not None]


def match(verdicts: Iterable[Verdicts], decision: Decision) -> Eventwise:
    """Open events with the edge's hysteresis and compare them with the faults."""
    outcomes: list[Outcome] = []
    true_events = false_events = 0
    recordings: list[RecordingCounts] = []
    kinds: dict[EventKind, KindCounts] = {}
    verdicts = list(verdicts)
    normal = total(one.normal for one in verdicts)
    for one in verdicts:
        found = _opened(one, decision)
        true = [event for event in found if _on(one, event.opened)]
        false = [event for event in found if _calm(one, event.opened)]
        true_events += merged((event.opened, event.closed) for event in true)
        alarms = merged((event.opened, event.closed) for event in false)
        false_events += alarms
        mine = [
            _outcome(one, fault, found, true, effect_size(distance, normal))
            for fault, distance in zip(one.faults, one.excursions, strict=True)
        ]
        outcomes += mine
        recordings.append(_counts(one, found, mine, alarms))
        _count_kinds(kinds, one, found, mine)
    labelled = {outcome.fault.violation for outcome in outcomes}
    kept = {kind: counts for kind, counts in kinds.items() if kind in labelled}
    hours = sum((r.calm_hours for r in recordings), 0.0)
    return Eventwise(tuple(outcomes), true_events, false_events, hours, kept, tuple(recordings))


def merged(spans: Iterable[tuple[float, float]]) -> int:
    """How many separate intervals remain when those that touch are taken as one."""
    count, until = 0, -np.inf
    for start, stop in sorted(spans):
        if start > until:
            count += 1
        until = max(until, stop)
    return count


def _opened(one: Verdicts, decision: Decision) -> list[Event]:
    return [
        Event(
            kind,
            int(one.ends[span.opened]),
            np.inf if span.closed is None else int(one.ends[span.closed]),
        )
        for kind, accused in one.accused.items()
        for span in spans(hysteresis(accused, RunCounts.zero(()), decision)[0])
    ]


def _counts(
    one: Verdicts, found: Sequence[Event], outcomes: Sequence[Outcome], alarms: int
) -> RecordingCounts:
    alarmed = np.zeros(len(one.ends), dtype=np.bool_)
    for event in found:
        alarmed |= (one.ends >= event.opened) & (one.ends < event.closed)
    calm, settled = one.calm, one.settled
    return RecordingCounts(
        faults=len(outcomes),
        detected=sum(outcome.detected for outcome in outcomes),
        false_events=alarms,
        calm_hours=one.hours(calm),
        alarm_hours=one.hours(calm & alarmed),
        settled_hours=one.hours(settled),
        settled_alarm_hours=one.hours(settled & alarmed),
        settling_hours=one.hours(one.settling),
    )


def _outcome(
    one: Verdicts,
    fault: Label,
    found: Sequence[Event],
    true: Sequence[Event],
    distance: float | None,
) -> Outcome:
    inside = [event for event in found if fault.start <= event.opened < fault.stop]
    carried = [event for event in true if event.opened < fault.start < event.closed]
    traces = [e for e in found if fault.start <= e.opened < fault.stop + one.settle]
    own = [e for e in traces if e.kind == fault.violation or not _explained(one, fault, e)]
    strange = [e for e in own if e.kind != fault.violation] if fault.violation else []
    delay: float | None = None
    if inside:
        # The window's last sample is the newest that the edge has seen.
        delay = (min(event.opened for event in inside) + 1 - fault.start) / one.rate_hz
    return Outcome(
        fault=fault,
        detected=bool(inside or carried),
        right_kind=any(e.kind == fault.violation for e in (*inside, *carried))
        if fault.violation
        else None,
        exactly_one=len(own) == 1 and bool(inside) and not strange,
        cross_talk=len(strange),
        delay_s=delay,
        effect_size=distance,
    )


def _explained(one: Verdicts, fault: Label, event: Event) -> bool:
    """Whether another fault that is on or settling is of the event's kind."""
    return any(
        other is not fault
        and other.violation == event.kind
        and other.start <= event.opened < other.stop + one.settle
        for other in one.faults
    )


def _count_kinds(
    kinds: dict[EventKind, KindCounts],
    one: Verdicts,
    found: Sequence[Event],
    outcomes: Sequence[Outcome],
) -> None:
    for kind in one.accused:
        faults = [o for o in outcomes if o.fault.violation == kind]
        true = false = 0
        for event in found:
            if event.kind != kind:
                continue
            on = [f for f in one.faults if f.start <= event.opened < f.stop]
            true += any(f.violation == kind for f in on)
            # What opens in a fault of unknown kind, or settles, is nobody's error.
            wrong = any(f.violation for f in on) if on else _calm(one, event.opened)
            false += wrong and not any(f.violation in (kind, None) for f in on)
        before = kinds.get(kind, KindCounts())
        kinds[kind] = KindCounts(
            before.faults + len(faults),
            before.detected + sum(bool(o.right_kind) for o in faults),
            before.true_events + true,
            before.false_events + false,
        )


def _on(one: Verdicts, sample: int) -> bool:
    return any(fault.start <= sample < fault.stop for fault in one.faults)


def _calm(one: Verdicts, sample: int) -> bool:
    return bool(one.calm[np.searchsorted(one.ends, sample)])


def _harmonic(precision: float | None, recall: float | None) -> float | None:
    """None without any fault; 0 with faults and no event."""
    if recall is None:
        return None
    if not precision or not recall:
        return 0.0
    return 2 * precision * recall / (precision + recall)

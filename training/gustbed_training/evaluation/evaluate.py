"""How well a detector tells faults apart: by verdict, by event as the edge counts, and by score.

A verdict belongs to a fault when the fault is on at the window's last sample. What settles for
``Schema.settle_s`` after a fault counts neither way.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gustbed_core.errors import GustbedError
from gustbed_core.event_kinds import EventKind
from gustbed_core.signals import Schema
from gustbed_training.data.partition import Part
from gustbed_training.detectors.scoring import Scorer
from gustbed_training.evaluation.bootstrap import Resampled, resampled
from gustbed_training.evaluation.care import Care, care
from gustbed_training.evaluation.eventwise import Eventwise, Outcome, match
from gustbed_training.evaluation.pointwise import ConfusionCounts, count, count_kinds, ratio
from gustbed_training.evaluation.verdicts import Verdicts, judge
from gustbed_training.evaluation.vus import Track, vus_pr


@dataclass(frozen=True, slots=True)
class Options:
    """How to judge; None takes what the schema says.

    ``aimed_false_per_day`` is what the thresholds were set for, per turbine-day, all features
    together. ``criticality`` (verdicts) is CARE's, by default ``open_after``; ``buffer``
    (verdicts) is VUS's longest, by default a window's length. Without ``labels_required``,
    unlabelled recordings are taken as normal, and only false alarms are counted. ``resample`` says
    whether to tell how far figures hang on the recordings.
    """

    aimed_false_per_day: float | None = None
    criticality: int | None = None
    buffer: int | None = None
    labels_required: bool = True
    resample: bool = False


@dataclass(frozen=True)
class Calibration:
    """Whether normal data alarm as rarely as the thresholds were set for.

    ``by_feature`` is the share of the normal verdicts whose ratio exceeds 1.
    """

    aimed_per_day: float | None
    found_per_day: float | None
    interval: tuple[float, float] | None
    turbine_hours: float
    by_feature: dict[str, float]

    @property
    def agrees(self) -> bool | None:
        """Whether what was aimed at lies in the interval of what was found, or above it."""
        if self.aimed_per_day is None or self.interval is None:
            return None
        return self.interval[0] <= self.aimed_per_day


@dataclass(frozen=True)
class FaultRow:
    """Faults of one name and severity. Delays in seconds, of those that have one."""

    fault: str
    severity: float
    violation: EventKind | None
    outcomes: tuple[Outcome, ...]

    @property
    def injected(self) -> int:
        """How many."""
        return len(self.outcomes)

    @property
    def detected(self) -> int:
        """By an event of any kind."""
        return sum(outcome.detected for outcome in self.outcomes)

    @property
    def right_kind(self) -> int | None:
        """By an event of the right kind; None where that is not known."""
        if self.violation is None:
            return None
        return sum(bool(outcome.right_kind) for outcome in self.outcomes)

    @property
    def exactly_one(self) -> int:
        """With one event, of the right kind, and no other."""
        return sum(outcome.exactly_one for outcome in self.outcomes)

    @property
    def delays(self) -> list[float]:
        """From start to first event."""
        return [outcome.delay_s for outcome in self.outcomes if outcome.delay_s is not None]

    @property
    def effect_size(self) -> list[float]:
        """How far each moves a feature, in standard deviations, where that can be said."""
        return [outcome.effect_size for outcome in self.outcomes if outcome.effect_size is not None]


@dataclass(frozen=True)
class Evaluation:
    """What was found. ``vus_pr`` and ``care`` are None without both faults and normal data.

    ``labelled`` is False where labels were missing: then everything but false alarms is None or
    empty. ``resampled`` is None unless that was asked for and there are recordings enough.
    ``microseconds_per_window`` is filled in by who has the graph.
    """

    labelled: bool
    recordings: int
    verdicts: int
    pointwise: ConfusionCounts
    kinds: dict[EventKind, ConfusionCounts]
    eventwise: Eventwise
    vus_pr: float | None
    vus_buffer: int
    care: Care | None
    criticality: int
    calibration: Calibration
    microseconds_per_window: float | None = None
    resampled: Resampled | None = None

    @property
    def by_fault(self) -> list[FaultRow]:
        """Its faults, grouped."""
        return rows_by_fault(self.eventwise.outcomes)


def rows_by_fault(outcomes: Iterable[Outcome]) -> list[FaultRow]:
    """Outcomes by name and severity, in that order."""
    groups: dict[tuple[str, float], list[Outcome]] = {}
    for outcome in outcomes:
        key = (outcome.fault.fault, round(outcome.fault.severity, 3))
        groups.setdefault(key, []).append(outcome)
    return [
        FaultRow(name, severity, found[0].fault.violation, tuple(found))
        for (name, severity), found in sorted(groups.items(), key=lambda item: item[0])
    ]


def evaluate(
    schema: Schema, parts: Iterable[Part], score: Scorer, options: Options = Options()
) -> Evaluation:
    """Score parts from end to end and compare with their labels.

    Raises ``GustbedError`` for unlabelled recordings where labels are required, and for scores
    that are no numbers.
    """
    found: list[Verdicts] = []
    labelled = True
    for part in parts:
        if not part.recording.labelled:
            labelled = False
            if options.labels_required:
                raise GustbedError(
                    f"{part.recording.source}: no labels to evaluate with",
                    "name a label column in the map, or pass --unlabelled",
                )
        found.append(judge(schema, part, score))
    return concluded(schema, found, options, labelled=labelled)


def concluded(
    schema: Schema, found: Sequence[Verdicts], options: Options = Options(), *, labelled: bool
) -> Evaluation:
    """What verdicts that were judged one recording at a time come to."""
    criticality = options.criticality or schema.decision.open_after
    buffer = options.buffer or -(-schema.window // schema.step)
    eventwise = match(found, schema.decision)
    tracks = [Track(one.worst, one.on, ~one.settling) for one in found]
    again = (
        resampled(found, tracks, eventwise.recordings, buffer, criticality)
        if labelled and options.resample
        else None
    )
    return Evaluation(
        labelled=labelled,
        recordings=len(found),
        verdicts=sum(len(one.ends) for one in found),
        pointwise=count(found),
        kinds=count_kinds(found) if labelled else {},
        eventwise=eventwise,
        vus_pr=vus_pr(tracks, buffer) if labelled else None,
        vus_buffer=buffer,
        care=care(found, criticality) if labelled else None,
        criticality=criticality,
        calibration=_calibration(found, eventwise, options.aimed_false_per_day),
        resampled=again,
    )


def _calibration(
    found: Sequence[Verdicts], eventwise: Eventwise, aimed: float | None
) -> Calibration:
    calm = sum(int(one.calm.sum()) for one in found)
    over: dict[str, int] = {}
    for one in found:
        for name, exceeding in one.over.items():
            over[name] = over.get(name, 0) + exceeding
    return Calibration(
        aimed_per_day=aimed,
        found_per_day=eventwise.false_per_day,
        interval=eventwise.false_per_day_interval,
        turbine_hours=eventwise.calm_hours,
        by_feature={name: ratio(n, calm) or 0.0 for name, n in over.items()},
    )

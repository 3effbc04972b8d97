"""How well a model tells faults apart: verdict by verdict, and event by event as the edge counts.

A verdict belongs to a fault when the fault is on at the window's last sample. Windows that end
within ``SETTLE_S`` after a fault still hold some of it; they count neither way.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gustbed_protocol.features import FEATURE_NAMES, FEATURES_OF
from gustbed_protocol.violations import Violation
from gustbed_training.detectors.scoring import Scorer
from gustbed_training.events import events
from gustbed_training.recordings import SAMPLE_RATE_HZ, Recording
from gustbed_training.windows import STEP, features_of, whole, window_ends

SETTLE_S = 25.0
"""A window's length, the closing hysteresis, and what a seized rotor needs to run up again."""


@dataclass
class Points:
    """Verdicts of one kind, counted."""

    true_positive: int = 0
    false_positive: int = 0
    false_negative: int = 0

    @property
    def precision(self) -> float | None:
        """Share of the accusations that are right; None without any."""
        return _share(self.true_positive, self.true_positive + self.false_positive)

    @property
    def recall(self) -> float | None:
        """Share of the faulty verdicts that are accused; None without any."""
        return _share(self.true_positive, self.true_positive + self.false_negative)

    @property
    def f1(self) -> float | None:
        """Harmonic mean of both."""
        return _share(2 * self.true_positive, 2 * self.true_positive + self.errors)

    @property
    def errors(self) -> int:
        """Wrong verdicts."""
        return self.false_positive + self.false_negative


@dataclass
class Injections:
    """Faults of one kind and severity. ``delays`` in seconds, of those that were detected."""

    faults: int = 0
    detected: int = 0
    exactly_one: int = 0
    cross_talk: int = 0
    delays: list[float] = field(default_factory=list)


@dataclass
class Evaluation:
    """What was found. ``false_events`` by kind opened while no fault was on."""

    turbine_hours: float = 0.0
    points: dict[Violation, Points] = field(
        default_factory=lambda: {k: Points() for k in Violation}
    )
    injections: dict[tuple[Violation, float], Injections] = field(default_factory=dict)
    false_events: dict[Violation, int] = field(default_factory=lambda: dict.fromkeys(Violation, 0))

    @property
    def false_events_per_turbine_day(self) -> float:
        """All kinds together."""
        return _share(24 * sum(self.false_events.values()), self.turbine_hours) or 0.0


@dataclass(frozen=True, slots=True)
class _Interval:
    kind: Violation
    severity: float
    start: int
    stop: int


def evaluate(recordings: Iterable[Recording], score: Scorer) -> Evaluation:
    """Score recordings from end to end and compare with their labels."""
    result = Evaluation()
    for recording in recordings:
        windows = features_of(recording, whole(recording))
        _add(result, recording, score(windows)[1])
    return result


def violating(ratios: NDArray[np.float32]) -> dict[Violation, NDArray[np.bool_]]:
    """Which verdicts accuse the turbine of which kind, as the edge decides."""
    over = ratios > 1
    columns = {
        kind: [FEATURE_NAMES.index(name) for name in names] for kind, names in FEATURES_OF.items()
    }
    return {kind: np.any(over[:, chosen], axis=1) for kind, chosen in columns.items()}


def _add(result: Evaluation, recording: Recording, ratios: NDArray[np.float32]) -> None:
    ends = window_ends(whole(recording))
    faults = list(_intervals(recording))
    settle = round(SETTLE_S * SAMPLE_RATE_HZ)
    calm = np.ones(len(ends), dtype=np.bool_)
    for fault in faults:
        calm &= (ends < fault.start) | (ends >= fault.stop + settle)
    result.turbine_hours += float(calm.sum()) * STEP / SAMPLE_RATE_HZ / 3600
    opened: list[tuple[Violation, int]] = []
    for kind, bad in violating(ratios).items():
        on = np.zeros(len(ends), dtype=np.bool_)
        for fault in faults:
            if fault.kind is kind:
                on |= (ends >= fault.start) & (ends < fault.stop)
        points = result.points[kind]
        points.true_positive += int((bad & on).sum())
        points.false_negative += int((~bad & on).sum())
        settling = ~calm & ~on & ~_others_on(faults, kind, ends)
        points.false_positive += int((bad & ~on & ~settling).sum())
        opened += [(kind, int(ends[span.opened])) for span in events(bad)]
    _match(result, faults, opened, settle)


def _others_on(
    faults: list[_Interval], kind: Violation, ends: NDArray[np.int64]
) -> NDArray[np.bool_]:
    on = np.zeros(len(ends), dtype=np.bool_)
    for fault in faults:
        if fault.kind is not kind:
            on |= (ends >= fault.start) & (ends < fault.stop)
    return on


def _match(
    result: Evaluation,
    faults: list[_Interval],
    opened: list[tuple[Violation, int]],
    settle: int,
) -> None:
    """Give every event to the fault that it opened in, or count it as false."""
    owners = [
        next((i for i, f in enumerate(faults) if f.start <= sample < f.stop + settle), None)
        for _, sample in opened
    ]
    for (kind, _), owner in zip(opened, owners, strict=True):
        if owner is None:
            result.false_events[kind] += 1
    for i, fault in enumerate(faults):
        mine = [event for event, owner in zip(opened, owners, strict=True) if owner == i]
        right = [sample for kind, sample in mine if kind is fault.kind and sample < fault.stop]
        key = (fault.kind, round(fault.severity, 3))
        injections = result.injections.setdefault(key, Injections())
        injections.faults += 1
        injections.detected += bool(right)
        injections.exactly_one += len(mine) == 1 and len(right) == 1
        injections.cross_talk += sum(kind is not fault.kind for kind, _ in mine)
        if right:
            # The window's last sample is the newest that the edge has seen.
            injections.delays.append((right[0] + 1 - fault.start) / SAMPLE_RATE_HZ)


def _intervals(recording: Recording) -> Iterator[_Interval]:
    for kind, severity in recording.severity.items():
        edges = np.flatnonzero(np.diff(np.concatenate(([0], severity > 0, [0]))))
        for start, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            yield _Interval(kind, float(severity[start:stop].max()), start, stop)


def _share(part: float, of: float) -> float | None:
    return part / of if of else None

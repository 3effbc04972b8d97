"""Verdict by verdict: how many are right."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gustbed_core.event_kinds import EventKind
from gustbed_training.evaluation.verdicts import Verdicts


@dataclass(frozen=True, slots=True)
class ConfusionCounts:
    """Verdicts counted. Every share is None where nothing could be counted."""

    true_positive: int = 0
    false_positive: int = 0
    false_negative: int = 0
    true_negative: int = 0

    def __add__(self, other: "ConfusionCounts") -> "ConfusionCounts":
        return ConfusionCounts(
            self.true_positive + other.true_positive,
            self.false_positive + other.false_positive,
            self.false_negative + other.false_negative,
            self.true_negative + other.true_negative,
        )

    @property
    def precision(self) -> float | None:
        """Share of the accusations that are right."""
        return ratio(self.true_positive, self.true_positive + self.false_positive)

    @property
    def recall(self) -> float | None:
        """Share of the faulty verdicts that are accused."""
        return ratio(self.true_positive, self.true_positive + self.false_negative)

    @property
    def f1(self) -> float | None:
        """Harmonic mean of both; None without any faulty verdict."""
        if not self.true_positive + self.false_negative:
            return None
        return f_beta(self.true_positive, self.false_positive, self.false_negative, 1.0)

    @property
    def false_alarm_rate(self) -> float | None:
        """Share of the normal verdicts that are accused."""
        return ratio(self.false_positive, self.false_positive + self.true_negative)

    @property
    def missed_alarm_rate(self) -> float | None:
        """Share of the faulty verdicts that are not accused."""
        return ratio(self.false_negative, self.true_positive + self.false_negative)


def ratio(part: float, of: float) -> float | None:
    """A ratio, or None where there is nothing to divide by."""
    return part / of if of else None


def f_beta(true_positive: float, false_positive: float, missed: float, beta: float) -> float:
    """F-score from counts; 0 where nothing is right."""
    weighted = (1 + beta**2) * true_positive
    return weighted / (weighted + beta**2 * missed + false_positive) if weighted else 0.0


def count(verdicts: Iterable[Verdicts]) -> ConfusionCounts:
    """Any accusation against any label. Verdicts that settle count neither way."""
    total = ConfusionCounts()
    for one in verdicts:
        total += _counted(one.violating, one.on, ~one.settling)
    return total


def count_kinds(verdicts: Iterable[Verdicts]) -> dict[EventKind, ConfusionCounts]:
    """The same for each kind that a fault is labelled with.

    An accusation of another kind is wrong; while a fault of unknown kind is on, nothing counts.
    """
    total: dict[EventKind, ConfusionCounts] = {}
    verdicts = list(verdicts)
    labelled = {fault.violation for one in verdicts for fault in one.faults}
    for one in verdicts:
        for kind, accused in one.accused.items():
            if kind not in labelled:
                continue
            on = np.zeros(len(one.ends), dtype=np.bool_)
            unknown = np.zeros(len(one.ends), dtype=np.bool_)
            for fault in one.faults:
                if fault.violation == kind:
                    on |= one.during(fault)
                elif fault.violation is None:
                    unknown |= one.during(fault)
            counts = ~one.settling & (on | ~unknown)
            total[kind] = total.get(kind, ConfusionCounts()) + _counted(accused, on, counts)
    return total


def _counted(
    accused: NDArray[np.bool_], on: NDArray[np.bool_], counts: NDArray[np.bool_]
) -> ConfusionCounts:
    return ConfusionCounts(
        int((accused & on & counts).sum()),
        int((accused & ~on & counts).sum()),
        int((~accused & on & counts).sum()),
        int((~accused & ~on & counts).sum()),
    )

"""The fourth step: whether a model is good enough to be registered.

It is refused if it is worse than a rival: the model in service, or principal components fitted to
the same data. Where these are to stand in for detectors that were refused, those are their rivals.
All are measured on the same recordings.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import poisson

from gustbed_core.gate_report import PASSED
from gustbed_training.evaluation.evaluate import Evaluation
from gustbed_training.pipeline.measure import Measured

VUS_TOLERANCE = 0.01
RECALL_TOLERANCE = 0.01
FALSE_PER_DAY = 0.1
"""So many false events per turbine-day are always tolerated."""
DOUBT = 0.05
"""False events are too many if chance gives as many less often than this."""
SYNTHETIC_TOLERANCE = 0.05
"""Of the same shares on synthetic faults: a sanity check, not a measure of faults."""
REFUSED_TOLERANCE = 0.2
"""Of the same shares, below a rival that was itself refused: somebody should look at both."""


@dataclass(frozen=True)
class Gate:
    """The verdict. ``reasons`` are one line each, empty if it passed."""

    reasons: tuple[str, ...]
    against: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing speaks against registering the model."""
        return not self.reasons

    @property
    def words(self) -> str:
        """``passed``, or why not, in one line."""
        return "; ".join(self.reasons) or PASSED


@dataclass(frozen=True)
class Rival:
    """What a model must not be worse than."""

    name: str
    measured: Measured


def judge(candidate: Measured, baseline: Rival | None, service: Rival | None) -> Gate:
    """Compare with a baseline fitted to the same data, and with the model in service.

    Without either there is nothing to be worse than.
    """
    rivals = [rival for rival in (service, baseline) if rival is not None]
    reasons: list[str] = []
    if rivals:
        # Without a model in service the baseline tells how quiet one can be on such data.
        reasons += _too_many_false(candidate.plain, max(FALSE_PER_DAY, _false_per_day(rivals[0])))
    for rival in rivals:
        reasons += _worse(candidate, rival)
    return Gate(tuple(reasons), tuple(rival.name for rival in rivals))


def judge_stand_in(
    candidate: Measured, refused: Sequence[tuple[Rival, str]], service: Rival | None
) -> Gate:
    """Judge what stands in for detectors that were refused, each with the words for that.

    It may be no worse than the model in service, nor much worse than one that was refused, unless
    that one was too loud. It may be as loud as the model in service; without one, as the quietest
    that was refused, and as its thresholds aim at. It must find something.
    """
    if service is None:
        # As quiet as one can be on such data, and as quiet as was asked for.
        allowed = max(min(_false_per_day(rival) for rival, _ in refused), _aimed(candidate))
    else:
        allowed = _false_per_day(service)
    reasons = _too_many_false(candidate.plain, max(FALSE_PER_DAY, allowed)) + _blind(candidate)
    if service is not None:
        reasons += _worse(candidate, service)
    for rival, _ in refused:
        if not _too_many_false(rival.measured.plain):
            reasons += _worse(candidate, rival, REFUSED_TOLERANCE)
    against = [] if service is None else [service.name]
    against += [f"{rival.name} (refused: {words})" for rival, words in refused]
    return Gate(tuple(reasons), tuple(against))


def _false_per_day(rival: Rival) -> float:
    return rival.measured.plain.eventwise.false_per_day or 0.0


def _aimed(candidate: Measured) -> float:
    return candidate.plain.calibration.aimed_per_day or 0.0


def _blind(candidate: Measured) -> list[str]:
    events = candidate.telling.eventwise
    where = "" if candidate.synthetic is None else " with disturbances"
    if not events.outcomes or events.recall:
        return []
    return [f"none of {len(events.outcomes)} events{where} is found"]


def _too_many_false(found: Evaluation, allowed: float = FALSE_PER_DAY) -> list[str]:
    events = found.eventwise
    expected = allowed * events.calm_hours / 24
    if not events.false_events or poisson.sf(events.false_events - 1, expected) >= DOUBT:
        return []
    return [
        f"{events.false_events} false events in {events.calm_hours:.1f} turbine-hours are more "
        f"than the {allowed:.2f} a day allowed"
    ]


def _worse(candidate: Measured, rival: Rival, least: float = 0.0) -> list[str]:
    """Figures below the rival's by more than their tolerances, which are ``least`` or more."""
    ours, theirs, name = candidate.telling, rival.measured.telling, rival.name
    real = candidate.synthetic is None
    where = "" if real else " with disturbances"
    reasons = []
    tolerance = max(least, VUS_TOLERANCE if real else SYNTHETIC_TOLERANCE)
    if (ours.vus_pr or 0.0) < (theirs.vus_pr or 0.0) - tolerance:
        reasons.append(
            f"VUS-PR{where} {ours.vus_pr or 0.0:.3f} is below {name}'s {theirs.vus_pr:.3f}"
        )
    recall, other = ours.eventwise.recall or 0.0, theirs.eventwise.recall or 0.0
    tolerance = max(least, RECALL_TOLERANCE if real else SYNTHETIC_TOLERANCE)
    # Who cries wolf finds every fault: its recall is no yardstick.
    if recall < other - tolerance and not _too_many_false(rival.measured.plain):
        reasons.append(f"event recall{where} {recall:.3f} is below {name}'s {other:.3f}")
    return reasons

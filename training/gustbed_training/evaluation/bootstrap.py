"""How far figures hang on which recordings happen to be judged: a bootstrap over recordings.

A recording is one turbine in one run. Recordings with faults and those without are drawn with
replacement apart from each other, as many as there are of each, since how many there are is a
plan's choice and not chance's (stratified bootstrap: Davison and Hinkley, "Bootstrap Methods and
their Application", 1997, section 3.2). Faults of one recording stay together. Draws are the same
for all detectors that are judged on the same recordings.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gustbed_training.evaluation.care import care_of_choices
from gustbed_training.evaluation.eventwise import RecordingCounts
from gustbed_training.evaluation.verdicts import Verdicts
from gustbed_training.evaluation.vus import Track, vus_pr_of_choices

RESAMPLES = 400
_SEED = 1979
_FEWEST = 2
"""Recordings of a sort: one alone is always drawn."""


@dataclass(frozen=True)
class Resampled:
    """A figure for each draw; empty where the recordings do not tell it.

    ``recordings`` counts those with faults and those without.
    """

    recordings: tuple[int, int]
    vus_pr: tuple[float, ...]
    care: tuple[float, ...]
    event_recall: tuple[float, ...]
    false_per_day: tuple[float, ...]

    def of(self, figure: str) -> tuple[float, ...]:
        """A figure by the name that comparisons give it; empty if it is none of these."""
        found: tuple[float, ...] = getattr(self, figure, ()) if figure in RESAMPLED else ()
        return found


RESAMPLED = ("vus_pr", "care", "event_recall", "false_per_day")


def resampled(
    found: Sequence[Verdicts],
    tracks: Sequence[Track],
    counts: Sequence[RecordingCounts],
    buffer: int,
    criticality: int,
) -> Resampled | None:
    """Of recordings in order; None for fewer than two with faults or, if there are any, two
    without.
    """
    faulty = np.array([one.faults > 0 for one in counts], dtype=np.bool_)
    with_, without = int(faulty.sum()), int((~faulty).sum())
    if with_ < _FEWEST or without == 1:
        return None
    times = draws(faulty)
    vus = vus_pr_of_choices(tracks, buffer, times)
    table = np.array(
        [[one.faults, one.detected, one.calm_hours, one.false_events] for one in counts]
    )
    faults, detected, hours, events = (times @ table).T
    return Resampled(
        (with_, without),
        () if vus is None else _known(vus),
        _known(care_of_choices(found, criticality, times)),
        _known(detected / faults),
        _known(24 * events / hours) if hours.all() else (),
    )


def draws(faulty: NDArray[np.bool_], count: int = RESAMPLES) -> NDArray[np.float64]:
    """How often each recording is drawn (draws, recordings)."""
    rng = np.random.default_rng(_SEED)
    times = np.zeros((count, len(faulty)))
    for sort in (np.flatnonzero(faulty), np.flatnonzero(~faulty)):
        if len(sort):
            times[:, sort] = rng.multinomial(len(sort), np.full(len(sort), 1 / len(sort)), count)
    return times


def _known(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(values.tolist()) if np.isfinite(values).all() else ()

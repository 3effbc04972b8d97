"""The CARE score: coverage, accuracy, reliability and earliness of early fault detection.

Gück, Roelofs and Faulstich, "CARE to Compare", Data 9(12), 2024, https://doi.org/10.3390/data9120138,
as its authors compute it in energy-fault-detector. Theirs are weeks of ten-minute steps before a
failure; a testbed compresses time. So a fault here is what a pre-fault period is there, and the
72 steps for which an alarm must have outweighed silence to count become a number of verdicts: by
default those that open an event, which is likewise the shortest alarm that anyone acts on.

Each fault makes one dataset of as many verdicts as it lasts and up to as many calm ones before
it. All other calm stretches are cut into normal datasets of the median fault dataset's length, so
that the score does not hang on how recordings happen to be cut into files. Verdicts that settle
after a fault are in none.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gustbed_training.data.labels import runs
from gustbed_training.evaluation.pointwise import f_beta
from gustbed_training.evaluation.verdicts import Verdicts

_BETA = 0.5
_FULL_WEIGHT = 0.25
"""Share of a fault in which a detection is worth most; from there its worth falls to 0."""

_PARTS = 7
"""Numbers that a dataset adds to a score."""

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Dataset:
    """Verdicts in order; a fault is on from ``onset`` to the end (None: all are normal)."""

    violating: Flags
    onset: int | None = None


@dataclass(frozen=True, slots=True)
class Care:
    """The score, its parts, and the numbers of datasets that it rests on."""

    score: float
    coverage: float
    accuracy: float
    reliability: float
    earliness: float
    faults: int
    normal: int


def care(verdicts: Sequence[Verdicts], criticality: int) -> Care | None:
    """CARE of recordings; None unless there are both faults and normal stretches."""
    return score(list(cut(verdicts)), criticality)


def score(datasets: Sequence[Dataset], criticality: int) -> Care | None:
    """CARE of datasets. An alarm counts when its criticality reaches ``criticality`` verdicts."""
    return _care(sum((_sums(one, criticality) for one in datasets), np.zeros(_PARTS)))


def care_of_choices(
    verdicts: Sequence[Verdicts], criticality: int, times: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The score of each choice of recordings: ``times`` (choices, recordings) says how often each
    counts; NaN without both faults and normal stretches. Normal stretches are cut to the length
    that they have among all recordings.
    """
    sums = np.zeros((len(verdicts), _PARTS))
    for number, one in _cut(verdicts):
        sums[number] += _sums(one, criticality)
    found = (_care(row) for row in times @ sums)
    return np.array([np.nan if one is None else one.score for one in found])


def _sums(one: Dataset, criticality: int) -> NDArray[np.float64]:
    """What a dataset adds: of faults how many, coverage, earliness and those that alarm; of normal
    ones how many, accuracy and those that alarm.
    """
    alarms = criticality_of(one.violating) >= criticality
    if one.onset is None:
        return np.array([0, 0, 0, 0, 1, 1 - one.violating.mean(), alarms])
    return np.array([1, _coverage(one), _earliness(one), alarms, 0, 0, 0])


def _care(sums: NDArray[np.float64]) -> Care | None:
    faults, coverage, earliness, detected, normal, accuracy, alarmed = map(float, sums)
    if not faults or not normal:
        return None
    coverage, earliness, accuracy = coverage / faults, earliness / faults, accuracy / normal
    reliability = f_beta(detected, alarmed, faults - detected, _BETA)
    total = (coverage + earliness + 2 * accuracy + reliability) / 5
    if not detected + alarmed:
        total = 0.0
    elif accuracy <= 0.5:
        total = accuracy
    return Care(total, coverage, accuracy, reliability, earliness, round(faults), round(normal))


def cut(verdicts: Sequence[Verdicts]) -> Iterator[Dataset]:
    """Datasets of recordings. Faults that overlap are one."""
    return (one for _, one in _cut(verdicts))


def _cut(verdicts: Sequence[Verdicts]) -> Iterator[tuple[int, Dataset]]:
    """The same, each with the place of its recording; those with faults come first."""
    faults: list[tuple[int, Dataset]] = []
    stretches: list[tuple[int, Flags]] = []
    for number, one in enumerate(verdicts):
        left, violating = one.calm, one.violating
        for start, stop in runs(one.on).tolist():
            before = _calm_before(left, start, most=stop - start)
            left[start - before : start] = False
            faults.append((number, Dataset(violating[start - before : stop], before)))
        stretches += [(number, violating[a:b]) for a, b in runs(left).tolist()]
    yield from faults
    lengths = [len(fault.violating) for _, fault in faults]
    length = float(np.median(lengths)) if lengths else np.inf
    for number, stretch in stretches:
        for piece in np.array_split(stretch, max(int(len(stretch) / length), 1)):
            yield number, Dataset(piece)


def criticality_of(violating: Flags) -> int:
    """The most by which violations have outnumbered normal verdicts, never counting below 0."""
    level = np.concatenate(([0], np.cumsum(np.where(violating, 1, -1))))
    return int((level - np.minimum.accumulate(level)).max())


def _calm_before(calm: Flags, start: int, most: int) -> int:
    not_calm = np.flatnonzero(~calm[max(start - most, 0) : start][::-1])
    return int(not_calm[0]) if len(not_calm) else min(most, start)


def _coverage(one: Dataset) -> float:
    before, on = one.violating[: one.onset], one.violating[one.onset :]
    return f_beta(int(on.sum()), int(before.sum()), int((~on).sum()), _BETA)


def _earliness(one: Dataset) -> float:
    on = one.violating[one.onset :]
    count = len(on)
    # The authors' weights, taken at every fourth of four times as many places.
    place = np.arange(count) * 4 / (4 * count - 1)
    weight = np.where(
        np.arange(count) < count * _FULL_WEIGHT, 1.0, (1 - place) / (1 - _FULL_WEIGHT)
    )
    return float((on * weight).sum() / weight.sum())

"""Volume under the precision-recall surface of a score, for ranges rather than points.

Paparrizos et al., "Volume Under the Surface: A New Accuracy Evaluation Measure for Time-Series
Anomaly Detection", PVLDB 15(11), 2022: labels grow buffers of decreasing weight on both sides, of
every length from 0 to a longest one, and the area under the range-aware precision-recall curve is
averaged over the lengths. No threshold is needed, and a detector is forgiven for being a little
early or late. This is the definition that the authors compute (TSB-AD's ``RangeAUC_volume``),
whose packages want TensorFlow or NumPy 1; buffers here never reach into another recording.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gustbed_training.data.labels import runs

_ALL = 1000
"""So many scores are all used as thresholds."""
_RANKS = 250
"""Of more, so many ranks among all scores, and as many among those of the labelled ones."""

Counts = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Track:
    """One recording: score and label of each verdict, and which verdicts count."""

    score: NDArray[np.floating]
    label: NDArray[np.bool_]
    counts: NDArray[np.bool_]


@dataclass(frozen=True)
class _Line:
    """Recordings end to end, further apart than any buffer reaches.

    ``rank`` is the first threshold that a point passes (``levels`` if none); ``start`` and
    ``stop`` are the labelled ranges; ``predicted`` counts the points that pass each threshold.
    """

    rank: Indices
    label: NDArray[np.bool_]
    start: Indices
    stop: Indices
    levels: int
    predicted: Counts


def vus_pr(tracks: Sequence[Track], buffer: int) -> float | None:
    """VUS-PR for buffers of up to ``buffer`` verdicts; None without both labels.

    The whole buffer is ``buffer`` long: half of it on each side of a labelled range.
    """
    kept = [track for track in tracks if track.counts.any()]
    labels = np.concatenate([track.label[track.counts] for track in kept] or [np.empty(0, bool)])
    if not labels.any() or labels.all():
        return None
    line = _line(kept, buffer)
    inside = _passed(line, line.rank[line.label])
    exists = [_existence(line, half) for half in range(buffer // 2 + 1)]
    beside = _Beside(line, buffer // 2)
    total = 0.0
    for length in range(buffer + 1):
        around = beside.weight(length)
        found = inside + around
        # As the authors have it: half of the buffer's weight that is predicted joins the positives.
        recall = np.minimum(found / (inside[-1] + around / 2), 1.0) * exists[length // 2]
        gained = np.diff(recall, prepend=0.0)
        total += float((gained * found / line.predicted).sum())
    return total / (buffer + 1)


def _line(tracks: Sequence[Track], buffer: int) -> _Line:
    thresholds = _thresholds(tracks)
    gap = buffer + 1
    ranks, labels = [np.full(gap, len(thresholds))], [np.zeros(gap, dtype=np.bool_)]
    for track in tracks:
        rank = np.searchsorted(-thresholds, -track.score, side="left")
        ranks += [np.where(track.counts, rank, len(thresholds)), ranks[0]]
        labels += [track.label & track.counts, labels[0]]
    rank, label = np.concatenate(ranks), np.concatenate(labels)
    ranges = runs(label)
    counted = np.bincount(rank, minlength=len(thresholds) + 1)[:-1]
    return _Line(
        rank, label, ranges[:, 0], ranges[:, 1], len(thresholds), np.cumsum(counted).astype(float)
    )


def _thresholds(tracks: Sequence[Track]) -> NDArray[np.floating]:
    """From high to low, each passed by one point at least and the last by all."""
    score = np.concatenate([track.score[track.counts] for track in tracks])
    if len(score) > _ALL:
        label = np.concatenate([track.label[track.counts] for track in tracks])
        # Ranks among all points would be too coarse where few are labelled.
        score = np.concatenate([_spread(score), _spread(score[label])])
    return np.unique(score)[::-1]


def _spread(score: NDArray[np.floating]) -> NDArray[np.floating]:
    ranks = np.linspace(0, len(score) - 1, _RANKS).astype(np.int64)
    chosen: NDArray[np.floating] = np.sort(score)[ranks]
    return chosen


def _passed(line: _Line, ranks: Indices) -> Counts:
    """How many of these points pass each threshold."""
    return np.cumsum(np.bincount(ranks, minlength=line.levels + 1)[:-1]).astype(float)


class _Beside:
    """Points beside labelled ranges, by their distance to the nearest and second nearest range."""

    def __init__(self, line: _Line, reach: int) -> None:
        self._line = line
        point = np.flatnonzero(~line.label & (line.rank < line.levels))
        nearest, second = _distances(line, point)
        near = nearest <= reach
        point, nearest, second = point[near], nearest[near], second[near]
        self._by_distance = np.zeros((reach + 1, line.levels))
        np.add.at(self._by_distance, (nearest, line.rank[point]), 1.0)
        twice = second <= reach
        self._nearest, self._second = nearest[twice], second[twice]
        self._rank = line.rank[point[twice]]

    def weight(self, length: int) -> Counts:
        """Weight of the points of buffers of this length that pass each threshold."""
        half = length // 2
        if not half:
            return np.zeros(self._line.levels)
        distance = np.arange(1, half + 1)
        weights = np.sqrt(1 - distance / length)
        gained = weights @ self._by_distance[1 : half + 1]
        # Two buffers' weights add up to 1 or more, and 1 is the most that a point can have.
        full = self._second <= half
        lacking = 1 - np.sqrt(1 - self._nearest[full] / length)
        gained += np.bincount(self._rank[full], lacking, minlength=self._line.levels)
        return np.cumsum(gained)


def _distances(line: _Line, point: Indices) -> tuple[Indices, Indices]:
    """Verdicts from each point to the two labelled ranges that are nearest."""
    far = np.full(2, 4 * len(line.rank))
    ends = np.concatenate((-far, line.stop - 1))
    starts = np.concatenate((line.start, far))
    before = np.searchsorted(line.stop, point, side="right") + 1
    after = np.searchsorted(line.start, point)
    distance = np.stack(
        (
            point - ends[before],
            point - ends[before - 1],
            starts[after] - point,
            starts[after + 1] - point,
        )
    )
    distance.sort(axis=0)
    return distance[0], distance[1]


def _existence(line: _Line, half: int) -> Counts:
    """Share of the ranges, grown by ``half`` and joined where they meet, that are hit."""
    first = np.minimum.reduceat(
        np.append(line.rank, line.levels), np.stack((line.start - half, line.stop + half)).T.ravel()
    )[::2]
    apart = line.stop[:-1] - 1 + half < line.start[1:] - half
    group = np.concatenate(([0], np.flatnonzero(apart) + 1))
    hit = np.minimum.reduceat(first, group)
    return _passed(line, hit) / len(hit)

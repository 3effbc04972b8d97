"""Volume under the precision-recall surface of a score, for ranges rather than points.

Paparrizos et al., "Volume Under the Surface: A New Accuracy Evaluation Measure for Time-Series
Anomaly Detection", PVLDB 15(11), 2022: labels grow buffers of decreasing weight on both sides, of
every length from 0 to a longest one, and the area under the range-aware precision-recall curve is
averaged over the lengths. No threshold is needed, and a detector is forgiven for being a little
early or late. This is the definition that the authors compute (TSB-AD's ``RangeAUC_volume``),
whose packages want TensorFlow or NumPy 1; buffers here never reach into another recording.

So everything is a sum over recordings, and other choices of recordings are other sums of the same.
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

_NOBODY = 1e-9
"""Instead of nothing, to divide by: a choice may have no point that passes a threshold."""

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

    ``rank`` is the first threshold that a point passes (``levels`` if none), ``owner`` the place
    of its recording among ``recordings``; ``start`` and ``stop`` are the labelled ranges.
    """

    rank: Indices
    owner: Indices
    label: NDArray[np.bool_]
    start: Indices
    stop: Indices
    levels: int
    recordings: int

    def counted(self, points: Indices, weights: Counts | None = None) -> Counts:
        """Points by recording and threshold (recordings, levels)."""
        return self.tallied(self.owner[points], self.rank[points], weights)

    def tallied(self, owner: Indices, rank: Indices, weights: Counts | None = None) -> Counts:
        """The same of owners and ranks."""
        place = owner * (self.levels + 1) + rank
        size = self.recordings * (self.levels + 1)
        counts = np.bincount(place, weights, size).reshape(self.recordings, -1)
        return counts[:, :-1].astype(np.float64)


def vus_pr(tracks: Sequence[Track], buffer: int) -> float | None:
    """VUS-PR for buffers of up to ``buffer`` verdicts; None without both labels.

    The whole buffer is ``buffer`` long: half of it on each side of a labelled range.
    """
    found = vus_pr_of_choices(tracks, buffer, np.ones((1, len(tracks))))
    return None if found is None else float(found[0])


def vus_pr_of_choices(
    tracks: Sequence[Track], buffer: int, times: Counts
) -> NDArray[np.float64] | None:
    """VUS-PR of each choice of recordings: ``times`` (choices, tracks) says how often each counts.

    Thresholds are those of all recordings together. None without both labels in all of them; a
    choice without a labelled range is worth nothing.
    """
    kept = [number for number, track in enumerate(tracks) if track.counts.any()]
    chosen = [tracks[number] for number in kept]
    labels = np.concatenate([track.label[track.counts] for track in chosen] or [np.empty(0, bool)])
    if not labels.any() or labels.all():
        return None
    line, times = _line(chosen, buffer), times[:, kept]
    everything = np.arange(len(line.rank))
    predicted = np.maximum(_passed(times, line.counted(everything)), _NOBODY)
    inside = _passed(times, line.counted(np.flatnonzero(line.label)))
    exists = [_existence(line, half, times) for half in range(buffer // 2 + 1)]
    beside = _Beside(line, buffer // 2, times)
    total = np.zeros(len(times))
    for length in range(buffer + 1):
        around = beside.weight(length)
        found = inside + around
        # As the authors have it: half of the buffer's weight that is predicted joins the positives.
        most = np.maximum(inside[:, -1:] + around / 2, _NOBODY)
        recall = np.minimum(found / most, 1.0) * exists[length // 2]
        gained = np.diff(recall, axis=1, prepend=0.0)
        total += (gained * found / predicted).sum(axis=1)
    return total / (buffer + 1)


def _line(tracks: Sequence[Track], buffer: int) -> _Line:
    thresholds = _thresholds(tracks)
    levels, gap = len(thresholds), buffer + 1
    ranks, labels = [np.full(gap, levels)], [np.zeros(gap, dtype=np.bool_)]
    owners = [np.zeros(gap, dtype=np.int64)]
    for number, track in enumerate(tracks):
        rank = np.searchsorted(-thresholds, -track.score, side="left")
        ranks += [np.where(track.counts, rank, levels), ranks[0]]
        labels += [track.label & track.counts, labels[0]]
        owners.append(np.full(len(rank) + gap, number))
    label = np.concatenate(labels)
    ranges = runs(label)
    return _Line(
        np.concatenate(ranks), np.concatenate(owners), label, ranges[:, 0], ranges[:, 1], levels,
        len(tracks),
    )  # fmt: skip


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


def _passed(times: Counts, counted: Counts) -> Counts:
    """How many points of each choice pass each threshold (choices, levels)."""
    return np.asarray(np.cumsum(times @ counted, axis=1))


class _Beside:
    """Points beside labelled ranges, by their distance to the nearest and second nearest range,
    as often as each choice has them.
    """

    def __init__(self, line: _Line, reach: int, times: Counts) -> None:
        self._line, self._times = line, times
        point = np.flatnonzero(~line.label & (line.rank < line.levels))
        nearest, second = _distances(line, point)
        near = nearest <= reach
        point, nearest, second = point[near], nearest[near], second[near]
        self._by_distance = [
            times @ line.counted(point[nearest == distance]) for distance in range(1, reach + 1)
        ]
        twice = second <= reach
        self._nearest, self._second, self._point = nearest[twice], second[twice], point[twice]

    def weight(self, length: int) -> Counts:
        """Weight of the points of buffers of this length that pass each threshold
        (choices, levels).
        """
        half = length // 2
        gained = np.zeros((len(self._times), self._line.levels))
        if not half:
            return gained
        for distance in range(1, half + 1):
            gained += np.sqrt(1 - distance / length) * self._by_distance[distance - 1]
        # Two buffers' weights add up to 1 or more, and 1 is the most that a point can have.
        full = self._second <= half
        if full.any():
            lacking = 1 - np.sqrt(1 - self._nearest[full] / length)
            gained += self._times @ self._line.counted(self._point[full], lacking)
        return np.asarray(np.cumsum(gained, axis=1))


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


def _existence(line: _Line, half: int, times: Counts) -> Counts:
    """Share of the ranges, grown by ``half`` and joined where they meet, that are hit
    (choices, levels).
    """
    first = np.minimum.reduceat(
        np.append(line.rank, line.levels), np.stack((line.start - half, line.stop + half)).T.ravel()
    )[::2]
    apart = line.stop[:-1] - 1 + half < line.start[1:] - half
    group = np.concatenate(([0], np.flatnonzero(apart) + 1))
    hit, owner = np.minimum.reduceat(first, group), line.owner[line.start[group]]
    count = times @ np.bincount(owner, minlength=line.recordings)
    hits = _passed(times, line.tallied(owner, hit))
    return np.asarray(hits / np.maximum(count, _NOBODY)[:, None])

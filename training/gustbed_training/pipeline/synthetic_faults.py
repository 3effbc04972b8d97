"""Synthetic faults put into unlabelled recordings, so that detectors can be compared.

They are no faults of any turbine: they only show whether a detector sees that a signal has moved,
wandered off or become noisy by some of its own standard deviations.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gustbed_core.signals import Schema
from gustbed_training.data.partition import Label, Part
from gustbed_training.data.statistics import RunningStatistics

OFFSET, DRIFT, NOISE = "offset", "drift", "noise"
_SHAPES = (OFFSET, DRIFT, NOISE)
_SIZE = 4.0
"""Standard deviations; a drift ends at, and noise has, that much."""
_FEWEST, _MOST = 24, 240
"""Synthetic faults in all, however long the recordings are."""
_SEED = 20


def with_synthetic_faults(
    parts: Sequence[Part], normal: Sequence[Part], schema: Schema
) -> Iterator[Part]:
    """Copies of parts with labelled synthetic faults; sizes follow from ``normal``'s signals."""
    spread = _spread(normal)
    movable = np.flatnonzero(spread > 0).tolist()
    room = [_places(part, schema) for part in parts]
    places = sum(map(len, room))
    if not movable or not places:
        return
    rng = np.random.default_rng(_SEED)
    done = 0
    for _ in range(-(-_FEWEST // places)):
        for part, starts in zip(parts, room, strict=True):
            some = starts[: max(0, _MOST - done)]
            if some:
                turns = range(done, done + len(some))
                yield _copy(part, some, turns, spread, movable, schema, rng)
                done += len(some)


def _places(part: Part, schema: Schema) -> list[int]:
    """Where synthetic faults begin: each is as long as what comes before it."""
    length = _length(schema)
    return list(range(part.start + length, part.stop - length + 1, 2 * length + _settle(schema)))


def _length(schema: Schema) -> int:
    """Samples in which a window is filled and an event opened, twice over."""
    decision = schema.decision
    return 2 * (schema.window + schema.step * (decision.open_after + decision.smooth))


def _settle(schema: Schema) -> int:
    traces = schema.window + schema.step * (schema.decision.close_after + schema.decision.smooth)
    return traces + round(schema.settle_s * schema.sample_rate_hz)


def _copy(
    part: Part,
    starts: Sequence[int],
    turns: Sequence[int],
    spread: NDArray[np.float64],
    movable: Sequence[int],
    schema: Schema,
    rng: np.random.Generator,
) -> Part:
    values = np.array(part.recording.values, dtype=np.float32)
    labels = []
    length = _length(schema)
    for start, turn in zip(starts, turns, strict=True):
        row = movable[turn % len(movable)]
        shape = _SHAPES[turn // len(movable) % len(_SHAPES)]
        values[row, start : start + length] += _change(shape, length, spread[row], rng)
        name = schema.channel_names[row]
        labels.append(Label(shape, start, start + length, 1.0, None, (name,)))
    recording = replace(part.recording, values=values, labels=tuple(labels), labelled=True)
    return replace(part, recording=recording)


def _change(shape: str, length: int, sigma: float, rng: np.random.Generator) -> NDArray[np.float32]:
    size = _SIZE * sigma
    if shape == OFFSET:
        change = np.full(length, size)
    elif shape == DRIFT:
        change = np.linspace(0, size, length)
    else:
        change = rng.normal(0, size, length)
    return change.astype(np.float32)


def _spread(parts: Sequence[Part]) -> NDArray[np.float64]:
    """Standard deviation of each channel over all parts."""
    found = RunningStatistics()
    for part in parts:
        found.add(part.recording.values[:, part.start : part.stop])
    # What rounding leaves of a constant's variance is no spread.
    constant = found.std < 1e-6 * np.maximum(np.abs(found.mean), 1e-6)
    return np.where(constant, 0.0, found.std)

"""Cutting recordings into windows of engineered features, and splitting them by time."""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from gustbed_protocol.errors import GustbedError
from gustbed_protocol.features import engineer
from gustbed_training.recordings import Recording

WINDOW = 100
STEP = 10


@dataclass(frozen=True, slots=True)
class Stretch:
    """Samples ``start`` to ``stop`` (exclusive) of a recording."""

    start: int
    stop: int


@dataclass(frozen=True)
class Fractions:
    """How the time of a recording is shared out. What is left over is for testing."""

    train: float = 0.6
    calibrate: float = 0.2


@dataclass(frozen=True, slots=True)
class Split:
    """Stretches of one recording, in order of time, a window's length apart."""

    train: Stretch
    calibrate: Stretch
    test: Stretch


def shortest_recording(window: int = WINDOW) -> int:
    """Samples that a recording needs so that each part of its split holds a window."""
    return window * 12


def split_by_time(samples: int, fractions: Fractions, window: int = WINDOW) -> Split:
    """Split one recording so that no window, nor its neighbour, lies in two parts."""
    usable = samples - 2 * window
    train = int(usable * fractions.train)
    calibrate = int(usable * fractions.calibrate)
    if min(train, calibrate, usable - train - calibrate) < window:
        raise GustbedError(
            f"{samples} samples cannot be split into three parts of {window} samples",
            f"record at least {shortest_recording(window)} samples",
        )
    first = Stretch(0, train)
    second = Stretch(first.stop + window, first.stop + window + calibrate)
    return Split(first, second, Stretch(second.stop + window, samples))


def features_of(
    recording: Recording, stretch: Stretch, step: int = STEP, window: int = WINDOW
) -> NDArray[np.float32]:
    """Engineered windows (n, features, window) that lie wholly within the stretch."""
    part = recording.values[:, stretch.start : stretch.stop]
    if part.shape[1] < window:
        return engineer(np.empty((0, part.shape[0], window), dtype=np.float32))
    view = sliding_window_view(part, window, axis=1)[:, ::step]
    return engineer(view.transpose(1, 0, 2))


def whole(recording: Recording) -> Stretch:
    """All of a recording."""
    return Stretch(0, recording.samples)


def window_ends(stretch: Stretch, step: int = STEP, window: int = WINDOW) -> NDArray[np.int64]:
    """Index of the last sample of each of the windows of ``features_of``."""
    return np.arange(stretch.start + window - 1, stretch.stop, step, dtype=np.int64)

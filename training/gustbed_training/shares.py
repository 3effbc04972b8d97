"""Who may see what: recordings shared out between training, thresholds and evaluation."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gustbed_protocol.errors import GustbedError
from gustbed_training.datasets import check_complete, role_of
from gustbed_training.recordings import (
    SAMPLE_RATE_HZ,
    Recording,
    as_printed,
    read_recording,
    recording_files,
)
from gustbed_training.windows import (
    WINDOW,
    Fractions,
    Stretch,
    features_of,
    shortest_recording,
    split_by_time,
    whole,
)


@dataclass(frozen=True)
class Part:
    """A stretch of a recording."""

    recording: Recording
    stretch: Stretch

    def windows(self) -> NDArray[np.float32]:
        """Engineered windows (n, features, time)."""
        return features_of(self.recording, self.stretch)

    def cut_out(self) -> Recording:
        """The stretch as a recording of its own."""
        return crop(self.recording, self.stretch)


@dataclass
class Shares:
    """What each step may see. ``test`` and ``fault`` are for evaluation only."""

    train: list[Part] = field(default_factory=list)
    calibrate: list[Part] = field(default_factory=list)
    test: list[Part] = field(default_factory=list)
    fault: list[Part] = field(default_factory=list)


def load(folder: Path, hours: float | None = None) -> Shares:
    """Read a dataset and share it out by role and time; ``hours`` bounds each recording."""
    check_complete(folder)
    shares = Shares()
    for number, file in enumerate(recording_files(folder)):
        role = role_of(file, folder)
        for whole_recording in read_recording(file, shortest_recording()):
            recording = whole_recording if hours is None else _first(whole_recording, hours)
            if number % 2:
                # Edges also serve turbines that send text: half of the data is as coarse as theirs.
                recording = as_printed(recording)
            if role == "train" and not recording.faulty:
                split = split_by_time(recording.samples, Fractions())
                shares.train.append(Part(recording, split.train))
                shares.calibrate.append(Part(recording, split.calibrate))
                shares.test.append(Part(recording, split.test))
            else:
                # A labelled recording of one's own must not teach the model either.
                kept = shares.fault if role == "train" else getattr(shares, role)
                kept.append(Part(recording, whole(recording)))
    if not shares.train:
        raise GustbedError(f"{folder}: no recording without faults", "give normal data to train on")
    return shares


def for_evaluation(source: Path) -> Iterator[Recording]:
    """What a dataset keeps for evaluation; of a folder or file of one's own, everything."""
    check_complete(source)
    files = recording_files(source)
    roles = [role_of(file, source) for file in files]
    kept = {"test", "fault"} if {"test", "fault"} & set(roles) else {"train"}
    for file, role in zip(files, roles, strict=True):
        if role in kept:
            yield from read_recording(file, WINDOW)


def crop(recording: Recording, stretch: Stretch) -> Recording:
    """A stretch of a recording as a recording."""
    kept = slice(stretch.start, stretch.stop)
    severity = {kind: column[kept] for kind, column in recording.severity.items()}
    return replace(recording, values=recording.values[:, kept], severity=severity)


def windows_of(parts: Sequence[Part]) -> NDArray[np.float32]:
    """Windows of all parts, one after the other."""
    return np.concatenate([part.windows() for part in parts])


def hours_of(parts: Sequence[Part]) -> float:
    """Turbine-hours."""
    samples = sum(part.stretch.stop - part.stretch.start for part in parts)
    return samples / SAMPLE_RATE_HZ / 3600


def _first(recording: Recording, hours: float) -> Recording:
    samples = max(round(hours * 3600 * SAMPLE_RATE_HZ), shortest_recording())
    return crop(recording, Stretch(0, samples))

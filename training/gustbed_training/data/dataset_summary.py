"""Summary statistics of a dataset, for its report: read once, one file at a time."""

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gustbed_core.features import Engineer
from gustbed_core.signals import Schema
from gustbed_training.data.dataset import Dataset
from gustbed_training.data.partition import Label, Part, Recording
from gustbed_training.data.split import assignments
from gustbed_training.data.statistics import RunningStatistics

MAX_ROWS = 60_000
"""Feature samples that are kept for plots, over the whole dataset."""
FAULTY = "faulty"
"""Samples of tests within a labelled fault; the others of ``test`` are normal."""


@dataclass(frozen=True)
class RecordingRow:
    """One unbroken recording. ``gap`` is the time in s since the file's stretch before it."""

    file: str
    role: str
    turbine: str
    samples: int
    gap: float
    labels: int
    subsets: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True)
class Example:
    """Samples ``start`` to ``stop`` of a recording, around a label if there is one."""

    recording: Recording
    start: int
    stop: int
    label: Label | None


@dataclass
class DatasetSummary:
    """``channels`` by share, ``features`` by share as (samples, features), thinned evenly."""

    schema: Schema
    recordings: list[RecordingRow] = field(default_factory=list)
    channels: dict[str, RunningStatistics] = field(
        default_factory=lambda: defaultdict(RunningStatistics)
    )
    features: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    labels: list[tuple[str, Label]] = field(default_factory=list)
    labelled: bool = False
    example: Example | None = None


def summarize(dataset: Dataset) -> DatasetSummary:
    """Read everything. Raises ``GustbedError``."""
    summary = DatasetSummary(dataset.schema)
    engineer = Engineer(dataset.schema.features, dataset.schema.channel_names)
    budget = max(MAX_ROWS // max(len(dataset.sources), 1), 2 * dataset.schema.window)
    rows: dict[str, list[NDArray[np.float32]]] = defaultdict(list)
    before: tuple[str, float] = ("", 0.0)
    for source, recording, parts in assignments(dataset):
        file = source.path.name
        if source.path != dataset.folder:
            file = str(source.path.relative_to(dataset.folder))
        gap = recording.start - before[1] if before[0] == file else 0.0
        before = file, recording.start + recording.samples / dataset.schema.sample_rate_hz
        subsets = tuple((subset, part.start, part.stop) for subset, part in parts)
        summary.recordings.append(
            RecordingRow(
                file, source.role, recording.turbine, recording.samples, gap,
                len(recording.labels), subsets,
            )
        )  # fmt: skip
        summary.labels += [(file, label) for label in recording.labels]
        summary.labelled |= recording.labelled
        _choose_example(summary, recording)
        for subset, part in parts:
            summary.channels[subset].add(recording.values[:, part.start : part.stop])
            for name, found in _rows(subset, part, engineer, dataset.schema, budget):
                rows[name].append(found)
    summary.features = {name: np.concatenate(found) for name, found in rows.items()}
    return summary


def _choose_example(summary: DatasetSummary, recording: Recording) -> None:
    """The first label, with as much of what is around it; else the first recording's start."""
    has_label = summary.example is not None and summary.example.label is not None
    if has_label or (summary.example is not None and not recording.labels):
        return
    least = 4 * summary.schema.window
    if not recording.labels:
        stop = min(recording.samples, 20 * summary.schema.window)
        summary.example = Example(recording, 0, stop, None)
        return
    label = recording.labels[0]
    around = max((label.stop - label.start) // 2, least)
    start = max(label.start - around, 0)
    stop = min(label.stop + around, recording.samples)
    summary.example = Example(recording, start, stop, label)


def _rows(
    subset: str, part: Part, engineer: Engineer, schema: Schema, budget: int
) -> list[tuple[str, NDArray[np.float32]]]:
    """Feature samples of a part's windows that do not overlap, normal and faulty ones apart."""
    values = part.recording.values[:, part.start : part.stop]
    count = values.shape[1] // schema.window
    if not count:
        return []
    used = count * schema.window
    windows = values[:, :used].reshape(len(values), count, schema.window).transpose(1, 0, 2)
    flat = engineer(windows).transpose(0, 2, 1).reshape(used, -1)
    faulty = np.zeros(part.recording.samples, dtype=bool)
    for label in part.recording.labels:
        faulty[label.start : label.stop] = True
    on = faulty[part.start : part.start + used]
    step = max(used // budget, 1)
    chosen = flat[::step], on[::step]
    return [(subset, chosen[0][~chosen[1]]), (FAULTY, chosen[0][chosen[1]])]

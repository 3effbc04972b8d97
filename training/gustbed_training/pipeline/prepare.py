"""The first step: a dataset read, checked and partitioned, kept as plain arrays.

Windows overlap, so they are many times their recordings; what is kept are the recordings.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from gustbed_core.package import Distribution
from gustbed_core.signals import Schema
from gustbed_core.type_file import schema_from_json, schema_to_json
from gustbed_training.data.dataset import Dataset
from gustbed_training.data.leakage import check_no_leakage
from gustbed_training.data.partition import Label, Part, Partition, Recording
from gustbed_training.data.split import partition_dataset
from gustbed_training.data.statistics import reference_of
from gustbed_training.data.windows import hours_of
from gustbed_training.pipeline.cache import code_digest

_CONTENTS = "contents.json"
_SUBSETS = ("train", "calibrate", "test")


@dataclass(frozen=True)
class Prepared:
    """A dataset as training sees it. ``digest`` is the content hash of what it was made from."""

    schema: Schema
    partition: Partition
    reference: dict[str, Distribution]
    digest: str
    name: str


@dataclass(frozen=True)
class _Kept:
    """A recording without its values."""

    source: str
    turbine: str
    start: float
    labels: tuple[Label, ...]
    labelled: bool
    fit: int | None


@dataclass
class _Contents:
    schema: dict[str, Any]
    reference: dict[str, Distribution]
    digest: str
    name: str
    recordings: list[_Kept] = field(default_factory=list)
    parts: dict[str, list[tuple[int, int, int]]] = field(default_factory=dict)


def inputs(dataset: Dataset, hours: float | None) -> dict[str, Any]:
    """All that the step's output depends on."""
    return {
        "data": dataset.digest(),
        "name": dataset.folder.name,
        "schema": schema_to_json(dataset.schema),
        "split": msgspec.to_builtins(dataset.split),
        "roles": [source.role for source in dataset.sources],
        "rules": msgspec.to_builtins([source.rules for source in dataset.sources]),
        "hours": hours,
        "code": code_digest("data", "pipeline/prepare.py"),
    }


def prepare(dataset: Dataset, hours: float | None, digest: str, folder: Path) -> None:
    """Share a dataset out and write it to the step's folder. Raises ``GustbedError``."""
    schema = dataset.schema
    partition = partition_dataset(dataset, hours)
    check_no_leakage(partition, schema, dataset.split.test_turbines)
    reference = reference_of(partition.train, schema)
    contents = _Contents(schema_to_json(schema), reference, digest, dataset.folder.name)
    places: dict[int, int] = {}
    for subset in _SUBSETS:
        parts: Sequence[Part] = getattr(partition, subset)
        for part in parts:
            if id(part.recording) not in places:
                places[id(part.recording)] = len(contents.recordings)
                np.save(folder / _file(len(contents.recordings)), part.recording.values)
                contents.recordings.append(_kept(part.recording))
        contents.parts[subset] = [(places[id(p.recording)], p.start, p.stop) for p in parts]
    (folder / _CONTENTS).write_bytes(msgspec.json.encode(contents))


def load_prepared(folder: Path) -> Prepared:
    """Read the step's folder. Values are read from disk as they are needed."""
    contents = msgspec.json.decode((folder / _CONTENTS).read_bytes(), type=_Contents)
    recordings = [
        Recording(
            kept.source,
            kept.turbine,
            kept.start,
            np.load(folder / _file(number), mmap_mode="r"),
            kept.labels,
            kept.labelled,
            kept.fit,
        )
        for number, kept in enumerate(contents.recordings)
    ]
    partition = Partition(
        *(
            [Part(recordings[at], start, stop) for at, start, stop in contents.parts[subset]]
            for subset in _SUBSETS
        )
    )
    schema = schema_from_json(contents.schema)
    return Prepared(schema, partition, contents.reference, contents.digest, contents.name)


def hours_by_subset(prepared: Prepared) -> dict[str, float]:
    """Turbine-hours of each subset."""
    return {
        subset: hours_of(getattr(prepared.partition, subset), prepared.schema)
        for subset in _SUBSETS
    }


def _kept(recording: Recording) -> _Kept:
    return _Kept(
        recording.source,
        recording.turbine,
        recording.start,
        recording.labels,
        recording.labelled,
        recording.fit,
    )


def _file(number: int) -> str:
    return f"{number:05d}.npy"

"""The first step: a dataset read, checked and shared out, kept as plain arrays.

Windows overlap, so they are many times their recordings; what is kept are the recordings.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from gustbed_core.package import Distribution
from gustbed_training.data.dataset import Dataset
from gustbed_training.data.leakage import check_no_leakage
from gustbed_training.data.schema import Schema
from gustbed_training.data.schema_file import schema_from_json, schema_to_json
from gustbed_training.data.shares import Label, Part, Recording, Shares
from gustbed_training.data.split import share_out
from gustbed_training.data.statistics import reference_of
from gustbed_training.data.windows import hours_of
from gustbed_training.pipeline.cache import code_digest

_CONTENTS = "contents.json"
_SHARES = ("train", "calibrate", "test")


@dataclass(frozen=True)
class Prepared:
    """A dataset as training sees it. ``digest`` is the content hash of what it was made from."""

    schema: Schema
    shares: Shares
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
    shares = share_out(dataset, hours)
    check_no_leakage(shares, schema, dataset.split.test_turbines)
    reference = reference_of(shares.train, schema)
    contents = _Contents(schema_to_json(schema), reference, digest, dataset.folder.name)
    places: dict[int, int] = {}
    for share in _SHARES:
        parts: Sequence[Part] = getattr(shares, share)
        for part in parts:
            if id(part.recording) not in places:
                places[id(part.recording)] = len(contents.recordings)
                np.save(folder / _file(len(contents.recordings)), part.recording.values)
                contents.recordings.append(_kept(part.recording))
        contents.parts[share] = [(places[id(p.recording)], p.start, p.stop) for p in parts]
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
    shares = Shares(
        *(
            [Part(recordings[at], start, stop) for at, start, stop in contents.parts[share]]
            for share in _SHARES
        )
    )
    schema = schema_from_json(contents.schema)
    return Prepared(schema, shares, contents.reference, contents.digest, contents.name)


def hours_by_share(prepared: Prepared) -> dict[str, float]:
    """Turbine-hours of each share."""
    return {share: hours_of(getattr(prepared.shares, share), prepared.schema) for share in _SHARES}


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

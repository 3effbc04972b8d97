"""Dataset folders: recordings with a card, or runs named after what each is for.

A folder with ``dataset.json`` holds one Parquet or CSV file per recording. A folder of such
folders, named ``train-…``, ``calibrate-…``, ``test-…`` and ``fault-…``, is a dataset with roles.
Without any card it is recordings of one's own; Parquet files may name their type.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from gustbed_core.errors import GustbedError
from gustbed_core.signals import Schema
from gustbed_training.data.card import DEFAULT_TYPE, Card, SplitRule, card_fields, read_card
from gustbed_training.data.columns import parquet_metadata
from gustbed_training.data.labels import LabelRules
from gustbed_training.data.partition import Recording
from gustbed_training.data.recordings import read_recording, recording_files
from gustbed_training.data.types import type_names

Role = Literal["train", "calibrate", "test", "fault"]
ROLES: tuple[Role, ...] = ("train", "calibrate", "test", "fault")
DESCRIPTION = "profile.json"
"""Lies beside the runs of a dataset that was made from a profile, once it is whole."""


@dataclass(frozen=True)
class Source:
    """A recording's file, what it is for, and what its labels mean."""

    path: Path
    role: Role
    rules: LabelRules = field(default_factory=LabelRules)


@dataclass(frozen=True)
class Dataset:
    """Recordings of one turbine type. ``card`` is for people.

    ``must_vary``: a sensor that never changes in a recording is dead.
    """

    folder: Path
    schema: Schema
    sources: tuple[Source, ...]
    split: SplitRule = field(default_factory=SplitRule)
    card: dict[str, Any] = field(default_factory=dict)
    must_vary: bool = False

    @property
    def has_roles(self) -> bool:
        """Whether runs say what they are for."""
        return any(source.role != "train" for source in self.sources)

    def read(self, source: Source) -> list[Recording]:
        """A file's unbroken stretches of a window at least. Raises ``GustbedError``."""
        fit = self.split.fit_of(source.path.stem)
        return read_recording(source.path, self.schema, source.rules, fit, must_vary=self.must_vary)

    def recordings(self) -> Iterator[Recording]:
        """Every unbroken stretch, file by file."""
        for source in self.sources:
            yield from self.read(source)

    def digest(self) -> str:
        """Content hash of the recordings, hex."""
        seen = hashlib.sha256()
        for source in self.sources:
            name = source.path.name if source.path == self.folder else str(
                source.path.relative_to(self.folder)
            )  # fmt: skip
            seen.update(name.encode() + b"\0")
            with source.path.open("rb") as file:
                seen.update(hashlib.file_digest(file, "sha256").digest())
        return seen.hexdigest()


def open_dataset(folder: Path) -> Dataset:
    """Find the recordings of a folder, or a file, and the schema. Raises ``GustbedError``."""
    check_complete(folder)
    root = folder if folder.is_dir() else folder.parent
    files = recording_files(folder)
    cards = {parent: read_card(parent) for parent in {file.parent for file in files} | {root}}
    top = cards[root]
    sources = []
    types: dict[str, tuple[Path, Card]] = {}
    for file in files:
        card = (
            cards[file.parent] or top or Card(type=parquet_metadata(file).get("type", DEFAULT_TYPE))
        )
        types.setdefault(card.type, (file, card))
        sources.append(Source(file, role_of(file, folder), card.rules()))
    if len(types) > 1:
        (one, (at, _)), (other, (there, _)) = list(types.items())[:2]
        raise GustbedError(
            f"{folder}: {at.name} is of type {one}, {there.name} of {other}",
            "a dataset is of one turbine type: make a folder for each",
        )
    (file, card) = next(iter(types.values()))
    schema = card.turbine_schema(str(file.parent))
    split = SplitRule() if top is None else top.split
    # Where machines have states they may stand still; an import has looked at its own sensors.
    must_vary = schema.turbine_type in type_names() and not schema.aftermath
    return Dataset(folder, schema, tuple(sources), split, _fields(root), must_vary)


def role_of(file: Path, folder: Path) -> Role:
    """Role of a recording by the folder it lies in; recordings of one's own train the model."""
    inside = file.relative_to(folder).parts if file != folder else ()
    top = inside[0] if len(inside) > 1 else ""
    return next((role for role in ROLES if top.startswith(f"{role}-")), "train")


def check_complete(folder: Path) -> None:
    """Raise ``GustbedError`` if the folder holds a dataset that was not finished."""
    if not folder.is_dir() or (folder / DESCRIPTION).is_file():
        return
    if any(entry.name.startswith(f".{role}-") for entry in folder.iterdir() for role in ROLES):
        raise GustbedError(f"{folder}: the dataset is unfinished", "make it again")


def _fields(root: Path) -> dict[str, Any]:
    fields = card_fields(root)
    description = root / DESCRIPTION
    if not fields and description.is_file():
        loaded: dict[str, Any] = json.loads(description.read_text(encoding="utf-8"))
        return loaded
    return fields

"""Datasets from the twin: one Parquet file per turbine, labelled, far faster than real time."""

import csv
import hashlib
import json
import platform
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from gustbed_core.errors import GustbedError
from gustbed_twin.filters import Floats
from gustbed_twin.physics.model import FarmPlan, PhysicsModel
from gustbed_twin.scenarios.build import BuiltFarm
from gustbed_twin.scenarios.scenario import all_faults

SCHEMA = 1
CARD = "dataset.json"
LABEL = "fault_"
"""What the columns that hold the current severity, 0 to 1, of a kind of fault begin with."""
_CHUNK_S = 60
_CHUNK_VALUES = 2_000_000
_GROUP_VALUES = 4_000_000
_LIBRARIES = ("gustbed-twin", "numpy", "numba", "pyarrow")


@dataclass(frozen=True, slots=True)
class Dataset:
    """What is written: a farm with its scenario, for how many simulated hours.

    ``csv`` names a turbine of which a recording is to be written too.
    """

    physics: PhysicsModel
    plan: FarmPlan
    built: BuiltFarm
    hours: float
    csv: str | None = None

    @property
    def samples(self) -> int:
        """Rows per turbine."""
        return round(self.hours * 3600 * self.built.farm.rate_hz)

    @property
    def turbine_ids(self) -> tuple[str, ...]:
        """Names of this shard's turbines."""
        ids = self.plan.turbine_ids
        return tuple(ids[number] for number in self.plan.indices)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some seconds of the farm: values and labels are (turbines, columns, samples)."""

    first: int
    values: Floats
    labels: Floats


def write_dataset(dataset: Dataset, out: Path) -> dict[str, Any]:
    """Write ``<turbine>.parquet`` each, a CSV recording if asked, and the card last of all.

    Raises ``GustbedError`` for what cannot be made.
    """
    if dataset.samples < 1:
        raise GustbedError(f"--hours {dataset.hours}", "ask for one sample at least")
    ids, rate_hz = dataset.turbine_ids, dataset.built.farm.rate_hz
    if dataset.csv is not None and dataset.csv not in ids:
        raise GustbedError(f"--csv: no turbine {dataset.csv!r}", f"use {_span(ids)}")
    pa, parquet = arrow()
    schema = _schema(pa, dataset)
    files = [f"{name}.parquet" for name in ids]
    pending: list[Chunk] = []
    with ExitStack() as stack:
        writers = [stack.enter_context(parquet.ParquetWriter(out / f, schema)) for f in files]
        recording = _Recording(stack, dataset, out) if dataset.csv else None
        for chunk in _simulate(dataset):
            pending.append(chunk)
            if recording is not None:
                recording.write(chunk, rate_hz)
            if sum(each.values.size for each in pending) >= _GROUP_VALUES:
                _flush(pa, writers, schema, pending, rate_hz)
        _flush(pa, writers, schema, pending, rate_hz)
    card = _card(dataset, out, files + ([f"{dataset.csv}.csv"] if dataset.csv else []))
    (out / CARD).write_text(json.dumps(card, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    return card


def open_folder(out: Path, *, force: bool) -> None:
    """Make the folder. Raises ``GustbedError`` if it holds a dataset, unless told to replace it."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GustbedError(f"--out {out}: {error.strerror}", "name a folder to write to") from error
    card = out / CARD
    if card.exists():
        if not force:
            raise GustbedError(f"--out {out}: holds a dataset", "name another folder, or --force")
        card.unlink()


def arrow() -> tuple[Any, Any]:
    """PyArrow and its Parquet. Raises ``GustbedError`` if they are missing."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise GustbedError("Parquet needs pyarrow", "install gustbed-twin[generate]") from error
    return pa, parquet


def _simulate(dataset: Dataset) -> Iterator[Chunk]:
    farm, timeline = dataset.built.farm, dataset.built.timeline
    row = len(farm.indices) * (len(farm.turbine_type.channels) + len(farm.faults))
    most = max(1, min(_CHUNK_S * farm.rate_hz, _CHUNK_VALUES // row))
    while farm.sample < dataset.samples:
        first, values, labels = farm.sample, list[Floats](), list[Floats]()
        # Labels are read after each piece between changes, while its ramps are the present ones.
        for piece in timeline.pieces(min(most, dataset.samples - first)):
            values.append(piece)
            labels.append(farm.severities(farm.sample - piece.shape[2], piece.shape[2]))
        yield Chunk(first, np.concatenate(values, axis=2), np.concatenate(labels, axis=2))


class _Recording:
    """A CSV that `run` can replay: ``t`` and every channel."""

    def __init__(self, stack: ExitStack, dataset: Dataset, out: Path) -> None:
        path = out / f"{dataset.csv}.csv"
        stream = stack.enter_context(path.open("w", newline="", encoding="utf-8"))
        self._writer = csv.writer(stream, lineterminator="\n")
        self._position = dataset.turbine_ids.index(dataset.csv or "")
        self._writer.writerow(("t", *dataset.physics.turbine_type.channel_names))

    def write(self, chunk: Chunk, rate_hz: int) -> None:
        rows = chunk.values[self._position].T.tolist()
        for number, row in enumerate(rows, chunk.first):
            self._writer.writerow((f"{number / rate_hz:.3f}", *(f"{v:.15g}" for v in row)))


def _schema(pa: Any, dataset: Dataset) -> Any:
    def column(name: str, unit: str, description: str) -> Any:
        return pa.field(
            name, pa.float64(), False, metadata={"unit": unit, "description": description}
        )

    turbine_type = dataset.physics.turbine_type
    fields = [column("t", "s", "time since the dataset's start")]
    fields += [column(c.name, c.unit, c.description) for c in turbine_type.channels]
    fields += [
        column(f"{LABEL}{kind}", "1", f"severity: {fault.cause}")
        for kind, fault in dataset.physics.faults.items()
    ]
    about = {
        "schema": str(SCHEMA),
        "type": turbine_type.name,
        "sample_rate_hz": str(dataset.built.farm.rate_hz),
    }
    return pa.schema(fields, metadata=about)


def _flush(
    pa: Any, writers: Sequence[Any], schema: Any, pending: list[Chunk], rate_hz: int
) -> None:
    if not pending:
        return
    values = np.concatenate([chunk.values for chunk in pending], axis=2)
    labels = np.concatenate([chunk.labels for chunk in pending], axis=2)
    t = (pending[0].first + np.arange(values.shape[2])) / rate_hz
    for writer, of_turbine, its_labels in zip(writers, values, labels, strict=True):
        columns = [pa.array(column) for column in (t, *of_turbine, *its_labels)]
        writer.write_table(pa.Table.from_arrays(columns, schema=schema))
    pending.clear()


def _card(dataset: Dataset, out: Path, files: Sequence[str]) -> dict[str, Any]:
    farm, scenario, plan = dataset.built.farm, dataset.built.scenario, dataset.plan
    turbine_type, faults = farm.turbine_type, dataset.physics.faults
    return {
        "schema": SCHEMA,
        "type": turbine_type.name,
        "seed": plan.seed,
        "turbines": list(dataset.turbine_ids),
        "shard": f"{plan.shard[0]}/{plan.shard[1]}",
        "hours": dataset.hours,
        "sample_rate_hz": farm.rate_hz,
        "samples": dataset.samples,
        "wind": msgspec.to_builtins(farm.conditions),
        "wake": plan.wake,
        "variation": plan.variation,
        "faults": [msgspec.to_builtins(each) for each in all_faults(scenario, plan.turbine_ids)],
        "commands": [msgspec.to_builtins(each) for each in scenario.commands],
        "channels": [{"name": c.name, "unit": c.unit} for c in turbine_type.channels],
        "labels": [f"{LABEL}{kind}" for kind in faults],
        "signals": {kind: list(fault.signals(turbine_type)) for kind, fault in faults.items()},
        "files": {name: sha256(out / name) for name in files},
        "versions": {**_versions(), "python": platform.python_version()},
    }


def _versions() -> dict[str, str]:
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def sha256(path: Path) -> str:
    """A file's digest, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _span(ids: Sequence[str]) -> str:
    return ids[0] if len(ids) == 1 else f"{ids[0]} to {ids[-1]}"

"""Datasets from the twin: one Parquet file per turbine, labelled, far faster than real time."""

import csv
import hashlib
import json
import platform
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from gustbed_core.channels import CHANNEL_NAMES, CHANNELS
from gustbed_core.errors import GustbedError
from gustbed_core.settings import turbine_id
from gustbed_twin.farm import Farm
from gustbed_twin.faults import KINDS
from gustbed_twin.filters import Floats
from gustbed_twin.scenario import FaultPeriod
from gustbed_twin.wind import WindConfig

SCHEMA = 1
CARD = "dataset.json"
LABELS: tuple[str, ...] = tuple(f"fault_{kind.value}" for kind in KINDS)
"""Columns that hold the current severity, 0 to 1, of each kind of fault."""
_CHUNK_SAMPLES = 1200
_ROW_GROUP_VALUES = 4_000_000


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that a dataset follows from. ``hours`` is simulated time."""

    turbines: int
    hours: float
    seed: int
    wind: WindConfig
    faults: tuple[FaultPeriod, ...] = ()
    rate_hz: int = 20

    @property
    def samples(self) -> int:
        """Rows per turbine."""
        return round(self.hours * 3600 * self.rate_hz)

    @property
    def turbine_ids(self) -> tuple[str, ...]:
        """Names of the turbines, in order."""
        return tuple(turbine_id(index) for index in range(self.turbines))


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some seconds of the farm: values and labels are (turbines, columns, samples)."""

    first: int
    values: Floats
    labels: Floats


def simulate(recipe: Recipe) -> Iterator[Chunk]:
    """Run a recipe, chunk by chunk, with faults starting and ending at their very samples."""
    farm = Farm(recipe.seed, range(recipe.turbines), recipe.wind, recipe.rate_hz)
    timeline = _timeline(recipe)
    while farm.sample < recipe.samples:
        while timeline and timeline[0][0] <= farm.sample:
            _, position, period, severity = timeline.pop(0)
            farm.inject(position, period.kind, severity, period.ramp)
        until = min(recipe.samples, farm.sample + _CHUNK_SAMPLES)
        if timeline:
            until = min(until, timeline[0][0])
        first = farm.sample
        values = farm.advance(until - first)
        yield Chunk(first, values, farm.severities(first, until - first))


def write_dataset(recipe: Recipe, out: Path, csv_turbine: str | None = None) -> dict[str, Any]:
    """Write ``<turbine>.parquet`` each, a CSV recording if asked, and the card last of all."""
    check_recipe(recipe, csv_turbine)
    pa, parquet = arrow()
    schema = _schema(pa, recipe)
    pending: list[Chunk] = []
    ids = recipe.turbine_ids
    files = [f"{name}.parquet" for name in ids]
    with ExitStack() as stack:
        writers = [stack.enter_context(parquet.ParquetWriter(out / f, schema)) for f in files]
        recording = None
        if csv_turbine is not None:
            recording = _Recording(stack, out / f"{csv_turbine}.csv", ids.index(csv_turbine))
        for chunk in simulate(recipe):
            pending.append(chunk)
            if recording is not None:
                recording.write(chunk, recipe.rate_hz)
            if sum(each.values.size for each in pending) >= _ROW_GROUP_VALUES:
                _flush(pa, writers, schema, pending, recipe.rate_hz)
        _flush(pa, writers, schema, pending, recipe.rate_hz)
    card = _card(recipe, out, files + ([f"{csv_turbine}.csv"] if csv_turbine else []))
    (out / CARD).write_text(json.dumps(card, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    return card


def check_recipe(recipe: Recipe, csv_turbine: str | None) -> None:
    """Raise ``GustbedError`` for what cannot be made."""
    if recipe.samples < 1:
        raise GustbedError(f"--hours {recipe.hours}", "ask for one sample at least")
    named = [(period.turbine, "fault") for period in recipe.faults]
    for name, what in [*named, *([(csv_turbine, "--csv")] if csv_turbine else [])]:
        if name not in recipe.turbine_ids:
            raise GustbedError(f"{what}: no turbine {name!r}", f"use {_span(recipe.turbine_ids)}")


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


def _timeline(recipe: Recipe) -> list[tuple[int, int, FaultPeriod, float]]:
    changes = []
    for period in recipe.faults:
        position = recipe.turbine_ids.index(period.turbine)
        begin = round(period.start * recipe.rate_hz)
        changes.append((begin, position, period, period.severity))
        if np.isfinite(period.duration):
            end = round((period.start + period.duration) * recipe.rate_hz)
            changes.append((max(end, begin + 1), position, period, 0.0))
    # At the same sample, what ends ends before what begins.
    return sorted(changes, key=lambda change: (change[0], change[3] > 0.0))


class _Recording:
    """A CSV that `run` can replay: ``t`` and every channel."""

    def __init__(self, stack: ExitStack, path: Path, position: int) -> None:
        stream = stack.enter_context(path.open("w", newline="", encoding="utf-8"))
        self._writer = csv.writer(stream, lineterminator="\n")
        self._position = position
        self._writer.writerow(("t", *CHANNEL_NAMES))

    def write(self, chunk: Chunk, rate_hz: int) -> None:
        rows = chunk.values[self._position].T.tolist()
        for number, row in enumerate(rows, chunk.first):
            self._writer.writerow((f"{number / rate_hz:.3f}", *(f"{v:.15g}" for v in row)))


def arrow() -> tuple[Any, Any]:
    """PyArrow and its Parquet. Raises ``GustbedError`` if they are missing."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise GustbedError("generate needs pyarrow", "install gustbed-twin[generate]") from error
    return pa, parquet


def _schema(pa: Any, recipe: Recipe) -> Any:
    def column(name: str, unit: str, description: str) -> Any:
        return pa.field(
            name, pa.float64(), False, metadata={"unit": unit, "description": description}
        )

    fields = [column("t", "s", "time since the dataset's start")]
    fields += [column(c.name, c.unit, c.description) for c in CHANNELS]
    fields += [
        column(label, "1", f"severity of the {kind.value} fault")
        for label, kind in zip(LABELS, KINDS, strict=True)
    ]
    return pa.schema(
        fields, metadata={"schema": str(SCHEMA), "sample_rate_hz": str(recipe.rate_hz)}
    )


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


def _card(recipe: Recipe, out: Path, files: Sequence[str]) -> dict[str, Any]:
    faults = [asdict(period) for period in recipe.faults]
    for fault in faults:
        # JSON has no infinity: a fault without an end has no duration.
        fault["duration"] = fault["duration"] if np.isfinite(fault["duration"]) else None
    return {
        "schema": SCHEMA,
        "seed": recipe.seed,
        "turbines": list(recipe.turbine_ids),
        "hours": recipe.hours,
        "sample_rate_hz": recipe.rate_hz,
        "samples": recipe.samples,
        "wind": asdict(recipe.wind),
        "faults": faults,
        "channels": [{"name": c.name, "unit": c.unit} for c in CHANNELS],
        "labels": list(LABELS),
        "files": {name: sha256(out / name) for name in files},
        "versions": {
            "gustbed-twin": version("gustbed-twin"),
            "numpy": version("numpy"),
            "pyarrow": version("pyarrow"),
            "python": platform.python_version(),
        },
    }


def sha256(path: Path) -> str:
    """A file's digest, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _span(ids: Sequence[str]) -> str:
    return ids[0] if len(ids) == 1 else f"{ids[0]} to {ids[-1]}"

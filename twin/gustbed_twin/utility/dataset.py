"""Datasets of utility-scale farms: one Parquet file per turbine, labelled, units in the schema."""

import json
import platform
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from gustbed_core.errors import GustbedError
from gustbed_twin.generate import CARD, SCHEMA, Chunk, arrow, sha256
from gustbed_twin.utility.assembly import Assembled, Plan
from gustbed_twin.utility.faults import CATALOGUE, KINDS

LABELS: tuple[str, ...] = tuple(f"fault_{kind}" for kind in KINDS)
_CHUNK_S = 20
_GROUP_VALUES = 4_000_000


def write_utility_dataset(plan: Plan, made: Assembled, hours: float, out: Path) -> dict[str, Any]:
    """Simulate and write ``<turbine>.parquet`` each, and the card last of all."""
    samples = round(hours * 3600 * made.farm.rate_hz)
    if samples < 1:
        raise GustbedError(f"--hours {hours}", "ask for one sample at least")
    pa, parquet = arrow()
    names = [plan.turbine_ids[number] for number in plan.indices]
    files = [f"{name}.parquet" for name in names]
    schema = _schema(pa, plan)
    pending: list[Chunk] = []
    with ExitStack() as stack:
        writers = [stack.enter_context(parquet.ParquetWriter(out / f, schema)) for f in files]
        for chunk in _simulate(made, samples):
            pending.append(chunk)
            if sum(each.values.size for each in pending) >= _GROUP_VALUES:
                _flush(pa, writers, schema, pending, made.farm.rate_hz)
        _flush(pa, writers, schema, pending, made.farm.rate_hz)
    card = _card(plan, made, hours, samples, out, files)
    text = json.dumps(card, indent=2, allow_nan=False) + "\n"
    (out / CARD).write_text(text, encoding="utf-8")
    return card


def _simulate(made: Assembled, samples: int) -> Iterator[Chunk]:
    farm = made.farm
    while farm.sample < samples:
        first = farm.sample
        count = min(_CHUNK_S * farm.rate_hz, samples - first)
        values, labels = [], []
        end = first + count
        # Labels are read after each piece between changes, while its ramps are the present ones.
        for piece in made.timeline.pieces(count):
            values.append(piece)
            labels.append(farm.severities(farm.sample - piece.shape[2], piece.shape[2]))
        if farm.sample != end:
            raise RuntimeError("the timeline lost samples")
        yield Chunk(first, np.concatenate(values, axis=2), np.concatenate(labels, axis=2))


def _schema(pa: Any, plan: Plan) -> Any:
    def column(name: str, kind: Any, unit: str, description: str) -> Any:
        return pa.field(name, kind, False, metadata={"unit": unit, "description": description})

    fields = [column("t", pa.float64(), "s", "time since the dataset's start")]
    fields += [column(s.name, pa.float64(), s.unit, s.description) for s in plan.kind.sensors]
    fields += [
        column(label, pa.float32(), "1", f"severity: {CATALOGUE[kind].cause}")
        for label, kind in zip(LABELS, KINDS, strict=True)
    ]
    rate = str(plan.kind.rate_hz)
    return pa.schema(
        fields, metadata={"schema": str(SCHEMA), "type": plan.kind.name, "sample_rate_hz": rate}
    )


def _flush(pa: Any, writers: list[Any], schema: Any, pending: list[Chunk], rate_hz: int) -> None:
    if not pending:
        return
    values = np.concatenate([chunk.values for chunk in pending], axis=2)
    labels = np.concatenate([chunk.labels for chunk in pending], axis=2).astype(np.float32)
    t = (pending[0].first + np.arange(values.shape[2])) / rate_hz
    for writer, of_turbine, its_labels in zip(writers, values, labels, strict=True):
        columns = [pa.array(column) for column in (t, *of_turbine, *its_labels)]
        writer.write_table(pa.Table.from_arrays(columns, schema=schema))
    pending.clear()


def _card(
    plan: Plan, made: Assembled, hours: float, samples: int, out: Path, files: list[str]
) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "type": plan.kind.name,
        "seed": plan.seed,
        "turbines": [plan.turbine_ids[number] for number in plan.indices],
        "shard": f"{plan.shard[0]}/{plan.shard[1]}",
        "hours": hours,
        "sample_rate_hz": plan.kind.rate_hz,
        "samples": samples,
        "wind": asdict(made.farm.conditions),
        "wake": plan.wake,
        "faults": [asdict(change) for change in made.timeline.changes],
        "channels": [{"name": s.name, "unit": s.unit} for s in plan.kind.sensors],
        "labels": list(LABELS),
        "signals": {kind: list(CATALOGUE[kind].signals) for kind in KINDS},
        "files": {name: sha256(out / name) for name in files},
        "versions": {
            "gustbed-twin": version("gustbed-twin"),
            "numpy": version("numpy"),
            "numba": version("numba"),
            "pyarrow": version("pyarrow"),
            "python": platform.python_version(),
        },
    }

"""Writing dataset folders: one Parquet file per recording, then the card; whole or not at all."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pa_parquet
from numpy.typing import NDArray

from gustbed_core.errors import GustbedError
from gustbed_core.signals import Schema
from gustbed_core.type_file import schema_to_json
from gustbed_training.data.card import CARD, VERSION
from gustbed_training.data.recordings import TIME


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """A folder to write to, which becomes ``out`` once everything is in it."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise GustbedError(f"{out}: is there already", "name another folder, or remove it")
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        yield part
        if out.is_dir():
            out.rmdir()
        part.rename(out)
    except OSError as error:
        raise GustbedError(f"{out}: {error.strerror}", "name a folder to write to") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def write_recording(
    path: Path,
    schema: Schema,
    times: NDArray[np.float64],
    values: NDArray[np.floating],
    labels: Mapping[str, NDArray[np.floating]],
) -> None:
    """One turbine's samples (samples, channels), as the twin writes and replays them."""
    fields = [_field(TIME, pa.float64(), "s", "time since the dataset's start")]
    fields += [_field(c.name, pa.float64(), c.unit, "") for c in schema.channels]
    fields += [_field(name, pa.float32(), "1", "severity, 0 for none") for name in labels]
    about = {
        "schema": str(VERSION),
        "type": schema.turbine_type,
        "sample_rate_hz": f"{schema.sample_rate_hz:.17g}",
    }
    columns = [pa.array(times), *(pa.array(np.asarray(column, np.float64)) for column in values.T)]
    columns += [pa.array(np.asarray(column, np.float32)) for column in labels.values()]
    table = pa.Table.from_arrays(columns, schema=pa.schema(fields, metadata=about))
    pa_parquet.write_table(table, path)


def write_card(folder: Path, schema: Schema, turbines: list[str], fields: dict[str, Any]) -> None:
    """``dataset.json``, with the whole schema and the digests of the recordings beside it."""
    files = sorted(folder.glob("*.parquet"))
    card = {
        "schema": VERSION,
        "type": schema.turbine_type,
        "sample_rate_hz": schema.sample_rate_hz,
        "turbines": turbines,
        "channels": [{"name": c.name, "unit": c.unit} for c in schema.channels],
        **fields,
        "detection": schema_to_json(schema),
        "files": {file.name: sha256(file) for file in files},
        "versions": {name: version(name) for name in ("gustbed-training", "numpy", "pyarrow")},
    }
    text = json.dumps(card, indent=2, allow_nan=False) + "\n"
    (folder / CARD).write_text(text, encoding="utf-8")


def sha256(path: Path) -> str:
    """A file's digest, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _field(name: str, dtype: pa.DataType, unit: str, description: str) -> pa.Field:
    return pa.field(name, dtype, False, metadata={"unit": unit, "description": description})

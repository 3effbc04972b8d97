"""Recordings in Parquet, as ``generate`` writes them, of any turbine type."""

from pathlib import Path
from typing import Any

import numpy as np

from gustbed_core.errors import GustbedError
from gustbed_core.turbine_types import TurbineType
from gustbed_twin.datasets.writer import LABEL, arrow
from gustbed_twin.filters import Floats
from gustbed_twin.recordings.recording import Recording

MAGIC = b"PAR1"
_MEND = "mend the recording, or name another file in GUSTBED_TWIN_REPLAY"


def is_parquet(path: Path) -> bool:
    """By its first bytes: a container may know the file by another name."""
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def read_parquet(path: Path, usual: TurbineType) -> Recording:
    """All samples of one turbine, of type ``usual`` if the file names none.

    Raises ``GustbedError`` naming file, column and row.
    """
    pa, parquet = arrow()
    try:
        file = parquet.ParquetFile(path)
        table = file.read()
    except (OSError, pa.ArrowException) as error:
        text = " ".join(str(error).split())[:120]
        raise GustbedError(f"{path}: not Parquet: {text}", _MEND) from error
    about = {
        key.decode("utf-8", "replace"): value.decode("utf-8", "replace")
        for key, value in (table.schema.metadata or {}).items()
    }
    turbine_type = about.get("type", usual.name)
    names = _channels(path, turbine_type, usual, table.column_names)
    if table.num_rows == 0:
        raise GustbedError(f"{path}: no samples in it", _MEND)
    values = np.column_stack([_column(path, name, table[name]) for name in names])
    return Recording(values, turbine_type, names, _rate(path, about.get("sample_rate_hz")))


def _channels(
    path: Path, turbine_type: str, usual: TurbineType, columns: list[str]
) -> tuple[str, ...]:
    if turbine_type == usual.name:
        missing = [name for name in usual.channel_names if name not in columns]
        if missing:
            raise GustbedError(
                f"{path}: no column {', '.join(missing)}", "give a file that `generate` wrote"
            )
        return usual.channel_names
    names = tuple(name for name in columns if name != "t" and not name.startswith(LABEL))
    if not names:
        raise GustbedError(f"{path}: no channel in it", "give a file that `generate` wrote")
    return names


def _column(path: Path, name: str, column: Any) -> Floats:
    try:
        values = np.asarray(column.to_numpy(), dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise GustbedError(f"{path}: column {name}: not numbers", _MEND) from error
    wrong = np.flatnonzero(~np.isfinite(values))
    if wrong.size:
        raise GustbedError(f"{path}: row {wrong[0] + 1}, column {name}: not a finite number", _MEND)
    return values


def _rate(path: Path, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0.0 < rate <= 100.0:
        raise GustbedError(f"{path}: sample_rate_hz {text!r}", "write Hz, at most 100")
    return rate

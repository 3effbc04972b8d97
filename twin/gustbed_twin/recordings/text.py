"""Reads recordings: CSV with a header, or the reference systems' lines of 20 fields."""

import csv
import gzip
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import numpy as np

from gustbed_core import legacy
from gustbed_core.errors import GustbedError
from gustbed_core.turbine_types import TurbineType
from gustbed_twin.recordings.recording import Recording

_MEND = "mend the line, or name another file in GUSTBED_TWIN_REPLAY"


def read_recording(path: Path, turbine_type: TurbineType) -> Recording:
    """All samples of a turbine of a type, in the order of its channels.

    A header may name further columns, which are ignored. A file packed by gzip is unpacked.
    Raises ``GustbedError`` naming file, line and column.
    """
    names = turbine_type.channel_names
    try:
        with _open(path) as stream:
            rows = np.fromiter(_rows(path, stream, names), dtype=(np.float64, len(names)))
    except (OSError, EOFError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise GustbedError(
            f"{path}: {reason}", "name a recording in GUSTBED_TWIN_REPLAY"
        ) from error
    except UnicodeDecodeError as error:
        raise GustbedError(f"{path}: not text: {error.reason}", "give a CSV file") from error
    if len(rows) == 0:
        raise GustbedError(f"{path}: no samples in it", "name another file in GUSTBED_TWIN_REPLAY")
    return Recording(rows, turbine_type.name, names)


def _open(path: Path) -> IO[str]:
    # By content: a container may know the file by another name.
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    if packed or path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _rows(
    path: Path, lines: Iterable[str], channels: tuple[str, ...]
) -> Iterator[tuple[float, ...]]:
    reader = csv.reader(lines)
    names: list[str] | None = None
    positions: list[int] = []
    try:
        for fields in reader:
            if not fields:
                continue
            where = f"{path}: line {reader.line_num}"
            if names is None:
                names = _names(fields, where, channels)
                positions = [names.index(name) for name in channels]
                if names is fields:
                    continue
            if len(fields) != len(names):
                raise GustbedError(f"{where}: {len(fields)} fields, not {len(names)}", _MEND)
            yield tuple([_number(fields[i], names[i], where) for i in positions])
    except csv.Error as error:
        raise GustbedError(f"{path}: line {reader.line_num}: {error}", _MEND) from error


def _names(first: list[str], where: str, channels: tuple[str, ...]) -> list[str]:
    """The columns' names: the first row itself if it is a header, else the wire record's."""
    stripped = [name.strip() for name in first]
    if _is_number(stripped[0]):
        if len(first) != len(legacy.FIELDS) or not set(channels) <= set(legacy.FIELDS):
            raise GustbedError(
                f"{where}: {len(first)} fields and no header",
                f"give a header row, or records of {len(legacy.FIELDS)} fields",
            )
        return list(legacy.FIELDS)
    missing = [name for name in channels if name not in stripped]
    if missing:
        raise GustbedError(
            f"{where}: no column {', '.join(missing)} in the header",
            "name every channel, or leave the header out of a legacy recording",
        )
    first[:] = stripped
    return first


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _number(text: str, column: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise GustbedError(f"{where}, column {column}: {text[:40]!r} is not a finite number", _MEND)
    return value

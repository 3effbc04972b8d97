"""Reading number columns from Parquet and CSV files, naming what is wrong with them."""

import csv
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet
from numpy.typing import NDArray

from gustbed_core.errors import GustbedError

SUFFIXES = (".parquet", ".csv")
_ARROW_ROW = re.compile(r"column #(\d+): Row #(\d+): .*?invalid value '(.*)'", re.DOTALL)
_ARROW_SHAPE = re.compile(r"Row #(\d+): Expected (\d+) columns, got (\d+)")


@dataclass(frozen=True)
class Format:
    """How a CSV file is written: what stands between columns, and before decimals."""

    separator: str = ","
    decimal: str = "."


Floats = NDArray[np.float64]


def row_number(path: Path, index: int) -> int:
    """Rows count from 1, as in an editor: a CSV's first row is its header."""
    return index + (2 if path.suffix == ".csv" else 1)


def column_names(path: Path, layout: Format) -> list[str]:
    """Names of a file's columns. Raises ``GustbedError`` if one is there twice."""
    with naming(path):
        if path.suffix == ".parquet":
            names = list(pa_parquet.read_schema(path).names)
        else:
            with path.open(encoding="utf-8-sig", errors="replace") as file:
                head = file.readline().rstrip("\r\n")
            cells = next(csv.reader([head], delimiter=layout.separator), [])
            names = [name.strip() for name in cells]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise GustbedError(f"{path}: column {twice!r} is there twice", "name every column once")
    return names


def parquet_metadata(path: Path) -> dict[str, str]:
    """What a Parquet file's schema says of itself; nothing of a CSV file."""
    if path.suffix != ".parquet":
        return {}
    with naming(path):
        found = pa_parquet.read_schema(path).metadata or {}
    return {key.decode("utf-8", "replace"): value.decode("utf-8", "replace")
            for key, value in found.items()}  # fmt: skip


def check_present(path: Path, names: Iterable[str], needed: Sequence[str]) -> None:
    """Raise ``GustbedError`` naming the first column that is missing."""
    there = set(names)
    missing = [name for name in needed if name not in there]
    if missing:
        shown = ", ".join(needed[:12]) + (", …" if len(needed) > 12 else "")
        raise GustbedError(
            f"{path}: column {missing[0]!r} is missing", f"a recording needs the columns {shown}"
        )


def read_floats(
    path: Path, needed: Sequence[str], also: Callable[[str], bool], layout: Format | None = None
) -> dict[str, Floats]:
    """The needed columns, and others that ``also`` wants, NaN where empty."""
    layout = layout or Format()
    names = column_names(path, layout)
    check_present(path, names, needed)
    wanted = [name for name in names if name in needed or also(name)]
    table = read_table(path, wanted, dict.fromkeys(wanted, pa.float64()), layout)
    return {name: as_floats(path, name, table.column(name)) for name in wanted}


def read_table(
    path: Path, wanted: Sequence[str], types: dict[str, pa.DataType], layout: Format
) -> pa.Table:
    """Some columns; ``types`` are those that a CSV file's text is read as."""
    with naming(path):
        if path.suffix == ".parquet":
            return pa_parquet.read_table(path, columns=list(wanted))
        return _read_csv(path, wanted, types, layout)


def as_floats(path: Path, name: str, column: pa.ChunkedArray) -> Floats:
    """A column as numbers, NaN where empty. Raises ``GustbedError`` for text."""
    try:
        floats: Floats = column.cast(pa.float64()).to_numpy()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise GustbedError(
            f"{path}: column {name!r}: {_first_line(error)}", "store numbers only"
        ) from error
    return floats


class naming:  # noqa: N801 - reads as a statement
    """Turns the errors of reading a file into one that names it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, pa.ArrowException):
            raise GustbedError(f"{self._path}: {_first_line(error)}", "write it again") from error
        if isinstance(error, OSError):
            words = error.strerror or str(error)
            raise GustbedError(f"{self._path}: {words}", "check the file") from error


def _read_csv(
    path: Path, wanted: Sequence[str], types: dict[str, pa.DataType], layout: Format
) -> pa.Table:
    names = column_names(path, layout)
    try:
        return pa_csv.read_csv(
            path,
            # Single-threaded, or the error would not say which row it means.
            read_options=pa_csv.ReadOptions(use_threads=False, column_names=names, skip_rows=1),
            parse_options=pa_csv.ParseOptions(delimiter=layout.separator),
            convert_options=pa_csv.ConvertOptions(
                column_types=types, include_columns=list(wanted), decimal_point=layout.decimal
            ),
        )
    except pa.ArrowInvalid as error:
        text = str(error)
        if match := _ARROW_ROW.search(text):
            raise GustbedError(
                f"{path}: row {match[2]}, column {names[int(match[1])]!r}: "
                f"{match[3][:40]!r} is not a number",
                "mend or remove the row",
            ) from error
        if match := _ARROW_SHAPE.search(text):
            raise GustbedError(
                f"{path}: row {match[1]} has {match[3]} columns, not {match[2]}",
                "mend or remove the row",
            ) from error
        raise


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or ["unreadable"])[0][:200]

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


_TRUTHS = {"true": 1.0, "yes": 1.0, "false": 0.0, "no": 0.0}
UTF_8 = "utf-8"
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class Format:
    """How a CSV file is written: what stands between columns, before decimals and for no value."""

    separator: str = ","
    decimal: str = "."
    encoding: str = UTF_8
    missing: tuple[str, ...] = ()


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
            head = _first_row(path, layout.encoding)
            cells = next(csv.reader([head], delimiter=layout.separator), [])
            names = [name.strip() for name in cells]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise GustbedError(f"{path}: column {twice!r} is there twice", "name every column once")
    return names


def _first_row(path: Path, encoding: str) -> str:
    try:
        # With a mark at its beginning or without.
        with path.open(encoding="utf-8-sig" if encoding == UTF_8 else encoding) as file:
            return file.readline().rstrip("\r\n")
    except UnicodeError as error:
        raise _wrong_encoding(path, encoding) from error


def _wrong_encoding(path: Path, encoding: str) -> GustbedError:
    """Which row is not of that encoding, and which one it may be."""
    data = path.read_bytes()
    what, row = "it", 1
    try:
        data.decode(encoding)
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        what = f"{data[error.start : error.start + 1]!r}"[1:]
    except UnicodeError:
        pass
    likely = "utf-16" if data[:2] in _UTF_16_MARKS else "cp1252"
    return GustbedError(
        f"{path}: row {row}: {what} is not of the encoding {encoding}",
        f"name the file's in the map (encoding: {likely}, it may be), or write it as UTF-8",
    )


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


def texts_of(path: Path, name: str, table: pa.Table) -> list[str]:
    """A column as texts. Raises ``GustbedError`` for an empty one."""
    texts = [None if each is None else str(each) for each in table.column(name).to_pylist()]
    filled = [text for text in texts if text]
    if len(filled) < len(texts):
        index = next(i for i, text in enumerate(texts) if not text)
        raise GustbedError(
            f"{path}: row {row_number(path, index)}, column {name!r}: empty",
            "mend or remove the row",
        )
    return filled


def number_of(text: str) -> float | None:
    """A number, or a word for 0 or 1; None if it is neither."""
    try:
        return float(_TRUTHS.get(text.strip().lower(), text.replace(",", ".")))
    except ValueError:
        return None


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
    # Single-threaded, or the error would not say which row it means.
    read = pa_csv.ReadOptions(
        use_threads=False,
        column_names=names,
        skip_rows=1,
        encoding="utf8" if layout.encoding == UTF_8 else layout.encoding,
    )
    convert = pa_csv.ConvertOptions(
        column_types=types,
        include_columns=list(wanted),
        decimal_point=layout.decimal,
        null_values=[*pa_csv.ConvertOptions().null_values, *layout.missing],
    )
    try:
        return pa_csv.read_csv(
            path,
            read_options=read,
            parse_options=pa_csv.ParseOptions(delimiter=layout.separator),
            convert_options=convert,
        )
    except UnicodeError as error:
        raise _wrong_encoding(path, layout.encoding) from error
    except pa.ArrowInvalid as error:
        text = str(error)
        if "UTF8" in text:
            raise _wrong_encoding(path, layout.encoding) from error
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

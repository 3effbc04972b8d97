"""Reading somebody's files by a map: rows by turbine, in the map's units, with errors by row."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gustbed_core.errors import GustbedError
from gustbed_training.data.columns import (
    SUFFIXES,
    Floats,
    as_floats,
    check_present,
    column_names,
    number_of,
    read_table,
    row_number,
    texts_of,
)
from gustbed_training.data.import_map import MapFile, TurbinePart
from gustbed_training.data.missing import cleared, suspected
from gustbed_training.data.resampling import Rows
from gustbed_training.data.times import read_times


@dataclass(frozen=True)
class SourceRecording:
    """Rows of one turbine of one file. Times are in s of whatever the file counts from."""

    file: Path
    turbine: str
    rows: Rows


def read_source_file(file: Path, mapped: MapFile) -> list[SourceRecording]:
    """A file's rows, turbine by turbine. Raises ``GustbedError`` naming file, row and column."""
    if file.suffix not in SUFFIXES:
        raise GustbedError(f"{file}: neither .csv nor .parquet", "convert or rename it")
    if not file.is_file():
        raise GustbedError(f"{file}: no such file", "check the path")
    table, columns = _read(file, mapped)
    channels = mapped.channels()
    values = np.column_stack([
        _measured(file, part.column, columns[part.column], mapped) * part.scale + part.offset
        for part in channels.values()
    ])  # fmt: skip
    labels = np.column_stack(
        [_severity(file, part.column, table) for part in mapped.labels.values()]
        or [np.empty((len(values), 0))]
    )
    moments = None if mapped.time is None else read_times(file, mapped.time, table)
    when = "" if mapped.time is None else mapped.time.column
    numbers = np.array([row_number(file, i) for i in range(len(values))], dtype=np.int64)
    if not len(values):
        raise GustbedError(f"{file}: no row in it", "leave the file out")
    recordings = []
    for turbine, of_it in _turbines(file, mapped, table, len(values)):
        own = None if moments is None else moments.in_order(file, when, of_it)
        rows = Rows(values[of_it], labels[of_it], own, numbers[of_it])
        recordings.append(SourceRecording(file, turbine, rows))
    return recordings


def _read(file: Path, mapped: MapFile) -> tuple[pa.Table, dict[str, Floats]]:
    numbers = [part.column for part in mapped.channels().values()]
    texts = [part.column for part in mapped.labels.values()]
    if mapped.time is not None:
        texts.append(mapped.time.column)
    if isinstance(mapped.turbine, TurbinePart):
        texts.append(mapped.turbine.column)
    wanted = list(dict.fromkeys([*numbers, *texts]))
    _check_there(file, column_names(file, mapped.format), wanted, mapped)
    types = dict.fromkeys(texts, pa.string()) | dict.fromkeys(numbers, pa.float64())
    table = read_table(file, wanted, types, mapped.format)
    return table, {name: as_floats(file, name, table.column(name)) for name in numbers}


def _check_there(file: Path, names: list[str], wanted: list[str], mapped: MapFile) -> None:
    if len(names) == 1 and len(wanted) > 1 and file.suffix == ".csv":
        raise GustbedError(
            f"{file}: row 1 is one column only, {names[0][:60]!r}",
            f"the map's separator is {mapped.separator!r}: set it to the file's",
        )
    try:
        check_present(file, names, wanted)
    except GustbedError as error:
        raise GustbedError(error.what, f"the file has {', '.join(names)}"[:300]) from error


def _measured(file: Path, name: str, column: Floats, mapped: MapFile) -> Floats:
    """The column without what stands for no value."""
    column = cleared(column, mapped.missing_numbers)
    infinite = np.flatnonzero(np.isinf(column))
    if len(infinite):
        row = row_number(file, int(infinite[0]))
        raise GustbedError(
            f"{file}: row {row}, column {name!r}: not finite", "mend or remove the row"
        )
    if mapped.missing is None and (found := suspected(column)) is not None:
        value, rows = found
        more = f", as in {len(rows) - 1} more rows" if len(rows) > 1 else ""
        raise GustbedError(
            f"{file}: row {row_number(file, rows[0])}, column {name!r}: {value:.10g} seems to "
            f"stand for no value{more}",
            f"write missing: [{value:.10g}] in the map, or missing: [] if it was measured",
        )
    return column


def _severity(file: Path, name: str, table: pa.Table) -> Floats:
    """From 0 to 1."""
    texts = texts_of(file, name, table)
    known = {text: number_of(text) for text in set(texts)}
    wrong = {text for text, value in known.items() if value is None or not 0 <= value <= 1}
    if wrong:
        index = next(i for i, text in enumerate(texts) if text in wrong)
        raise GustbedError(
            f"{file}: row {row_number(file, index)}, column {name!r}: {texts[index][:40]!r} is no "
            "label",
            "write 0 for none, up to 1 or true for a fault",
        )
    return np.array([known[text] for text in texts], dtype=np.float64)


def _turbines(
    file: Path, mapped: MapFile, table: pa.Table, rows: int
) -> list[tuple[str, NDArray[np.intp]]]:
    if not isinstance(mapped.turbine, TurbinePart):
        return [(file.stem, np.arange(rows))]
    names = np.array(texts_of(file, mapped.turbine.column, table))
    return [(str(name), np.flatnonzero(names == name)) for name in dict.fromkeys(names.tolist())]

"""Reading somebody's files by a map: rows by turbine, in the map's units, with errors by row."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gustbed_core.errors import GustbedError
from gustbed_training.data.columns import (
    SUFFIXES,
    as_floats,
    check_present,
    column_names,
    read_table,
    row_number,
)
from gustbed_training.data.import_map import MapFile, TimePart, TurbinePart
from gustbed_training.data.resampling import Rows

Floats = NDArray[np.float64]
_TRUTHS = {"true": 1.0, "yes": 1.0, "false": 0.0, "no": 0.0}


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
        _scaled(file, part.column, columns[part.column], part.scale, part.offset)
        for part in channels.values()
    ])  # fmt: skip
    labels = np.column_stack(
        [_severity(file, part.column, table) for part in mapped.labels.values()]
        or [np.empty((len(values), 0))]
    )
    times = None if mapped.time is None else _times(file, mapped.time, table)
    numbers = np.array([row_number(file, i) for i in range(len(values))], dtype=np.int64)
    if not len(values):
        raise GustbedError(f"{file}: no row in it", "leave the file out")
    recordings = []
    for turbine, of_it in _turbines(file, mapped, table, len(values)):
        own = None if times is None else times[of_it]
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


def _scaled(file: Path, name: str, column: Floats, scale: float, offset: float) -> Floats:
    infinite = np.flatnonzero(np.isinf(column))
    if len(infinite):
        row = row_number(file, int(infinite[0]))
        raise GustbedError(
            f"{file}: row {row}, column {name!r}: not finite", "mend or remove the row"
        )
    return column * scale + offset


def _texts(file: Path, name: str, table: pa.Table) -> list[str]:
    texts = [None if each is None else str(each) for each in table.column(name).to_pylist()]
    filled = [text for text in texts if text]
    if len(filled) < len(texts):
        index = next(i for i, text in enumerate(texts) if not text)
        raise GustbedError(
            f"{file}: row {row_number(file, index)}, column {name!r}: empty",
            "mend or remove the row",
        )
    return filled


def _severity(file: Path, name: str, table: pa.Table) -> Floats:
    """From 0 to 1."""
    texts = _texts(file, name, table)
    known = {text: _number(text) for text in set(texts)}
    wrong = {text for text, value in known.items() if value is None or not 0 <= value <= 1}
    if wrong:
        index = next(i for i, text in enumerate(texts) if text in wrong)
        raise GustbedError(
            f"{file}: row {row_number(file, index)}, column {name!r}: {texts[index][:40]!r} is no "
            "label",
            "write 0 for none, up to 1 or true for a fault",
        )
    return np.array([known[text] for text in texts], dtype=np.float64)


def _number(text: str) -> float | None:
    try:
        return float(_TRUTHS.get(text.strip().lower(), text.replace(",", ".")))
    except ValueError:
        return None


def _times(file: Path, part: TimePart, table: pa.Table) -> Floats:
    """Seconds."""
    if part.unit is not None:
        scale = 1.0 if part.unit == "s" else 0.001
        texts = _texts(file, part.column, table)
        numbers = np.array([_nan_if_none(_number(text)) for text in texts])
        bad = np.flatnonzero(~np.isfinite(numbers))
        if len(bad):
            raise _no_time(file, part, int(bad[0]), texts[int(bad[0])], f"a number of {part.unit}")
        return np.asarray(numbers * scale, dtype=np.float64)
    column = table.column(part.column)
    if pa.types.is_timestamp(column.type):
        micros: Floats = column.cast(pa.timestamp("us")).cast(pa.int64()).to_numpy()
        return micros / 1e6
    texts = _texts(file, part.column, table)
    times = np.empty(len(texts))
    for index, text in enumerate(texts):
        try:
            times[index] = _moment(text.strip(), str(part.format))
        except ValueError as error:
            raise _no_time(file, part, index, text, f"a time in {part.format}") from error
    return times


def _nan_if_none(number: float | None) -> float:
    return np.nan if number is None else number


def _moment(text: str, form: str) -> float:
    """Unix seconds; without a zone it is UTC."""
    # The zone is added below, where none is given.
    moment = (
        datetime.fromisoformat(text) if form == "iso" else datetime.strptime(text, form)  # noqa: DTZ007
    )
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _no_time(file: Path, part: TimePart, index: int, text: str, what: str) -> GustbedError:
    return GustbedError(
        f"{file}: row {row_number(file, index)}, column {part.column!r}: {text[:40]!r} is not "
        f"{what}",
        "mend the row, or time in the map",
    )


def _turbines(
    file: Path, mapped: MapFile, table: pa.Table, rows: int
) -> list[tuple[str, NDArray[np.intp]]]:
    if not isinstance(mapped.turbine, TurbinePart):
        return [(file.stem, np.arange(rows))]
    names = np.array(_texts(file, mapped.turbine.column, table))
    return [(str(name), np.flatnonzero(names == name)) for name in dict.fromkeys(names.tolist())]

"""When rows were taken, in Unix seconds: from text, numbers and Parquet's own times.

Local times are those of the zone that the map names. At the end of daylight saving an hour is
there twice; which of the two a row means follows from the order of the rows.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gustbed_core.errors import GustbedError
from gustbed_training.data.columns import Floats, number_of, row_number, texts_of
from gustbed_training.data.import_map import TimePart

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - of local times
_BUCKET_S = 900
"""Clocks are set at whole quarters of an hour."""


@dataclass(frozen=True)
class Moments:
    """Unix seconds of each row; ``later`` differs where a local time is there twice."""

    earlier: Floats
    later: Floats

    def in_order(self, file: Path, column: str, rows: NDArray[np.intp]) -> Floats:
        """Times of some rows, one turbine's. Raises ``GustbedError`` where the order is mixed."""
        earlier, later = self.earlier[rows], self.later[rows]
        times = earlier.copy()
        for index in np.flatnonzero(earlier != later).tolist():
            if index == 0 or earlier[index] > times[index - 1]:
                continue
            times[index] = later[index]
            if times[index] <= times[index - 1]:
                raise GustbedError(
                    f"{file}: row {row_number(file, int(rows[index]))}, column {column!r}: out of "
                    "order in the hour that the end of daylight saving gives twice",
                    "write the rows in the order in which they were taken, not by local time",
                )
        return times


def read_times(file: Path, part: TimePart, table: pa.Table) -> Moments:
    """A file's times by the map. Raises ``GustbedError`` naming the row."""
    column = table.column(part.column)
    if part.unit is not None:
        times, zoned = _from_numbers(file, part, table), True
    elif pa.types.is_timestamp(column.type):
        times, zoned = _from_timestamps(file, part, column), column.type.tz is not None
    else:
        times, zoned = _from_texts(file, part, table)
    if zoned or part.zone is None:
        return Moments(times, times)
    return _from_local(file, part, times)


def _from_numbers(file: Path, part: TimePart, table: pa.Table) -> Floats:
    texts = texts_of(file, part.column, table)
    found = [number_of(text) for text in texts]
    numbers = np.array([np.nan if number is None else number for number in found])
    bad = np.flatnonzero(~np.isfinite(numbers))
    if len(bad):
        raise _no_time(file, part, int(bad[0]), texts[int(bad[0])], f"a number of {part.unit}")
    return np.asarray(numbers * (1.0 if part.unit == "s" else 0.001), dtype=np.float64)


def _from_timestamps(file: Path, part: TimePart, column: pa.ChunkedArray) -> Floats:
    if column.null_count:
        index = int(np.flatnonzero(column.is_null().to_numpy())[0])
        raise GustbedError(
            f"{file}: row {row_number(file, index)}, column {part.column!r}: empty, as in "
            f"{column.null_count} rows of {len(column)}",
            "mend or remove the rows",
        )
    micros: Floats = (
        column.cast(pa.timestamp("us", tz=column.type.tz), safe=False).cast(pa.int64()).to_numpy()
    )
    return micros / 1e6


def _from_texts(file: Path, part: TimePart, table: pa.Table) -> tuple[Floats, bool]:
    """Seconds, local where no row has a zone; and whether all have one."""
    texts = texts_of(file, part.column, table)
    times = np.empty(len(texts))
    zoned: bool | None = None
    for index, text in enumerate(texts):
        try:
            moment = _moment(text.strip(), str(part.format))
        except ValueError as error:
            raise _no_time(file, part, index, text, f"a time in {part.format}") from error
        has_zone = moment.tzinfo is not None
        if zoned is None:
            zoned = has_zone
        if has_zone != zoned:
            raise GustbedError(
                f"{file}: row {row_number(file, index)}, column {part.column!r}: {text[:40]!r} has "
                f"{'a' if has_zone else 'no'} zone, unlike the rows before",
                "write the zone in every row, or in none and as zone in the map's time",
            )
        times[index] = (moment if has_zone else moment.replace(tzinfo=UTC)).timestamp()
    return times, bool(zoned)


def _moment(text: str, form: str) -> datetime:
    # Without a zone it is local, which the caller sees to.
    return datetime.fromisoformat(text) if form == "iso" else datetime.strptime(text, form)  # noqa: DTZ007


def _from_local(file: Path, part: TimePart, local: Floats) -> Moments:
    zone = ZoneInfo(str(part.zone))
    buckets, of_row = np.unique(np.floor(local / _BUCKET_S), return_inverse=True)
    before, after = np.empty(len(buckets)), np.empty(len(buckets))
    for index, bucket in enumerate(buckets.tolist()):
        at = (_EPOCH + timedelta(seconds=bucket * _BUCKET_S)).replace(tzinfo=zone)
        before[index] = (at.utcoffset() or timedelta()).total_seconds()
        after[index] = (at.replace(fold=1).utcoffset() or timedelta()).total_seconds()
    skipped = np.flatnonzero((before < after)[of_row])
    if len(skipped):
        index = int(skipped[0])
        said = _EPOCH + timedelta(seconds=float(local[index]))
        raise GustbedError(
            f"{file}: row {row_number(file, index)}, column {part.column!r}: {said} was skipped "
            f"in {part.zone}, where daylight saving begins",
            "set zone in the map's time to that of the clock: UTC, or Etc/GMT-1 for one hour ahead",
        )
    return Moments(local - before[of_row], local - after[of_row])


def _no_time(file: Path, part: TimePart, index: int, text: str, what: str) -> GustbedError:
    return GustbedError(
        f"{file}: row {row_number(file, index)}, column {part.column!r}: {text[:40]!r} is not "
        f"{what}",
        "mend the row, or time in the map",
    )

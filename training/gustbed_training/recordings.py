"""Recordings: one turbine's samples in a Parquet or CSV file, columns named after the channels.

Only the channels that engineered features need must be there; others are ignored. A column ``t``
(seconds) is optional and cuts the recording where samples are missing. Columns named
``fault_<kind>`` label injected faults; without them a recording counts as normal.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet
from numpy.typing import NDArray

from gustbed_protocol.channels import CHANNEL_INDEX, CHANNEL_NAMES
from gustbed_protocol.errors import GustbedError
from gustbed_protocol.violations import Violation

SAMPLE_RATE_HZ = 20.0
NEEDED = ("rps", "wind_speed_rps", "voltage", "qw", "qx", "qy", "qz")
"""The channels that the engineered features are made of."""
MUST_VARY = ("rps", "wind_speed_rps", "voltage")
TIME = "t"
SUFFIXES = (".parquet", ".csv")
_ARROW_ROW = re.compile(r"column #(\d+): Row #(\d+): .*?invalid value '(.*)'", re.DOTALL)
_ARROW_SHAPE = re.compile(r"Row #(\d+): Expected (\d+) columns, got (\d+)")


@dataclass(frozen=True)
class Recording:
    """An unbroken stretch of one turbine, evenly sampled at ``SAMPLE_RATE_HZ``.

    ``values`` is float32 (channels, samples), channels that no feature needs may be zero;
    ``severity`` gives each fault's severity per sample, 0 for none.
    """

    source: str
    turbine: str
    values: NDArray[np.float32]
    severity: dict[Violation, NDArray[np.float32]]

    @property
    def samples(self) -> int:
        """Length of the recording."""
        return int(self.values.shape[1])

    @property
    def faulty(self) -> bool:
        """Whether a fault is labelled anywhere."""
        return any(bool(column.any()) for column in self.severity.values())


def as_printed(recording: Recording) -> Recording:
    """The recording as the firmware's text record would have given it: with two decimals."""
    return replace(recording, values=np.round(recording.values, 2))


def label_column(kind: Violation) -> str:
    """Name of the label column of a fault."""
    return f"fault_{kind.value}"


def recording_files(folder: Path) -> list[Path]:
    """Every recording below a folder, in the order of their paths; or the file itself."""
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise GustbedError(f"{folder}: no such folder", "name a folder of recordings, or a file")
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix in SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    if not files:
        raise GustbedError(f"{folder}: no .parquet or .csv recording", "check the path")
    return files


def read_recording(path: Path, shortest: int) -> list[Recording]:
    """Read a file into its unbroken stretches of at least ``shortest`` samples.

    Raises ``GustbedError`` naming the file and the row or column.
    """
    columns = _read_columns(path)
    _check_values(path, columns)
    length = len(columns[NEEDED[0]])
    values = np.zeros((len(CHANNEL_NAMES), length), dtype=np.float32)
    for name in CHANNEL_NAMES:
        if name in columns:
            values[CHANNEL_INDEX[name]] = columns[name]
    nothing = np.zeros(length, dtype=np.float32)
    severity = {
        kind: columns.get(label_column(kind), nothing).astype(np.float32) for kind in Violation
    }
    recordings = []
    for start, stop in _stretches(path, columns.get(TIME), length):
        if stop - start >= shortest:
            part = {kind: column[start:stop] for kind, column in severity.items()}
            recordings.append(Recording(str(path), path.stem, values[:, start:stop], part))
    if not recordings:
        raise GustbedError(
            f"{path}: {length} rows hold no unbroken stretch of {shortest} samples",
            f"record at least {shortest / SAMPLE_RATE_HZ:g} s at {SAMPLE_RATE_HZ:g} Hz",
        )
    return recordings


def _read_columns(path: Path) -> dict[str, NDArray[np.float64]]:
    try:
        names = _column_names(path)
        missing = [name for name in NEEDED if name not in names]
        if missing:
            raise GustbedError(
                f"{path}: column {missing[0]!r} is missing",
                f"a recording needs the columns {', '.join(NEEDED)}",
            )
        labels = [label_column(kind) for kind in Violation]
        wanted = [name for name in names if name in (*CHANNEL_NAMES, TIME, *labels)]
        if path.suffix == ".parquet":
            table = pa_parquet.read_table(path, columns=wanted)
        else:
            table = _read_csv(path, names, wanted)
    except OSError as error:
        raise GustbedError(f"{path}: {error.strerror or error}", "check the file") from error
    except pa.ArrowException as error:
        raise GustbedError(f"{path}: {_first_line(error)}", "write it again") from error
    return {name: _as_floats(path, name, table.column(name)) for name in wanted}


def _column_names(path: Path) -> list[str]:
    if path.suffix == ".parquet":
        return list(pa_parquet.read_schema(path).names)
    with path.open(encoding="utf-8", errors="replace") as file:
        names = [name.strip() for name in file.readline().strip().split(",")]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise GustbedError(f"{path}: column {twice!r} is there twice", "name every column once")
    return names


def _read_csv(path: Path, names: list[str], wanted: list[str]) -> pa.Table:
    try:
        return pa_csv.read_csv(
            path,
            # Single-threaded, or the error would not say which row it means.
            read_options=pa_csv.ReadOptions(use_threads=False, column_names=names, skip_rows=1),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(wanted, pa.float64()), include_columns=wanted
            ),
        )
    except pa.ArrowInvalid as error:
        text = str(error)
        if match := _ARROW_ROW.search(text):
            name = names[int(match[1])]
            raise GustbedError(
                f"{path}: row {match[2]}, column {name!r}: {match[3][:40]!r} is not a number",
                "mend or remove the row",
            ) from error
        if match := _ARROW_SHAPE.search(text):
            raise GustbedError(
                f"{path}: row {match[1]} has {match[3]} columns, not {match[2]}",
                "mend or remove the row",
            ) from error
        raise


def _as_floats(path: Path, name: str, column: pa.ChunkedArray) -> NDArray[np.float64]:
    try:
        floats: NDArray[np.float64] = column.cast(pa.float64()).to_numpy()
    except pa.ArrowInvalid as error:
        raise GustbedError(
            f"{path}: column {name!r}: {_first_line(error)}", "store numbers only"
        ) from error
    return floats


def _check_values(path: Path, columns: dict[str, NDArray[np.float64]]) -> None:
    for name, column in columns.items():
        bad = np.flatnonzero(~np.isfinite(column))
        if len(bad):
            # Rows count from 1, as in an editor: a CSV's first row is its header.
            row = int(bad[0]) + (2 if path.suffix == ".csv" else 1)
            raise GustbedError(
                f"{path}: row {row}, column {name!r}: empty or not finite", "mend or remove the row"
            )
    for name in MUST_VARY:
        if len(columns[name]) > 1 and np.ptp(columns[name]) == 0:
            raise GustbedError(
                f"{path}: column {name!r} never changes from {columns[name][0]:g}",
                "leave out recordings with a dead sensor",
            )


def _stretches(
    path: Path, times: NDArray[np.float64] | None, length: int
) -> Iterator[tuple[int, int]]:
    """Cut where the time does not advance by one sample. Raises if the rate is another one."""
    if times is None or length < 2:
        yield 0, length
        return
    steps = np.diff(times)
    usual = float(np.median(steps))
    if not 0.9 < usual * SAMPLE_RATE_HZ < 1.1:
        raise GustbedError(
            f"{path}: column {TIME!r} advances by {usual:g} s a row",
            f"resample the recording to {SAMPLE_RATE_HZ:g} Hz",
        )
    cuts = np.flatnonzero(np.abs(steps - usual) > 0.5 * usual) + 1
    edges = [0, *(int(cut) for cut in cuts), length]
    yield from pairwise(edges)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200]

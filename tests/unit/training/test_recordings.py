"""Reading recordings, and naming what is wrong with them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest

from gustbed_core.errors import GustbedError
from gustbed_core.event_kinds import VOLTAGE
from gustbed_core.turbine_types import load_type
from gustbed_training.data.recordings import read_recording, recording_files
from gustbed_training.data.split import as_printed
from tests.unit.training.recorded import Columns, write_csv

MINI = load_type("mini").schema
RPS = MINI.channel_names.index("rps")
ROWS = 40


@pytest.fixture
def columns() -> Columns:
    numbers = np.arange(ROWS, dtype=float)
    named = {name: list(numbers + i) for i, name in enumerate(MINI.channel_names)}
    return {"t": list(numbers / 20)} | named


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Columns], Path]:
    return lambda columns: write_csv(tmp_path / "wt07.csv", columns)


def test_a_csv_and_a_parquet_file_read_alike(
    columns: Columns, write: Callable[[Columns], Path], tmp_path: Path
) -> None:
    columns["fault_voltage"] = [*[0.0] * 30, *[0.5] * 5, *[0.7] * 5]
    pa_parquet.write_table(pa.table(columns), tmp_path / "wt07.parquet")
    (text,) = read_recording(write(columns), MINI, shortest=20)
    (binary,) = read_recording(tmp_path / "wt07.parquet", MINI, shortest=20)
    assert text.turbine == binary.turbine == "wt07"
    np.testing.assert_array_equal(text.values, binary.values)
    np.testing.assert_array_equal(text.values[RPS], np.arange(ROWS))
    (label,) = text.labels
    assert (label.fault, label.start, label.stop, label.severity) == ("voltage", 30, 40, 0.7)
    assert label.violation == VOLTAGE
    assert text.labels == binary.labels
    assert text.labelled


def test_without_label_columns_nobody_said_what_is_normal(
    columns: Columns, write: Callable[[Columns], Path]
) -> None:
    (one,) = read_recording(write(columns), MINI, shortest=20)
    assert not one.labelled
    assert one.labels == ()


def test_a_recording_is_cut_where_samples_are_missing(
    columns: Columns, write: Callable[[Columns], Path]
) -> None:
    columns["fault_rotation"] = [*[0] * 20, *[1] * 12, *[0] * 8]
    for name in columns:
        del columns[name][25:27]
    parts = read_recording(write(columns), MINI, shortest=10, fit=30)
    assert [part.samples for part in parts] == [25, 13]
    assert parts[1].values[RPS, 0] == 27
    assert [part.start for part in parts] == [0.0, 27 / 20]
    assert [(label.start, label.stop) for part in parts for label in part.labels] == [
        (20, 25),
        (0, 5),
    ]
    # Of the file's first 30 rows, 5 are the second stretch's.
    assert [part.fit for part in parts] == [25, 5]


def _drop(columns: Columns) -> None:
    del columns["voltage"]


def _text(columns: Columns) -> None:
    columns["qx"][5] = "north"


def _empty(columns: Columns) -> None:
    columns["rps"][3] = ""


def _infinite(columns: Columns) -> None:
    columns["rps"][3] = "inf"


def _constant(columns: Columns) -> None:
    columns["wind_speed_rps"] = [2.0] * ROWS


def _slow(columns: Columns) -> None:
    columns["t"] = [i / 2 for i in range(ROWS)]


def _backwards(columns: Columns) -> None:
    columns["t"][9] = 0.1


def _short(columns: Columns) -> None:
    for name in columns:
        del columns[name][15:]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_drop, "column 'voltage' is missing"),
        (_text, "row 7, column 'qx': 'north' is not a number"),
        (_empty, "row 5, column 'rps': empty or not finite"),
        (_infinite, "row 5, column 'rps': empty or not finite"),
        (_constant, "column 'wind_speed_rps' never changes from 2"),
        (_slow, "column 't' advances by 0.5 s a row: resample the recording to 20 Hz"),
        (_backwards, "row 11, column 't': time stands still or goes back"),
        (_short, "15 rows hold no unbroken stretch of 20 samples: record at least 1 s at 20 Hz"),
    ],
)
def test_bad_input_is_named_by_file_row_and_column(
    columns: Columns,
    write: Callable[[Columns], Path],
    spoil: Callable[[Columns], None],
    words: str,
) -> None:
    spoil(columns)
    path = write(columns)
    with pytest.raises(GustbedError) as caught:
        read_recording(path, MINI, shortest=20, must_vary=True)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_row_with_too_few_columns_is_named(
    columns: Columns, write: Callable[[Columns], Path]
) -> None:
    path = write(columns)
    lines = path.read_text().splitlines()
    lines[9] = "1,2"
    path.write_text("\n".join(lines))
    with pytest.raises(GustbedError, match=r"row 10 has 2 columns, not 8"):
        read_recording(path, MINI)


@pytest.mark.parametrize("content", [b"", b"\x00\xff" * 50, b"PAR1nonsensePAR1"])
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_file_that_is_no_recording_is_named(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(content)
    with pytest.raises(GustbedError, match="broken"):
        read_recording(path, MINI)


def test_a_folder_without_recordings_is_named(tmp_path: Path) -> None:
    with pytest.raises(GustbedError, match=r"no \.parquet or \.csv"):
        recording_files(tmp_path)
    with pytest.raises(GustbedError, match="no such folder"):
        recording_files(tmp_path / "nowhere")


def test_unfinished_runs_are_left_out(tmp_path: Path) -> None:
    for folder in ("train-a", ".train-b.7.part"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "wt01.csv").touch()
    assert recording_files(tmp_path) == [tmp_path / "train-a" / "wt01.csv"]


def test_printing_keeps_two_decimals(columns: Columns, write: Callable[[Columns], Path]) -> None:
    columns["qw"] = [0.12345] * ROWS
    (one,) = read_recording(write(columns), MINI, shortest=20)
    assert as_printed(one).values[MINI.channel_names.index("qw"), 0] == np.float32(0.12)

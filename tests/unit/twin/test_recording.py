"""Recordings: what can be read, and how a bad file is named."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from gustbed_core import legacy
from gustbed_core.errors import GustbedError
from gustbed_twin.filters import Floats
from gustbed_twin.recordings.text import read_recording
from gustbed_twin.wind.miniature import WindConfig
from tests.unit.twin.miniatures import CHANNEL_NAMES, MINI, mini_farm

REFERENCE_HEADER = (
    "nanoId,turbineId,arduino_timestamp,nanoFreemem,eventTime,rps,voltage,qw,qx,qy,qz,gx,gy,gz,"
    "ax,ay,az,gearboxtemp,ambtemp,humidity,pressure,gas,wind_speed_rps"
)


def read(path: Path) -> Floats:
    return read_recording(path, MINI).values


def samples(rows: int = 30) -> Floats:
    return np.ascontiguousarray(mini_farm(1, [0], WindConfig()).advance(rows)[0].T)


def lines_of(rows: Floats) -> list[str]:
    return [",".join(CHANNEL_NAMES), *(",".join(map(repr, row)) for row in rows.tolist())]


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_header_names_the_channels(tmp_path: Path) -> None:
    rows = samples()
    assert np.array_equal(read(write(tmp_path / "a.csv", lines_of(rows))), rows)


def test_the_reference_csv_is_read_and_its_other_columns_ignored(tmp_path: Path) -> None:
    rows = samples()
    names = REFERENCE_HEADER.split(",")
    text = [REFERENCE_HEADER]
    for row in rows:
        known = dict(zip(CHANNEL_NAMES, row.tolist(), strict=True))
        text.append(",".join(repr(known[n]) if n in known else "x" for n in names))
    assert np.array_equal(read(write(tmp_path / "reference.csv", text)), rows)


def test_legacy_lines_need_no_header(tmp_path: Path) -> None:
    rows = samples()
    text = [
        legacy.format_record(i * 50, 700, legacy.sample_as_mapping(r)) for i, r in enumerate(rows)
    ]
    found = read(write(tmp_path / "wire.csv", text))
    assert np.abs(found - rows).max() <= 0.005 + 1e-9


def test_a_legacy_record_comes_back_within_its_resolution() -> None:
    for number, row in enumerate(samples(100)):
        record = legacy.format_record(number * 50, 700, legacy.sample_as_mapping(row))
        millis, read = legacy.parse_record(record)
        assert len(record.split(",")) == 20
        assert millis == number * 50
        assert np.abs(read - row).max() <= 0.005 + 1e-9


def test_a_packed_file_with_a_byte_order_mark_and_blank_lines_is_read(tmp_path: Path) -> None:
    rows = samples()
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(("\ufeff" + "\r\n\r\n".join(lines_of(rows))).encode()))
    assert np.array_equal(read(path), rows)


def broken(lines: list[str], line: int, column: str, text: str) -> list[str]:
    fields = lines[line].split(",")
    fields[CHANNEL_NAMES.index(column)] = text
    return [*lines[:line], ",".join(fields), *lines[line + 1 :]]


@pytest.mark.parametrize("text", ["", "abc", "nan", "inf", "1e999", "0x10"])
def test_a_bad_value_is_named_by_file_line_and_column(tmp_path: Path, text: str) -> None:
    path = write(tmp_path / "bad.csv", broken(lines_of(samples()), 7, "voltage", text))
    with pytest.raises(GustbedError, match=r"bad\.csv: line 8, column voltage: ") as caught:
        read(path)
    assert "\n" not in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], "no samples"),
        ([",".join(CHANNEL_NAMES)], "no samples"),
        (["rps,voltage", "1,2"], "line 1: no column wind_speed_rps"),
        (["1,2,3"], "line 1: 3 fields and no header"),
        ([*lines_of(samples(2)), "1,2"], "line 4: 2 fields, not 18"),
        ([*lines_of(samples(2)), "1," * 18 + "1"], "line 4: 19 fields, not 18"),
    ],
)
def test_a_bad_file_is_named(tmp_path: Path, lines: list[str], expected: str) -> None:
    with pytest.raises(GustbedError, match=expected) as caught:
        read(write(tmp_path / "bad.csv", lines) if lines else empty(tmp_path))
    assert "bad.csv" in str(caught.value)


def empty(folder: Path) -> Path:
    (folder / "bad.csv").touch()
    return folder / "bad.csv"


@pytest.mark.parametrize("content", [b"\xff\xfe\x00rps", b"\x00" * 50])
def test_what_is_not_text_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    with pytest.raises(GustbedError, match=r"bad\.csv"):
        read(path)


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv.gz"
    path.write_bytes(gzip.compress("\n".join(lines_of(samples())).encode())[:-20])
    with pytest.raises(GustbedError, match=r"bad\.csv\.gz"):
        read(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(GustbedError, match="No such file"):
        read(tmp_path / "none.csv")
    with pytest.raises(GustbedError, match="directory"):
        read(tmp_path)

"""What loggers write: local times, numbers for no value, other encodings, the same file twice."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest

from gustbed_core.errors import GustbedError
from gustbed_training.data.dataset import open_dataset
from gustbed_training.data.importing import import_files
from gustbed_training.data.same_data import runs_of, shared
from tests.unit.training.recorded import PUMP_MAP, Columns, pump_columns, write_csv, write_map

TIME = "time: {column: when, format: iso}"
BERLIN = "time: {column: when, format: iso, zone: Europe/Berlin}"
AUTUMN, SPRING = datetime(2024, 10, 27, tzinfo=UTC), datetime(2024, 3, 31, tzinfo=UTC)
"""Midnight before the night in which the clocks of Berlin are set, at 01:00 UTC."""


def quiet(_line: str) -> None:
    return


def slow_map(folder: Path, time: str = TIME, extra: str = "", rate: str = "1/600") -> Path:
    text = PUMP_MAP.replace("sample_rate_hz: 1", f"sample_rate_hz: {eval(rate)!r}")  # noqa: S307
    return write_map(folder, extra, text.replace(TIME, time))


def local(start: datetime, rows: int, minutes: int = 10) -> list[object]:
    """What a clock in Berlin shows."""
    zone = ZoneInfo("Europe/Berlin")
    moments = (start + timedelta(minutes=minutes * i) for i in range(rows))
    return [each.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S") for each in moments]


def bring(folder: Path, mapped: Path, columns: Columns) -> Path:
    return import_files(mapped, [write_csv(folder / "p1.csv", columns)], folder / "out", quiet)


def refused(folder: Path, mapped: Path, columns: Columns) -> str:
    with pytest.raises(GustbedError) as caught:
        bring(folder, mapped, columns)
    assert "\n" not in str(caught.value)
    assert not (folder / "out").exists()
    return str(caught.value)


@pytest.mark.parametrize(("minutes", "rate"), [(10, "1/600"), (60, "1/3600")])
def test_local_times_go_through_both_nights_of_daylight_saving(
    tmp_path: Path, minutes: int, rate: str
) -> None:
    for start in (AUTUMN, SPRING):
        folder = tmp_path / str(start.month)
        folder.mkdir()
        columns = pump_columns() | {"when": local(start - timedelta(hours=4), 200, minutes)}
        (recording,) = open_dataset(
            bring(folder, slow_map(folder, BERLIN, rate=rate), columns)
        ).recordings()
        assert recording.samples == 200


@pytest.mark.parametrize(("minutes", "rate"), [(10, "1/600"), (60, "1/3600")])
def test_without_a_zone_the_end_of_daylight_saving_is_named(
    tmp_path: Path, minutes: int, rate: str
) -> None:
    columns = pump_columns() | {"when": local(AUTUMN - timedelta(hours=4), 200, minutes)}
    said = refused(tmp_path, slow_map(tmp_path, rate=rate), columns)
    row = 2 + 5 * 60 // minutes
    assert f"row {row}, column 'when': " in said
    assert "as local time does at the end of daylight saving: name the zone" in said
    assert "do not sort the rows" in said


def test_sorted_by_local_time_two_hours_are_mixed_and_that_is_said(tmp_path: Path) -> None:
    columns = pump_columns()
    columns["when"] = sorted(local(AUTUMN, 200), key=str)
    said = refused(tmp_path, slow_map(tmp_path, BERLIN), columns)
    assert "out of order in the hour that the end of daylight saving gives twice" in said
    assert "row 5, column 'when'" in said


def test_times_that_are_there_twice_are_cut_if_the_map_says_so(tmp_path: Path) -> None:
    columns = pump_columns()
    columns["when"][6], columns["when"][8] = columns["when"][5], columns["when"][7]
    said = refused(tmp_path, write_map(tmp_path), columns)
    assert "row 8, column 'when': the same time as the row before" in said
    assert "or let repeated: cut in the map leave out both" in said
    out = bring(tmp_path, write_map(tmp_path, "repeated: cut\n"), columns)
    (recording,) = open_dataset(out).recordings()
    assert (recording.samples, recording.start) == (191, 9.0)


def test_each_turbine_of_a_file_has_its_own_night(tmp_path: Path) -> None:
    columns = pump_columns()
    when = local(AUTUMN, 100)
    columns |= {"when": [when[i // 2] for i in range(200)], "remark": ["a", "b"] * 100}
    mapped = slow_map(tmp_path, BERLIN, "turbine: {column: remark}\n")
    recordings = list(open_dataset(bring(tmp_path, mapped, columns)).recordings())
    assert [each.samples for each in recordings] == [100, 100]


def test_a_time_that_no_clock_showed_says_the_zone_is_another(tmp_path: Path) -> None:
    columns = pump_columns()
    columns["when"] = [
        str(SPRING.replace(tzinfo=None) + timedelta(minutes=10 * i)) for i in range(200)
    ]
    said = refused(tmp_path, slow_map(tmp_path, BERLIN), columns)
    assert "row 14, column 'when': 2024-03-31 02:00:00 was skipped in Europe/Berlin" in said


def test_times_with_a_zone_and_without_are_not_mixed(tmp_path: Path) -> None:
    columns = pump_columns()
    columns["when"][5] = f"{columns['when'][5]}+02:00"
    said = refused(tmp_path, write_map(tmp_path), columns)
    assert "row 7, column 'when': '2024-05-01 00:00:05+02:00' has a zone, unlike the rows" in said
    columns["when"] = [f"{each}Z" for each in pump_columns()["when"]]
    columns["when"][3] = str(columns["when"][3]).removesuffix("Z")
    said = refused(tmp_path, write_map(tmp_path), columns)
    assert "row 5, column 'when': '2024-05-01 00:00:03' has no zone, unlike the rows" in said


def write_parquet(folder: Path, times: Sequence[datetime | None]) -> Path:
    columns = pump_columns()
    table = pa.table({k: v for k, v in columns.items() if k != "when"} | {"when": pa.array(times)})
    pa_parquet.write_table(table, folder / "p1.parquet")
    return folder / "p1.parquet"


def test_times_in_parquet_are_whole_and_local_if_the_map_says_so(tmp_path: Path) -> None:
    shown = [datetime.fromisoformat(str(each)) for each in local(AUTUMN, 200)]
    mapped = slow_map(tmp_path, BERLIN)
    out = import_files(mapped, [write_parquet(tmp_path, shown)], tmp_path / "out", quiet)
    (recording,) = open_dataset(out).recordings()
    assert recording.samples == 200
    empty = write_parquet(tmp_path, [None if i in (4, 9) else t for i, t in enumerate(shown)])
    with pytest.raises(GustbedError, match=r"row 5, column 'when': empty, as in 2 rows of 200"):
        import_files(mapped, [empty], tmp_path / "again", quiet)


@pytest.mark.parametrize("value", [-9999, "-999.0", 32767, "9999.9", "1e30"])
def test_a_number_that_stands_for_no_value_is_asked_about(tmp_path: Path, value: object) -> None:
    columns = pump_columns()
    columns["Flow"][5] = columns["Flow"][9] = value
    said = refused(tmp_path, write_map(tmp_path), columns)
    number = f"{float(str(value)):.10g}"
    assert f"row 7, column 'Flow': {number} seems to stand for no value, as in 1 more" in said
    assert f"write missing: [{number}] in the map" in said


def test_declared_it_is_a_gap_and_declared_none_it_is_a_value(tmp_path: Path) -> None:
    columns = pump_columns()
    columns["Flow"][5], columns["Flow"][9] = -9999, "no data"
    mapped = write_map(tmp_path, "missing: [-9999, no data]\nmax_gap_s: 2\n")
    (recording,) = open_dataset(bring(tmp_path, mapped, columns)).recordings()
    flow = [float(str(columns["Flow"][i])) for i in (4, 8)]
    np.testing.assert_allclose(recording.values[1][[5, 9]], flow, rtol=1e-6)

    columns["Flow"][9] = 30.0
    folder = tmp_path / "measured"
    folder.mkdir()
    (recording,) = open_dataset(
        bring(folder, write_map(folder, "missing: []\n"), columns)
    ).recordings()
    assert recording.values[1][5] == -9999


def test_what_is_within_the_measured_range_is_a_value(tmp_path: Path) -> None:
    columns = pump_columns()
    columns["Flow"] = [9990.0 + i % 20 for i in range(200)]
    assert bring(tmp_path, write_map(tmp_path), columns).is_dir()


def test_an_encoding_is_named_and_can_be_given(tmp_path: Path) -> None:
    columns = pump_columns()
    columns["Wärme"] = columns.pop("Warmth in F")
    text = PUMP_MAP.replace("Warmth in F", "Wärme")
    file = write_csv(tmp_path / "p1.csv", columns)
    written = file.read_text(encoding="utf-8")
    for encoding, likely in (("cp1252", "cp1252"), ("utf-16", "utf-16")):
        file.write_bytes(written.encode(encoding))
        mapped = write_map(tmp_path, text=text)
        with pytest.raises(GustbedError) as caught:
            import_files(mapped, [file], tmp_path / "out", quiet)
        assert f"{file}: row 1: " in str(caught.value)
        assert "is not of the encoding utf-8: name the file's in the map" in str(caught.value)
        assert f"(encoding: {likely}, it may be)" in str(caught.value)
        mapped = write_map(tmp_path, f"encoding: {encoding}\n", text)
        assert import_files(mapped, [file], tmp_path / encoding, quiet).is_dir()


def test_the_row_that_is_of_another_encoding_is_named(tmp_path: Path) -> None:
    columns = pump_columns()
    columns["remark"][7] = "süd"
    file = write_csv(tmp_path / "p1.csv", columns)
    file.write_bytes(file.read_text(encoding="utf-8").encode("latin-1"))
    mapped = write_map(tmp_path, "turbine: {column: remark}\n")
    with pytest.raises(GustbedError, match=r"row 9: '\\xfc' is not of the encoding utf-8"):
        import_files(mapped, [file], tmp_path / "out", quiet)


@pytest.mark.parametrize(
    ("extra", "time", "words"),
    [
        ("encoding: klingon\n", TIME, "encoding: 'klingon' is unknown"),
        ("", TIME.replace("iso", "iso, zone: Mars/Base"), "time.zone: no time zone 'Mars/Base'"),
        ("", "time: {column: when, unit: s, zone: UTC}", "time.zone: numbers have none"),
    ],
)  # fmt: skip
def test_a_key_that_cannot_be_is_named(tmp_path: Path, extra: str, time: str, words: str) -> None:
    said = refused(
        tmp_path, write_map(tmp_path, extra, PUMP_MAP.replace(TIME, time)), pump_columns()
    )
    assert said.startswith(f"{tmp_path / 'map.yaml'}: {words}")


def test_a_name_keeps_its_letters_or_is_refused(tmp_path: Path) -> None:
    file = write_csv(tmp_path / "Süd 1.csv", pump_columns())
    with pytest.raises(GustbedError, match=r"turbine 'Süd 1': 'ü' cannot be in a name"):
        import_files(write_map(tmp_path), [file], tmp_path / "out", quiet)
    lines: list[str] = []
    file = file.rename(tmp_path / "South 1.csv")
    out = import_files(write_map(tmp_path), [file], tmp_path / "out", lines.append)
    assert [each.turbine for each in open_dataset(out).recordings()] == ["South-1"]
    assert "South-1 ('South 1'), 200 of 200 rows" in lines[0]


@pytest.mark.parametrize("rows", [slice(0, 200), slice(40, 160)])
def test_the_same_data_under_two_names_are_named(tmp_path: Path, rows: slice) -> None:
    columns = pump_columns()
    first = write_csv(tmp_path / "p1.csv", columns)
    # Written otherwise, so that the files differ.
    again = {name: [*columns[name]][rows] for name in ("bad", "Flow", "Warmth in F", "when")}
    second = tmp_path / "p2.parquet"
    pa_parquet.write_table(pa.table(again), second)
    with pytest.raises(GustbedError) as caught:
        import_files(write_map(tmp_path), [first, second], tmp_path / "out", quiet)
    assert f"{second}: row 1 and after: turbine 'p2' has the same data as 'p1'" in str(caught.value)


def test_turbines_that_stand_still_alike_are_not_the_same() -> None:
    rng = np.random.default_rng(5)
    still, one, other = np.zeros((300, 2)), rng.normal(size=(300, 2)), rng.normal(size=(300, 2))
    a, _ = runs_of(np.vstack([still, one]))
    b, _ = runs_of(np.vstack([other, still]))
    assert shared(a, b) is None
    assert shared(a, a) is not None

"""Anybody's recordings become a dataset by a map, or one line says which file, row and column."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest

from gustbed_core.errors import GustbedError
from gustbed_core.event_kinds import SENSOR
from gustbed_core.turbine_types import load_type
from gustbed_training.data.dataset import open_dataset
from gustbed_training.data.import_map import read_map
from gustbed_training.data.importing import import_files
from gustbed_training.data.leakage import check_no_leakage
from gustbed_training.data.split import partition_dataset
from gustbed_training.data.writing import sha256
from gustbed_twin.recordings.parquet import read_parquet
from tests.unit.training.recorded import (
    PUMP_MAP,
    Columns,
    pump_columns,
    write_csv,
    write_map,
)

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"


def quiet(_line: str) -> None:
    return


def bring(folder: Path, columns: Columns, extra: str = "", name: str = "p1.csv") -> Path:
    """Import one file."""
    file = write_csv(folder / name, columns)
    return import_files(write_map(folder, extra), [file], folder / "out", quiet)


def test_columns_become_channels_in_their_units(tmp_path: Path) -> None:
    columns = pump_columns()
    (recording,) = open_dataset(bring(tmp_path, columns)).recordings()
    warmth = np.array(columns["Warmth in F"], dtype=float) * 0.5 - 10
    np.testing.assert_allclose(recording.values[0], warmth, rtol=1e-6)
    np.testing.assert_allclose(recording.values[1], np.array(columns["Flow"], float), rtol=1e-6)
    (label,) = recording.labels
    assert (label.fault, label.start, label.stop) == ("leak", 150, 170)
    assert (label.violation, label.signals) == (SENSOR, ("flow",))
    assert recording.turbine == "p1"


def test_the_card_says_what_became_of_every_row(tmp_path: Path) -> None:
    columns = pump_columns()
    columns["Flow"][20] = ""
    for name in columns:
        del columns[name][50:52]
    lines: list[str] = []
    file = write_csv(tmp_path / "p1.csv", columns)
    import_files(write_map(tmp_path, "max_gap_s: 2\n"), [file], tmp_path / "out", lines.append)
    card = json.loads((tmp_path / "out" / "dataset.json").read_text())
    (counts,) = card["recordings"]
    assert counts == {
        "turbine": "p1", "file": "p1.csv", "rows": 198, "kept": 198, "filled": 0, "held": 1,
        "cut": 0, "breaks": 1, "samples": 198, "fit": None,
    }  # fmt: skip
    assert card["source"] == {"p1.csv": sha256(file)}
    assert card["files"] == {"p1.parquet": sha256(tmp_path / "out" / "p1.parquet")}
    assert card["channels"][0] == {"name": "warmth", "unit": "degC"}
    assert "1 values held" in lines[0]
    (first, second) = open_dataset(tmp_path / "out").recordings()
    assert (first.samples, second.samples, second.start) == (50, 148, 52.0)


def test_the_twin_replays_what_was_imported(tmp_path: Path) -> None:
    recording = bring(tmp_path, pump_columns()) / "p1.parquet"
    replayed = read_parquet(recording, load_type("mini"))
    assert (replayed.type, replayed.names, replayed.rate_hz) == ("pump", ("warmth", "flow"), 1.0)
    assert len(replayed.values) == 200


def test_rows_to_learn_from_are_counted_in_the_samples_they_became(tmp_path: Path) -> None:
    columns = pump_columns()
    columns["bad"] = [0] * 200
    for name in columns:
        del columns[name][10:14]
    dataset = open_dataset(bring(tmp_path, columns, "max_gap_s: 9\nsplit: {fit_rows: 100}\n"))
    assert dataset.split.fit == 104
    partition = partition_dataset(dataset)
    assert partition.calibrate[0].stop == partition.test[0].start == 104
    check_no_leakage(partition, dataset.schema)


def test_seconds_to_learn_from_and_turbines_for_tests(tmp_path: Path) -> None:
    files = []
    for i, name in enumerate(("p1", "p2")):
        columns = pump_columns(200 + 10 * i, seed=i)
        columns["bad"] = [0] * len(columns["bad"])
        files.append(write_csv(tmp_path / f"{name}.csv", columns))
    mapped = write_map(tmp_path, "split: {fit_s: 80, test_turbines: [p2]}\n")
    dataset = open_dataset(import_files(mapped, files, tmp_path / "out", quiet))
    partition = partition_dataset(dataset)
    assert {part.recording.turbine for part in partition.test} == {"p2"}
    assert partition.calibrate[0].stop == 80
    check_no_leakage(partition, dataset.schema, dataset.split.test_turbines)


def test_a_column_may_name_the_turbine(tmp_path: Path) -> None:
    columns = pump_columns()
    columns["remark"] = ["left pump", "right"] * 100
    columns["when"] = [columns["when"][i // 2] for i in range(200)]
    out = bring(tmp_path, columns, "turbine: {column: remark}\n")
    assert {each.turbine: each.samples for each in open_dataset(out).recordings()} == {
        "left-pump": 100,
        "right": 100,
    }


@pytest.mark.parametrize(
    ("time", "write"),
    [
        ("{column: when, unit: ms}", lambda i: 1_700_000_000_000 + 1000 * i),
        ("{column: when, unit: s}", lambda i: i),
        (
            "{column: when, format: '%d.%m.%y %H.%M.%S'}",
            lambda i: f"01.02.24 00.{i // 60:02d}.{i % 60:02d}",
        ),
        ("{column: when, format: iso}", lambda i: f"2024-02-01T00:{i // 60:02d}:{i % 60:02d}Z"),
    ],
)  # fmt: skip
def test_times_are_read_as_the_map_says(
    tmp_path: Path, time: str, write: Callable[[int], object]
) -> None:
    columns = pump_columns()
    columns["when"] = [write(i) for i in range(200)]
    text = PUMP_MAP.replace("{column: when, format: iso}", time)
    file = write_csv(tmp_path / "p1.csv", columns)
    out = import_files(write_map(tmp_path, text=text), [file], tmp_path / "out", quiet)
    (recording,) = open_dataset(out).recordings()
    assert recording.samples == 200


def test_semicolons_decimal_commas_and_parquet_read_alike(tmp_path: Path) -> None:
    columns = pump_columns()
    comma = columns | {
        name: [str(value).replace(".", ",") for value in columns[name]]
        for name in ("Warmth in F", "Flow")
    }
    first = write_csv(tmp_path / "p1.csv", comma, separator=";")
    style = write_map(tmp_path, 'separator: ";"\ndecimal: ","\n')
    a = import_files(style, [first], tmp_path / "a", quiet)
    pa_parquet.write_table(pa.table(columns), tmp_path / "p1.parquet")
    b = import_files(write_map(tmp_path), [tmp_path / "p1.parquet"], tmp_path / "b", quiet)
    (text,), (binary,) = open_dataset(a).recordings(), open_dataset(b).recordings()
    np.testing.assert_array_equal(text.values, binary.values)
    assert text.labels == binary.labels


def test_a_file_without_times_is_taken_as_even(tmp_path: Path) -> None:
    text = PUMP_MAP.replace("time: {column: when, format: iso}\n", "")
    file = write_csv(tmp_path / "p1.csv", pump_columns())
    out = import_files(write_map(tmp_path, text=text), [file], tmp_path / "out", quiet)
    (recording,) = open_dataset(out).recordings()
    assert recording.samples == 200


def change(name: str, index: int, value: object) -> Callable[[Columns], None]:
    def spoil(columns: Columns) -> None:
        columns[name][index] = value

    return spoil


def drop(name: str) -> Callable[[Columns], None]:
    def spoil(columns: Columns) -> None:
        del columns[name]

    return spoil


def dead(columns: Columns) -> None:
    columns["Flow"] = [32] * 200


def short(columns: Columns) -> None:
    for name in columns:
        del columns[name][9:]


def nothing(columns: Columns) -> None:
    for name in columns:
        columns[name].clear()


def empty(columns: Columns) -> None:
    columns["Flow"] = [""] * 200


def hardly_filled(columns: Columns) -> None:
    columns["Flow"] = [value if i % 15 == 0 else "" for i, value in enumerate(columns["Flow"])]


def broken(columns: Columns) -> None:
    columns["when"] = [f"2024-05-01 00:{i // 8:02d}:{i % 8:02d}" for i in range(200)]


def slow(columns: Columns) -> None:
    columns["when"] = [f"2024-05-01 00:{i // 30:02d}:{2 * i % 60:02d}" for i in range(200)]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (drop("Flow"), "column 'Flow' is missing: the file has when, Warmth in F, bad, remark"),
        (drop("bad"), "column 'bad' is missing"),
        (change("Flow", 5, "north"), "row 7, column 'Flow': 'north' is not a number"),
        (change("Flow", 5, ""), "row 7, column 'Flow': empty or not finite: mend or"),
        (change("Flow", 5, "inf"), "row 7, column 'Flow': not finite"),
        (change("bad", 5, "perhaps"), "row 7, column 'bad': 'perhaps' is no label"),
        (change("bad", 5, "7"), "row 7, column 'bad': '7' is no label"),
        (change("bad", 5, ""), "row 7, column 'bad': empty"),
        (change("when", 5, "noon"), "row 7, column 'when': 'noon' is not a time in iso"),
        (change("when", 5, "2024-05-01 00:00:04"), "row 7, column 'when': the same time"),
        (change("when", 5, "2024-05-01 00:00:02"), "row 7, column 'when': time goes back by 2 s"),
        (dead, "column 'Flow' never changes from 32 in 200 rows: a dead sensor?"),
        (short, "9 rows hold no unbroken stretch of 10 samples, the longest has 9: record 10 s at"),
        (empty, "column 'Flow' has no value in 200 rows: leave its channel out of the map"),
        (broken, "the longest has 8; its time goes on elsewhere 24 times: set a larger max_gap_s"),
        (slow, "row 2, column 'when': sampled every 2 s, where the map says every 1 s"),
        (nothing, "no row in it"),
    ],
)  # fmt: skip
def test_bad_data_is_one_line_that_names_file_row_and_column(
    tmp_path: Path, spoil: Callable[[Columns], None], words: str
) -> None:
    columns = pump_columns()
    spoil(columns)
    with pytest.raises(GustbedError) as caught:
        bring(tmp_path, columns)
    assert str(caught.value).startswith(str(tmp_path / "p1.csv"))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    # Nothing is left behind.
    assert sorted(path.name for path in tmp_path.iterdir()) == ["map.yaml", "p1.csv"]


def test_a_column_that_is_hardly_filled_is_named_where_it_cuts_all_to_pieces(
    tmp_path: Path,
) -> None:
    columns = pump_columns()
    hardly_filled(columns)
    with pytest.raises(GustbedError, match="longest has 1; column 'Flow' has no value in 186 rows"):
        bring(tmp_path, columns, "max_gap_s: 1\n")


def test_of_several_turbines_in_a_file_the_one_with_a_dead_sensor_is_named(tmp_path: Path) -> None:
    columns = pump_columns()
    for row in range(200):
        columns["remark"][row] = "t1" if row < 100 else "t2"
        if row >= 100:
            columns["Flow"][row] = 32
    with pytest.raises(GustbedError, match=r"p1\.csv: turbine 't2': column 'Flow' never changes"):
        bring(tmp_path, columns, "turbine: {column: remark}\n")


def test_what_is_asked_of_who_brings_one_labelled_recording_suffices(tmp_path: Path) -> None:
    columns = pump_columns()
    with pytest.raises(GustbedError, match="for tests alone") as caught:
        partition_dataset(open_dataset(bring(tmp_path, columns)))
    asked = "split: {fit_s: 150}"
    assert asked in caught.value.remedy
    (tmp_path / "again").mkdir()
    partition = partition_dataset(open_dataset(bring(tmp_path / "again", columns, f"{asked}\n")))
    (tested,) = partition.test
    assert [label.start for label in tested.recording.labels] == [tested.start]


def test_a_dead_sensor_may_be_allowed(tmp_path: Path) -> None:
    columns = pump_columns()
    dead(columns)
    out = bring(tmp_path, columns, "allow_constant: [flow]\n")
    assert len(list(open_dataset(out).recordings())) == 1


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("window: 10", "windows: 10", "unknown field `windows`"),
        ("from: Flow", "form: Flow", "columns"),
        ("unit: l/min", "unit: furlongs", "columns.flow: unit 'furlongs' is unknown"),
        ("from: Flow, unit: l/min", "from: Warmth in F", "'Warmth in F' is mapped twice"),
        ("  flow:", "  warmth:", "line 7: 'warmth' is there twice"),
        ("scale: 0.5", "scale: 0", "columns.warmth: scale 0"),
        ("  flow:", "  fault_flow:", "columns.fault_flow: no name for a channel"),
        ("signals: [flow]", "signals: [heat]", "labels.leak.signals: no channel 'heat'"),
        ("violation: sensor", "violation: hunger", "labels"),
        ("format: iso", "format: iso, unit: s", "time: give format or unit"),
        ("sample_rate_hz: 1", "sample_rate_hz: 0", "sample_rate_hz"),
        ("sample_rate_hz: 1", "sample_rate_hz: 500", "at most 100 samples a second"),
        ("window: 10", "split: {fit_rows: 5, fit_s: 5}", "give one of the two"),
        ("window: 10", "split: {test_turbines: [p9]}", "no turbine 'p9': there are p1"),
        ("window: 10", "allow_constant: [heat]", "allow_constant: no channel 'heat'"),
        ("window: 10", "drivers: {flow: [heat]}", "drivers.flow: no feature 'heat'"),
        ("turbine_type: pump", "turbine_type: a/b", "turbine_type"),
    ],
)  # fmt: skip
def test_a_wrong_map_is_named_by_its_key(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert old in PUMP_MAP
    file = write_csv(tmp_path / "p1.csv", pump_columns())
    mapped = write_map(tmp_path, text=PUMP_MAP.replace(old, new))
    with pytest.raises(GustbedError) as caught:
        import_files(mapped, [file], tmp_path / "out", quiet)
    assert str(caught.value).startswith(str(mapped))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_files_that_cannot_be_are_named(tmp_path: Path) -> None:
    mapped = write_map(tmp_path)
    good = write_csv(tmp_path / "p1.csv", pump_columns())
    twin = write_csv(tmp_path / "other" / "p1.csv", pump_columns(seed=2))
    copy = tmp_path / "copy.csv"
    copy.write_bytes(good.read_bytes())
    text = tmp_path / "p1.txt"
    text.write_text("x")
    binary = tmp_path / "b.parquet"
    binary.write_bytes(b"PAR1 nothing PAR1")
    doubled = tmp_path / "d.csv"
    doubled.write_text(good.read_text().replace("remark", "Flow", 1))
    semicolons = write_csv(tmp_path / "s.csv", pump_columns(), separator=";")
    for files, words in (
        ([], "no file to import"),
        ([tmp_path / "p9.csv"], r"p9\.csv: no such file"),
        ([good, twin], r"other/p1\.csv: turbine 'p1' is in .*p1\.csv too"),
        ([good, copy], r"copy\.csv: the same as .*p1\.csv"),
        ([text], r"p1\.txt: neither \.csv nor \.parquet"),
        ([binary], r"b\.parquet"),
        ([doubled], r"d\.csv: column 'Flow' is there twice"),
        ([semicolons], r"s\.csv: row 1 is one column only, .*separator is ','"),
    ):
        with pytest.raises(GustbedError, match=words):
            import_files(mapped, files, tmp_path / "out", quiet)
        assert not (tmp_path / "out").exists()


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    out = bring(tmp_path, pump_columns())
    before = (out / "dataset.json").read_bytes()
    with pytest.raises(GustbedError, match="is there already"):
        bring(tmp_path, pump_columns(seed=3))
    assert (out / "dataset.json").read_bytes() == before


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_the_examples_are_maps(example: Path) -> None:
    mapped, schema = read_map(example)
    assert schema.channel_names == tuple(mapped.columns)
    assert len(example.read_text().splitlines()) < 30

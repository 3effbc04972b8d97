"""Datasets: labelled, reproducible, replayable, and honest about bad requests."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
import pytest

from gustbed_core.errors import GustbedError
from gustbed_core.event_kinds import ROTATION, VIBRATION, VOLTAGE
from gustbed_twin.__main__ import main
from gustbed_twin.physics.registry import load_physics
from gustbed_twin.recordings.text import read_recording
from gustbed_twin.scenarios.scenario import FaultPart, parse_fault, read_scenario
from gustbed_twin.wind.miniature import WindConfig
from tests.unit.twin.miniatures import CHANNEL_NAMES, CHANNELS, MINI, mini_farm

SECONDS = 90
IDS = ("wt01", "wt02", "wt03")
PHYSICS = load_physics("mini")
LABELS = tuple(f"fault_{kind}" for kind in PHYSICS.faults)


def generate(out: Path, *extra: str) -> int:
    size = ["--turbines", "3", "--hours", str(SECONDS / 3600), "--seed", "7"]
    return main(["generate", *size, "--out", str(out), *extra])


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("data") / "a set"
    fault = "wt02:voltage:start=20:duration=30:severity=0.8:ramp=5"
    assert generate(out, "--fault", fault, "--csv", "wt02") == 0
    return out


def test_one_file_per_turbine_with_units(dataset: Path) -> None:
    table = parquet.read_table(dataset / "wt01.parquet")
    assert table.column_names == ["t", *CHANNEL_NAMES, *LABELS]
    assert table.num_rows == SECONDS * 20
    for channel in CHANNELS:
        assert table.schema.field(channel.name).metadata[b"unit"] == channel.unit.encode()
    assert np.allclose(table["t"].to_numpy(), np.arange(SECONDS * 20) / 20)


def test_values_are_what_the_running_twin_gives(dataset: Path) -> None:
    farm = mini_farm(7, range(3), WindConfig())
    live = np.concatenate([farm.advance(10) for _ in range(2 * SECONDS)], axis=2)
    table = parquet.read_table(dataset / "wt03.parquet")
    for i, name in enumerate(CHANNEL_NAMES):
        assert np.array_equal(table[name].to_numpy(), live[2, i]), name


def test_labels_say_which_fault_is_there_and_how_much(dataset: Path) -> None:
    label = parquet.read_table(dataset / "wt02.parquet")["fault_voltage"].to_numpy()
    assert not label[: 20 * 20].any()
    assert (np.diff(label[20 * 20 : 25 * 20]) > 0).all()
    assert (label[25 * 20 : 50 * 20] == 0.8).all()
    # Faults leave as they came.
    assert (np.diff(label[50 * 20 : 55 * 20]) < 0).all()
    assert not label[55 * 20 :].any()
    for turbine, column in (("wt01", "fault_voltage"), ("wt02", "fault_rotation")):
        assert not parquet.read_table(dataset / f"{turbine}.parquet")[column].to_numpy().any()


def test_the_card_says_where_everything_comes_from(dataset: Path) -> None:
    card = json.loads((dataset / "dataset.json").read_text())
    assert card["seed"] == 7
    assert card["sample_rate_hz"] == 20
    assert card["wind"] == {"mean": 2.15, "turbulence": 0.15}
    assert card["faults"][0]["turbine"] == "wt02"
    assert set(card["files"]) == {"wt01.parquet", "wt02.parquet", "wt03.parquet", "wt02.csv"}
    assert {"gustbed-twin", "numpy"} <= card["versions"].keys()


def test_the_csv_replays_exactly(dataset: Path) -> None:
    rows = read_recording(dataset / "wt02.csv", MINI).values
    table = parquet.read_table(dataset / "wt02.parquet")
    for i, name in enumerate(CHANNEL_NAMES):
        assert np.array_equal(rows[:, i], table[name].to_numpy()), name


def test_the_same_request_makes_the_same_bytes(dataset: Path, tmp_path: Path) -> None:
    fault = "wt02:voltage:start=20:duration=30:severity=0.8:ramp=5"
    assert generate(tmp_path / "b", "--fault", fault) == 0
    for name in ("wt01.parquet", "wt02.parquet"):
        assert (tmp_path / "b" / name).read_bytes() == (dataset / name).read_bytes()


def test_a_dataset_is_not_overwritten_unasked(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (dataset / "wt01.parquet").read_bytes()
    assert generate(dataset) == 1
    assert "holds a dataset" in capsys.readouterr().err
    assert (dataset / "wt01.parquet").read_bytes() == before


@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_a_scenario_file_gives_wind_and_faults(tmp_path: Path, suffix: str) -> None:
    text = {
        "json": '{"wind_mean": 1.9, "faults": [{"turbine": "wt01", "kind": "vibration"}]}',
        "yaml": "wind_mean: 1.9\nfaults:\n  - {turbine: wt01, kind: vibration, start: 30}\n",
    }[suffix]
    path = tmp_path / f"s.{suffix}"
    path.write_text(text)
    scenario = read_scenario(path, PHYSICS, IDS)
    assert scenario.wind.mean == 1.9
    assert scenario.faults[0].kind == VIBRATION
    assert generate(tmp_path / "out", "--scenario", str(path)) == 0
    card = json.loads((tmp_path / "out" / "dataset.json").read_text())
    assert card["wind"]["mean"] == 1.9
    assert card["faults"][0]["duration"] is None


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("faults: [{turbine: wt01, kind: fire}]", "faults"),
        ("faults: [{turbine: wt01}]", "kind"),
        ("faults: [{turbine: wt01, kind: voltage, severity: 3}]", "severity"),
        ("faults: {", "line"),
        ("- 1", "object"),
    ],
)
def test_a_bad_scenario_is_named_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, named: str
) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    assert generate(tmp_path / "out", "--scenario", str(path)) == 1
    error = capsys.readouterr().err
    assert error.startswith("gustbed-twin: ")
    assert "bad.yaml" in error
    assert named in error
    assert error.count("\n") == 1


def test_a_fault_flag_is_read() -> None:
    expected = FaultPart("wt02", VOLTAGE, 600.0, 60.0, 0.8, 5.0)
    assert (
        parse_fault("wt02:voltage:start=600:duration=60:severity=0.8:ramp=5", PHYSICS, IDS)
        == expected
    )
    assert parse_fault("wt02:rotation", PHYSICS, IDS) == FaultPart("wt02", ROTATION)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "wt01",
        "wt01:fire",
        *(
            f"wt01:voltage:{option}"
            for option in (
                "severity=2",
                "severity=nan",
                "severity=a",
                "start=-1",
                "start=nan",
                "duration=0",
                "ramp=inf",
                "x=1",
                "5",
            )
        ),
    ],
)
def test_a_bad_fault_flag_is_refused(text: str) -> None:
    with pytest.raises(GustbedError, match="--fault"):
        parse_fault(text, PHYSICS, IDS)


def test_a_fault_for_a_turbine_that_does_not_exist_is_refused() -> None:
    with pytest.raises(GustbedError, match="wt09"):
        parse_fault("wt09:voltage", PHYSICS, IDS)


def test_a_csv_of_a_turbine_that_does_not_exist_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate(tmp_path / "out", "--csv", "wt09") == 1
    assert "--csv: no turbine 'wt09'" in capsys.readouterr().err


def test_a_shard_writes_its_turbines_as_the_whole_farm_has_them(
    dataset: Path, tmp_path: Path
) -> None:
    fault = "wt02:voltage:start=20:duration=30:severity=0.8:ramp=5"
    assert generate(tmp_path / "s", "--fault", fault, "--shard", "2/3") == 0
    assert [path.name for path in (tmp_path / "s").glob("*.parquet")] == ["wt02.parquet"]
    name = "wt02.parquet"
    assert (tmp_path / "s" / name).read_bytes() == (dataset / name).read_bytes()


@pytest.mark.parametrize(
    "flags",
    [["--turbines", "0"], ["--hours", "x"], ["--seed", "-1"], ["--turbulence", "7"], ["--bogus"]],
)
def test_wrong_usage_exits_with_2(tmp_path: Path, flags: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        generate(tmp_path, *flags)
    assert caught.value.code == 2


def test_a_folder_that_cannot_be_made_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert generate(tmp_path / "file" / "out") == 1
    assert "--out" in capsys.readouterr().err

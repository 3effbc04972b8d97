"""What a folder of recordings is, and what its card says of its faults."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gustbed_core.errors import GustbedError
from gustbed_core.event_kinds import THERMAL, VOLTAGE
from gustbed_core.turbine_types import load_type
from gustbed_core.type_file import schema_to_json
from gustbed_training.data.dataset import (
    DESCRIPTION,
    check_complete,
    open_dataset,
    role_of,
)
from gustbed_training.data.labels import Injection, LabelRules, labels_of
from gustbed_training.data.split import partition_dataset
from gustbed_training.data.writing import write_card, write_recording
from tests.unit.training.recorded import pump_schema, write_csv

NREL = load_type("nrel_5mw").schema
PUMP = pump_schema()


def write(folder: Path, name: str = "a", samples: int = 300, label: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(1).normal(size=(samples, 2))
    severity = np.where(np.arange(samples) > 250, 0.4, 0.0)
    labels = {f"fault_{label}": severity} if label else {}
    write_recording(
        folder / f"{name}.parquet", PUMP, np.arange(samples) / PUMP.sample_rate_hz, values, labels
    )
    return folder


def card(folder: Path, **fields: Any) -> Path:
    write_card(folder, PUMP, ["a"], {"labels": []} | fields)
    return folder


def test_a_folder_with_a_card_brings_its_schema_and_its_rules(tmp_path: Path) -> None:
    write(tmp_path, label="leak")
    card(tmp_path, violations={"leak": "thermal"}, signals={"leak": ["flow"]}, split={"fit": 100})
    dataset = open_dataset(tmp_path)
    assert dataset.schema == PUMP
    (recording,) = dataset.recordings()
    assert (recording.fit, recording.turbine) == (100, "a")
    (label,) = recording.labels
    assert (label.start, label.stop, label.signals) == (251, 300, ("flow",))
    assert label.severity == pytest.approx(0.4)
    assert label.violation == THERMAL
    assert dataset.card["turbines"] == ["a"]


def test_a_card_that_only_names_its_type_gets_the_schema_of_that_type(tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_text(json.dumps({"schema": 1, "type": "nrel_5mw"}))
    (tmp_path / "wt01.parquet").touch()
    machine = open_dataset(tmp_path)
    assert machine.schema == NREL
    assert not machine.must_vary, "a machine that has tripped may stand still"
    (tmp_path / "dataset.json").write_text(json.dumps({"schema": 1}))
    miniature = open_dataset(tmp_path)
    assert miniature.schema == load_type("mini").schema
    assert miniature.must_vary


def test_a_parquet_file_alone_says_its_type(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(GustbedError, match="no turbine type 'pump'"):
        open_dataset(tmp_path)


def test_runs_are_named_after_what_they_are_for(tmp_path: Path) -> None:
    for role in ("train", "calibrate", "fault"):
        card(write(tmp_path / f"{role}-x", label="leak" if role == "fault" else ""))
    dataset = open_dataset(tmp_path)
    assert [source.role for source in dataset.sources] == ["calibrate", "fault", "train"]
    assert dataset.has_roles
    partition = partition_dataset(dataset)
    assert [len(partition.train), len(partition.calibrate), len(partition.test)] == [1, 2, 2]
    assert role_of(tmp_path / "monday" / "wt01.csv", tmp_path) == "train"
    # A file's own name is nobody's role.
    assert role_of(tmp_path / "test-a.csv", tmp_path) == "train"
    assert role_of(tmp_path / "test-a.csv", tmp_path / "test-a.csv") == "train"


def test_one_dataset_is_of_one_type(tmp_path: Path) -> None:
    card(write(tmp_path / "train-pump"))
    (tmp_path / "train-mini").mkdir()
    write_csv(tmp_path / "train-mini" / "wt01.csv", {"rps": [1]})
    with pytest.raises(GustbedError, match=r"wt01.csv is of type mini, a.parquet of pump"):
        open_dataset(tmp_path)


def test_a_broken_card_is_named(tmp_path: Path) -> None:
    write(tmp_path)
    for content in ("{", '{"schema": 7}', '{"split": 1}'):
        (tmp_path / "dataset.json").write_text(content)
        with pytest.raises(GustbedError, match=r"dataset\.json"):
            open_dataset(tmp_path)
    spoilt = schema_to_json(PUMP) | {"window": 0}
    (tmp_path / "dataset.json").write_text(json.dumps({"type": "pump", "detection": spoilt}))
    with pytest.raises(GustbedError, match="window"):
        open_dataset(tmp_path)


def test_an_unfinished_dataset_is_refused_until_it_is_whole(tmp_path: Path) -> None:
    write(tmp_path / ".train-a.7.part")
    with pytest.raises(GustbedError, match="unfinished"):
        check_complete(tmp_path)
    (tmp_path / DESCRIPTION).write_text("{}")
    check_complete(tmp_path)


def test_the_digest_follows_names_and_contents(tmp_path: Path) -> None:
    card(write(tmp_path))
    first = open_dataset(tmp_path).digest()
    assert open_dataset(tmp_path).digest() == first
    (tmp_path / "a.parquet").rename(tmp_path / "b.parquet")
    assert open_dataset(tmp_path).digest() != first


def labels(turbine: str, fault: str, start: int, stop: int, rules: LabelRules) -> Any:
    severity = np.zeros(2000)
    severity[start:stop] = 0.5
    times = np.arange(2000) / NREL.sample_rate_hz
    (label,) = labels_of(turbine, times, {f"fault_{fault}": severity}, rules, NREL)
    return label


@pytest.mark.parametrize(
    "fault", [{"turbine": "wt02", "start": 10.0}, {"turbine": 1, "at": 10.0, "action": "inject"}]
)
def test_cards_of_this_twin_and_of_earlier_ones_say_the_same(
    tmp_path: Path, fault: dict[str, object]
) -> None:
    listed = fault | {"kind": "sensor_stuck", "severity": 0.5, "signal": "pitch"}
    (tmp_path / "dataset.json").write_text(json.dumps({"type": "nrel_5mw", "faults": [listed]}))
    (tmp_path / "wt02.parquet").touch()
    (source,) = open_dataset(tmp_path).sources
    assert source.rules.injections == [Injection("sensor_stuck", "wt02", 10.0, "pitch")]


def test_a_sensors_fault_is_on_the_signal_that_the_card_names() -> None:
    rules = LabelRules(
        injections=[
            Injection("sensor_stuck", "wt01", 10.0, "voltage_l2"),
            Injection("sensor_stuck", "wt02", 10.0, "pitch"),
            Injection("sensor_drift", "wt01", 10.0, "status"),
            Injection("sensor_stuck", "wt01", 60.0, "hub_temperature"),
        ]
    )
    early = labels("wt01", "sensor_stuck", 200, 700, rules)
    assert early.signals == ("voltage_l2",)
    assert early.violation == VOLTAGE
    # A ramp has no severity at its first sample.
    assert labels("wt01", "sensor_stuck", 1201, 1500, rules).signals == ("hub_temperature",)
    assert labels("wt03", "sensor_stuck", 200, 700, rules).signals == ()


def test_a_violation_is_known_where_all_that_a_fault_moves_speaks_for_one() -> None:
    rules = LabelRules(
        {
            "winding_overheating": ["generator_stator_1_temperature"],
            "gearbox_bearing": ["gearbox_oil_temperature", "drivetrain_vibration"],
            "voltage": ["hub_temperature"],
        }
    )
    assert labels("wt01", "winding_overheating", 1, 9, rules).violation == THERMAL
    assert labels("wt01", "gearbox_bearing", 1, 9, rules).violation is None
    assert labels("wt01", "voltage", 1, 9, rules).violation == VOLTAGE
    assert labels("wt01", "unheard_of", 1, 9, rules).violation is None


def test_faults_of_one_column_are_told_apart_by_their_pauses() -> None:
    severity = np.array([0, 0.2, 0.9, 0, 0, 0.4, 0])
    found = labels_of("a", np.arange(7.0), {"fault_leak": severity}, LabelRules(), PUMP)
    assert [(each.start, each.stop, each.severity) for each in found] == [(1, 3, 0.9), (5, 6, 0.4)]

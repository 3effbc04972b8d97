"""The twin's own datasets, of both types, from a profile to shares."""

from collections import Counter
from pathlib import Path

import pytest

from gustbed_core.errors import GustbedError
from gustbed_training.data.dataset import Dataset, open_dataset
from gustbed_training.data.leakage import check_no_leakage
from gustbed_training.data.profiles import profile
from gustbed_training.data.report import write_report
from gustbed_training.data.split import evaluation_parts, partition_dataset
from gustbed_training.data.statistics import reference_of
from gustbed_training.data.twin import Profile, Run, make


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("twin") / "nrel"
    make(profile("nrel_5mw-tiny"), folder, lambda line: None)
    return folder


@pytest.fixture(scope="module")
def dataset(folder: Path) -> Dataset:
    return open_dataset(folder)


def test_a_utility_dataset_is_shared_out_without_leaks(dataset: Dataset) -> None:
    partition = partition_dataset(dataset)
    assert dataset.schema.turbine_type == "nrel_5mw"
    assert partition.train
    assert partition.calibrate
    check_no_leakage(
        partition, dataset.schema, reference=reference_of(partition.train, dataset.schema)
    )


def test_every_fault_is_a_label_with_what_it_moves(dataset: Dataset) -> None:
    asked = next(run.scenario for run in profile("nrel_5mw-tiny").runs if run.role == "fault")
    assert asked is not None
    wanted = Counter((f["turbine"], f["kind"], f.get("signal", "")) for f in asked["faults"])
    found: Counter[tuple[str, str, str]] = Counter()
    for part in evaluation_parts(dataset):
        for label in part.recording.labels:
            assert label.signals
            assert label.stop - label.start == pytest.approx(420 * 20, abs=30)
            sensor = label.fault.startswith("sensor_")
            found[part.recording.turbine, label.fault, label.signals[0] if sensor else ""] += 1
    assert found == wanted


def test_a_report_of_it_is_one_page_with_its_pictures(dataset: Dataset, tmp_path: Path) -> None:
    page = write_report(dataset.folder, tmp_path).read_text()
    assert page.count("<svg") == 5
    assert "gearbox_bearing_temperature" in page
    assert "sensor_drift" in page
    assert not [link for link in ("http-equiv", "<script", "<link", 'src="') if link in page]


def test_what_the_twin_refuses_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    scenario = {"faults": [{"kind": "rust"}]}
    wrong = Run("train", "x", 1, 0.01, 1, 9.0, 0.1, scenario=scenario, type="nrel_5mw")
    with pytest.raises(GustbedError, match="the twin failed to simulate train-x") as caught:
        make(Profile("wrong", (wrong,)), tmp_path / "d", lambda line: None)
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "d").iterdir()) == []


def test_normal_operation_of_training_holds_no_trip(tmp_path: Path) -> None:
    # Commands in strong wind are what can trip a machine; a model would learn that as normal.
    runs = tuple(
        run
        for run in profile("nrel_5mw").runs
        if run.role != "fault" and run.wind > 17 and run.scenario and run.scenario.get("commands")
    )
    assert len(runs) >= 4
    make(Profile("strong", runs), tmp_path / "strong", lambda line: None)
    dataset = open_dataset(tmp_path / "strong")
    status, tripped = dataset.schema.channel_names.index("status"), 5
    assert not [
        recording.source
        for recording in dataset.recordings()
        if (recording.values[status] == tripped).any()
    ]

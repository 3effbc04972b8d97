"""Comparing detectors: every one with every seed, in any order, once."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gustbed_training.__main__ import main
from gustbed_training.detectors.registry import DETECTORS
from gustbed_training.pipeline import comparison, parallel
from gustbed_training.pipeline.comparison import ComparisonData, run_all
from gustbed_training.pipeline.measure import Measured
from gustbed_training.pipeline.steps import BASELINE
from tests.unit.training.toy import FAULTY, Mean, write_dataset


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two detectors, in this process: another would not know them."""
    monkeypatch.setitem(DETECTORS, "mean", Mean)
    monkeypatch.setitem(DETECTORS, BASELINE, lambda: Mean(weaken=0.9))

    def one_by_one(
        work: Callable[[comparison.Trial], Measured], trials: list[comparison.Trial]
    ) -> Iterator[tuple[comparison.Trial, Measured]]:
        return ((trial, work(trial)) for trial in reversed(trials))

    monkeypatch.setattr(comparison, "finished", one_by_one)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("toy") / "toy", ((), (), FAULTY))


def test_every_detector_meets_every_seed_in_order(data: Path, tmp_path: Path) -> None:
    runs = run_all(
        [ComparisonData("toy", data)], ("mean", BASELINE), (0, 1), tmp_path, lambda _: None
    )
    assert [(run.detector, run.seed) for run in runs] == [
        ("mean", 0), (BASELINE, 0), ("mean", 1),
    ]  # fmt: skip
    vus = {(run.detector, run.seed): run.evaluation.vus_pr or 0.0 for run in runs}
    assert vus["mean", 0] > vus[BASELINE, 0]


def test_what_is_trained_already_is_not_trained_again(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy = Mean()
    monkeypatch.setitem(DETECTORS, "mean", lambda: toy)
    for seeds in ((0, 1), (1, 2)):
        run_all([ComparisonData("toy", data)], ("mean",), seeds, tmp_path, lambda _: None)
    assert [plan.seed for plan in toy.fits] == [1, 0, 2]


def test_what_is_cut_short_is_said_and_done(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy = Mean()
    monkeypatch.setitem(DETECTORS, "mean", lambda: toy)
    monkeypatch.setattr(comparison, "EPOCHS", {"mean": 3})
    lines: list[str] = []
    run_all([ComparisonData("toy", data)], ("mean",), (0,), tmp_path, lines.append)
    assert [plan.epochs for plan in toy.fits] == [3]
    assert any("mean learns for 3 epochs" in line for line in lines)
    assert "mean learns for 3 epochs" in comparison.describe(ComparisonData("toy", data))


def test_trainings_at_a_time_follow_cores_and_memory() -> None:
    each = parallel.BYTES_EACH
    assert parallel.processes(16, 128 * 2**30) == 16
    assert parallel.processes(16, 5 * each) == 5
    assert parallel.processes(2, 100 * each) == 2
    assert parallel.processes(4, each // 2) == 1


def test_another_dataset_can_be_what_is_judged_on(data: Path, tmp_path: Path) -> None:
    judging = write_dataset(tmp_path / "judging", (FAULTY[:4],))
    both = ComparisonData("toy", data, judging)
    (run,) = run_all([both], ("mean",), (0,), tmp_path / "home", lambda _: None)
    assert len(run.evaluation.eventwise.outcomes) == 4
    assert "with 4 faults" in comparison.describe(both)


def test_the_command_prints_rows_and_writes_the_page(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["compare", "--data", str(data), "--seeds", "0,1", "--home", str(tmp_path / "home"),
             "--detectors", f"mean,{BASELINE}"]  # fmt: skip
    assert main([*words, "--json", "--docs", str(tmp_path / "docs")]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["detector"] for row in rows} == {"mean", BASELINE}
    assert all(row["settled_in_alarm"] is not None for row in rows)
    assert sum(row["shipped"] for row in rows) == 1
    wanted = {"vus_pr", "care", "event_recall", "false_per_day", "median_delay_s",
              "microseconds_per_window"}  # fmt: skip
    assert all(wanted <= row.keys() for row in rows)
    assert json.loads((tmp_path / "docs" / "detection.json").read_text()) == rows
    page = (tmp_path / "docs" / "detection.md").read_text()
    assert "| **mean** (ships) |" in page
    # What is known of the twin's turbines is not known of these.
    assert "nrel_5mw" not in page
    assert main([*words, "--against", str(tmp_path / "docs" / "detection.json")]) == 0
    printed = capsys.readouterr().out
    assert "VUS-PR" in printed
    # The steps are cached, so all is as it was.
    assert "10 of 10 figures lie within" in printed


def test_a_detector_without_chance_is_trained_once(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy = Mean()
    monkeypatch.setitem(DETECTORS, "mean", lambda: toy)
    monkeypatch.setattr(comparison, "ONCE", {"mean"})
    runs = run_all([ComparisonData("toy", data)], ("mean",), (4, 5), tmp_path, lambda _: None)
    assert [run.seed for run in runs] == [4]
    assert [plan.seed for plan in toy.fits] == [4]

"""The benchmark adds up rows, not shares, and tells them as its leaderboard does."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from bench import skab
from gustbed_training.data.import_map import read_map
from gustbed_training.data.partition import Recording
from gustbed_training.detectors.drift_intervals import Prior
from gustbed_training.detectors.prediction_intervals import LEVEL_DRIFT
from gustbed_training.evaluation.pointwise import ConfusionCounts

COLUMNS = tuple(part["from"] for part in yaml.safe_load(skab.MAP.read_text())["columns"].values())
Run = Callable[..., Path]


def _evaluation(right: int, false: int, missed: int, quiet: int) -> str:
    counts = {
        "true_positive": right,
        "false_positive": false,
        "false_negative": missed,
        "true_negative": quiet,
    }
    return json.dumps({"pointwise": {"counts": counts}})


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What each run's evaluation says; training is left out."""
    found: dict[str, str] = {}

    def training(*arguments: Any, made: Path | None = None) -> str:
        if arguments[0] != "evaluate":
            return ""
        return found[arguments[arguments.index("--data") + 1].stem]

    monkeypatch.setattr(skab, "_training", training)
    return found


@pytest.fixture
def run_file(tmp_path: Path) -> Run:
    """Writes a run as the benchmark does, anomalous from a row to another."""

    def write(name: str, faulty: tuple[int, int] = (450, 500), samples: int = 520) -> Path:
        path = tmp_path / f"{name}.csv"
        path.parent.mkdir(exist_ok=True)
        values = np.random.default_rng(0).normal(size=(samples, len(COLUMNS)))
        with path.open("w", newline="") as file:
            out = csv.writer(file, delimiter=";")
            out.writerow(("datetime", *COLUMNS, "anomaly", "changepoint"))
            for row, each in enumerate(values):
                # The clock stands still for a minute: a break, by the time.
                second = row + 60 * (row > 200)
                time = f"2020-03-09 10:{second // 60:02d}:{second % 60:02d}"
                out.writerow((time, *each, float(faulty[0] <= row < faulty[1]), 0.0))
        return path

    return write


def _rows(files: list[Path], *ways: str) -> list[skab.Row]:
    return list(skab.rows(files, ["dynamic"], ways or [skab.RUN], skab.MAP))


def test_runs_are_pooled_by_rows_and_not_by_their_shares(
    judged: dict[str, str], run_file: Run
) -> None:
    judged["valve1-long"] = _evaluation(800, 0, 0, 100)
    judged["valve1-short"] = _evaluation(0, 30, 100, 70)
    (row,) = _rows([run_file("valve1/long"), run_file("valve1/short")])
    assert row.missed_alarm_rate == pytest.approx(100 / 900, abs=1e-3)
    assert row.false_alarm_rate == pytest.approx(30 / 200, abs=1e-3)
    assert row.f1 == pytest.approx(1600 / (1600 + 100 + 30), abs=1e-3)
    assert row.rows == 1100
    assert row.by_run["valve1/long"] == (1.0, 0.0, 0.0)


def test_a_run_without_faults_has_false_alarms_only(judged: dict[str, str], run_file: Run) -> None:
    judged["valve1-calm"] = _evaluation(0, 20, 0, 80)
    (row,) = _rows([run_file("valve1/calm")])
    assert (row.f1, row.false_alarm_rate, row.missed_alarm_rate) == (0.0, 0.2, 0.0)


def test_every_folder_has_a_row_and_all_have_one_by_either_way_to_fit(
    judged: dict[str, str], run_file: Run
) -> None:
    judged["valve1-0"] = _evaluation(90, 10, 10, 90)
    judged["valve2-0"] = _evaluation(10, 0, 90, 100)
    files = [run_file("valve1/0"), run_file("valve2/0")]
    rows = _rows(files, *skab.WAYS)
    assert [(row.fit, row.folder, len(row.by_run)) for row in rows] == [
        (way, *folder) for way in skab.WAYS for folder in (("valve1", 1), ("valve2", 1), ("all", 2))
    ]
    assert rows[2].f1 == pytest.approx(200 / (200 + 10 + 100), abs=1e-3)


def test_all_runs_below_a_folder_are_found_and_what_is_no_run_is_not(run_file: Run) -> None:
    names = ("valve1/0", "valve1/2", "valve1/10", "other/1", "anomaly-free/anomaly-free")
    files = {name: run_file(name) for name in names}
    found = skab._files(files["other/1"].parents[1])
    assert found == [files[name] for name in ("other/1", "valve1/0", "valve1/2", "valve1/10")]


def test_by_the_protocol_no_row_is_left_out_whatever_its_time_and_label(
    run_file: Run, tmp_path: Path
) -> None:
    run = run_file("valve1/0", faulty=(390, 450))
    copy = skab.protocol_copy(run, "valve1/0", skab.MAP, tmp_path)
    with copy.open(newline="") as file:
        copied = list(csv.DictReader(file, delimiter=";"))
    anomalous = [row for row, line in enumerate(copied) if float(line["anomaly"])]
    assert anomalous == list(range(400, 450))
    with run.open(newline="") as file:
        given = list(csv.DictReader(file, delimiter=";"))
    assert [line["Current"] for line in copied] == [line["Current"] for line in given]
    mapped, schema = read_map(skab.protocol_map(skab.MAP, tmp_path / "map.yaml"))
    assert mapped.time is None
    assert mapped.split.fit_rows == 400
    assert set(mapped.allow_constant) == set(schema.channel_names)


def test_an_interval_is_as_wide_as_runs_differ() -> None:
    alike = [ConfusionCounts(80, 10, 20, 90)] * 8
    low, high = skab.f1_interval(alike)
    assert low == high == pytest.approx(160 / 190, abs=1e-3)
    unlike = [ConfusionCounts(100, 0, 0, 100), ConfusionCounts(0, 0, 100, 100)] * 4
    low, high = skab.f1_interval(unlike)
    assert low < 2 / 3 < high
    assert (low, high) == skab.f1_interval(unlike)


def test_pieces_of_a_recording_are_as_long_as_a_run_and_overlap() -> None:
    values = np.arange(2000, dtype=np.float32)[None]
    found = list(skab.pieces(Recording("normal.csv", "normal", 0.0, values)))
    assert [piece.samples for piece in found] == [1150] * 4
    assert [piece.values[0, 0] for piece in found] == [0, 250, 500, 750]


def test_a_prior_is_chosen_by_synthetic_faults_in_normal_rows_alone(run_file: Run) -> None:
    normal = run_file("anomaly-free", faulty=(0, 0), samples=1500)
    blind = Prior(1e6, 1e9)
    (_, found, false), (_, *nothing) = skab.choose(normal, skab.MAP, [LEVEL_DRIFT, blind])
    assert found > 0.5
    assert false < 0.2
    assert nothing[0] < found
    assert LEVEL_DRIFT in skab.CANDIDATES


def test_of_priors_as_good_as_the_best_the_quietest_is_taken() -> None:
    loud, quiet, poor = (Prior(drift, 2.0) for drift in (0.1, 0.2, 0.3))
    shares = {loud: (0.50, 0.17), quiet: (0.46, 0.135), poor: (0.40, 0.09)}
    assert skab.best_prior(shares) == quiet
    assert skab.best_prior(shares | {quiet: (0.44, 0.135)}) == loud

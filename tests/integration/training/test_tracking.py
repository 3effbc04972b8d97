"""Runs are recorded once, and a record that fails does not fail the run."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from gustbed_training.detectors.base import Plan
from gustbed_training.detectors.registry import DETECTORS
from gustbed_training.pipeline.identity import Identity
from gustbed_training.pipeline.job import Job
from gustbed_training.pipeline.steps import BASELINE, run
from gustbed_training.pipeline.tracking import URI, store_uri
from tests.unit.training.toy import FAULTY, Mean, write_dataset

# MLflow still uses what SQLAlchemy is going to drop.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    monkeypatch.delenv(URI, raising=False)
    monkeypatch.setitem(DETECTORS, "mean", Mean)
    monkeypatch.setitem(DETECTORS, BASELINE, Mean)
    data = write_dataset(tmp_path / "toy", ((), (), FAULTY))
    out = tmp_path / "p.tar.gz"
    return Job(data, Identity("toy", "1.0.0"), out, "mean", home=tmp_path / "home")


def test_a_run_is_recorded_once_with_figures_and_package(job: Job) -> None:
    lines: list[str] = []
    for seed in (0, 0, 1):
        run(replace(job, plan=Plan(seed)), lines.append)
    assert sum("6/6 register: cached" in line for line in lines) == 1
    client = MlflowClient(store_uri(job.home))
    experiment = client.get_experiment_by_name("toy")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert sorted(each.data.params["seed"] for each in runs) == ["0", "1"]
    for each in runs:
        assert each.info.status == "FINISHED"
        assert each.data.metrics["event_recall"] == 1.0
        assert each.data.tags["gate"] == "passed"
        assert len(each.data.tags["data_digest"]) == 64
        (artifact,) = client.list_artifacts(each.info.run_id)
        assert artifact.path == "package.tar.gz"


def test_without_mlflow_the_run_goes_on_and_says_so(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow.tracking", None)
    lines: list[str] = []
    assert run(job, lines.append).gate.passed
    assert any("not recorded: MLflow is not installed" in line for line in lines)


def test_a_store_that_fails_does_not_fail_the_run_and_is_tried_again(
    job: Job, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv(URI, "carrier-pigeon://loft")
        lines: list[str] = []
        assert run(job, lines.append).gate.passed
        assert any("6/6 register: not recorded:" in line for line in lines)
    lines.clear()
    run(job, lines.append)
    assert any("6/6 register: run " in line for line in lines)

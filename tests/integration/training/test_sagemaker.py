"""The pipeline as a SageMaker training job, in a faked tree of its folders."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from gustbed_core.errors import GustbedError
from gustbed_core.package import read_package
from gustbed_training import __main__
from gustbed_training.detectors.registry import DETECTORS
from gustbed_training.pipeline import sagemaker
from gustbed_training.pipeline.sagemaker import MARK, arguments, places, started_here, train
from gustbed_training.pipeline.steps import BASELINE
from tests.unit.training.toy import FAULTY, Mean, write_dataset


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An ``/opt/ml`` that nothing else stands for; no hyperparameter, no data yet."""
    for name in ("SM_INPUT_DIR", "SM_CHANNEL_TRAINING", "SM_MODEL_DIR", "SM_OUTPUT_DIR", MARK):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "ml"
    for name in ("input/config", "model", "output", "checkpoints"):
        (folder / name).mkdir(parents=True)
    monkeypatch.setattr(sagemaker, "ROOT", folder)
    return folder


def _ask(root: Path, **hyperparameters: str) -> None:
    path = root / "input" / "config" / "hyperparameters.json"
    path.write_text(json.dumps(hyperparameters))


def _give_data(root: Path) -> None:
    write_dataset(root / "input" / "data" / "training", ((), (), FAULTY))


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DETECTORS, "mean", Mean)
    monkeypatch.setitem(DETECTORS, "weak", lambda: Mean(weaken=0.9))
    monkeypatch.setitem(DETECTORS, BASELINE, Mean)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")


@pytest.mark.usefixtures("toys")
def test_the_word_train_alone_runs_the_job_and_leaves_the_package(root: Path) -> None:
    _give_data(root)
    _ask(root, detector='"mean"', seed="3", version="2.0.0", sagemaker_region='"eu-west-1"')
    assert __main__.main(["train"]) == 0
    manifest = read_package((root / "model" / "package.tar.gz").read_bytes()).manifest
    assert (manifest.detector, manifest.version, manifest.training["seed"]) == (
        "mean", "2.0.0", "3",
    )  # fmt: skip
    assert [path.name for path in (root / "model").iterdir()] == ["package.tar.gz"]
    assert not (root / "output" / "failure").exists()
    assert list((root / "checkpoints" / "pipeline").glob("train-*"))


@pytest.mark.usefixtures("toys")
def test_a_failure_is_told_where_sagemaker_shows_it(root: Path) -> None:
    _give_data(root)
    _ask(root, detector="weak")
    assert __main__.main(["train"]) == 1
    assert "quality gate" in (root / "output" / "failure").read_text()
    assert (root / "model" / "package.tar.gz").is_file()


@pytest.mark.parametrize(
    ("hyperparameters", "words"),
    [({"colour": "red"}, "hyperparameter 'colour'"), ({"epochs": "0"}, "wrong usage")],
)
def test_a_wrong_hyperparameter_is_named(
    root: Path, hyperparameters: dict[str, str], words: str
) -> None:
    _give_data(root)
    _ask(root, **hyperparameters)
    with pytest.raises((GustbedError, SystemExit)):
        __main__.execute(["train"])
    assert words in (root / "output" / "failure").read_text()


def test_without_data_the_channel_is_named(root: Path) -> None:
    assert __main__.main(["train"]) == 1
    assert "input channel 'training'" in (root / "output" / "failure").read_text()


def test_the_environment_says_where_things_are(root: Path, tmp_path: Path) -> None:
    elsewhere = {
        "SM_CHANNEL_TRAINING": str(tmp_path),
        "SM_MODEL_DIR": str(tmp_path / "model"),
        "SM_OUTPUT_DIR": str(tmp_path / "output"),
    }
    found = places(elsewhere)
    given = arguments(found)
    assert given[:5] == ["train", "--data", str(tmp_path), "--out",
                        str(tmp_path / "model" / "package.tar.gz")]  # fmt: skip
    assert found.failure == tmp_path / "output" / "failure"
    assert str(root / "checkpoints") in given


def test_an_incumbent_comes_by_a_channel_of_its_own(root: Path) -> None:
    _give_data(root)
    package = root / "input" / "data" / "incumbent" / "package.tar.gz"
    assert "--incumbent" not in arguments(places({}))
    package.parent.mkdir()
    package.touch()
    given = arguments(places({}))
    assert given[given.index("--incumbent") + 1] == str(package)


def test_an_unexpected_error_is_told_too(root: Path) -> None:
    _give_data(root)

    def broken(_: Sequence[str]) -> None:
        raise MemoryError("no room")

    with pytest.raises(MemoryError):
        train(broken, {})
    assert (root / "output" / "failure").read_text() == "no room"


def test_elsewhere_the_word_train_alone_is_wrong_usage(
    root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert started_here({})
    assert started_here({MARK: "{}"})
    monkeypatch.setattr(sagemaker, "ROOT", tmp_path / "none")
    assert not started_here({})
    with pytest.raises(SystemExit):
        __main__.main(["train"])

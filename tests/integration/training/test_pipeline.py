"""The whole way with real parts and processes: twin or a person's CSV, training, package."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gustbed_core.event_kinds import INJECTABLE
from gustbed_core.package import read_package
from gustbed_training.detectors.scoring import scorer

Run = Callable[..., subprocess.CompletedProcess[str]]
ENVIRONMENT = os.environ | {"SOURCE_DATE_EPOCH": "1700000000", "OMP_NUM_THREADS": "1"}
MAP = """
turbine_type: pump_of_mine
sample_rate_hz: 2
separator: ";"
time: {column: when, unit: s}
columns:
  pressure: {from: p1, unit: bar}
  flow: {from: q, unit: l/min}
labels:
  anomaly: {column: broken, violation: sensor}
window: 20
step: 5
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def run(folder: Path) -> Run:
    def run(module: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", module, *map(str, arguments)]
        return subprocess.run(
            command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False
        )

    return run


@pytest.fixture(scope="module")
def trained(run: Run, folder: Path) -> Callable[..., Path]:
    """Train with a home that other trainings share, unless another is named."""

    def train(name: str, *arguments: object) -> Path:
        out = folder / name / "package.tar.gz"
        done = run("gustbed_training", "train", "--out", out, "--no-record", *arguments)
        assert done.returncode == 0, done.stderr
        assert "6/6 register" in done.stderr
        return out

    return train


@pytest.fixture(scope="module")
def dataset(run: Run, folder: Path) -> Path:
    data = folder / "tiny"
    done = run("gustbed_training", "make-dataset", "--profile", "mini-tiny", "--out", data)
    assert done.returncode == 0, done.stderr
    return data


@pytest.fixture(scope="module")
def package(trained: Callable[..., Path], dataset: Path) -> Path:
    return trained("first", "--data", dataset, "--version", "1.2.3", "--detector", "pca")


def test_the_twins_data_become_a_package_that_serves(package: Path) -> None:
    read = read_package(package.read_bytes())
    assert (read.manifest.name, read.manifest.version) == ("windturbine", "1.2.3")
    np.testing.assert_array_equal(scorer(read.model)(read.golden_windows)[1], read.golden_ratios)
    assert "# windturbine 1.2.3" in read.card
    assert len(package.read_bytes()) < 1_000_000


def test_the_shipped_detector_trained_twice_in_two_processes_is_the_same(
    trained: Callable[..., Path], dataset: Path, folder: Path
) -> None:
    models = []
    for home, seed in (("a", 3), ("b", 3), ("a", 4)):
        words = ("--data", dataset, "--epochs", 1, "--seed", seed, "--home", folder / home)
        out = folder / f"{home}{seed}.tar.gz"
        subprocess.run(
            [sys.executable, "-m", "gustbed_training", "train", "--no-record", "--detector",
             "compact", "--out", str(out), *map(str, words)],
            env=ENVIRONMENT, capture_output=True, check=False,
        )  # fmt: skip
        # One epoch is not enough to pass a gate; the package is there all the same.
        models.append(read_package(out.read_bytes()).model)
    assert models[0] == models[1]
    assert models[0] != models[2]


def test_a_killed_training_goes_on_where_it_was(folder: Path, dataset: Path, run: Run) -> None:
    home, out = folder / "killed", folder / "killed.tar.gz"
    words = [
        "train", "--data", str(dataset), "--out", str(out), "--home", str(home),
        "--detector", "reference", "--no-record",
    ]  # fmt: skip
    command = [sys.executable, "-m", "gustbed_training", *words]
    child = subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    assert child.stderr is not None
    for line in child.stderr:
        if "2/6 train: epoch" in line:
            break
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert not out.exists()
    assert list((home / "pipeline").glob("train-*")) == []
    again = run("gustbed_training", *words, "--detector", "pca")
    assert again.returncode == 0, again.stderr
    assert "1/6 prepare: cached" in again.stderr
    assert out.is_file()


def test_a_terminated_training_cleans_up_and_says_so(folder: Path, dataset: Path) -> None:
    home = folder / "terminated"
    command = [
        sys.executable, "-m", "gustbed_training", "train", "--data", str(dataset),
        "--out", str(folder / "never.tar.gz"), "--home", str(home), "--detector", "reference",
    ]  # fmt: skip
    child = subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    assert child.stderr is not None
    for line in child.stderr:
        if "2/6 train: epoch" in line:
            break
    child.terminate()
    _, rest = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "nothing is half written" in rest
    assert list((home / "pipeline").glob(".*")) == []


def test_a_terminated_comparison_ends_its_trainings(folder: Path, dataset: Path) -> None:
    home = folder / "compared"
    command = [
        sys.executable, "-m", "gustbed_training", "compare", "--data", str(dataset),
        "--home", str(home), "--detectors", "reference", "--seeds", "0,1",
    ]  # fmt: skip
    child = subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    assert child.stderr is not None
    begun: set[str] = set()
    for line in child.stderr:
        begun |= {seed for seed in ("seed 0", "seed 1") if seed in line and "epoch" in line}
        if len(begun) == 2:
            break
    child.terminate()
    # Its children hold the other end of the pipe: it closes when they are gone.
    child.communicate(timeout=60)
    assert child.returncode == 130
    assert list((home / "pipeline").glob(".*")) == [], "nothing is half written"
    # One may have come to its end before the other had begun, and is kept; not both.
    assert len(list((home / "pipeline").glob("train-*"))) < 2


def test_a_comparison_in_processes_makes_a_table(dataset: Path, folder: Path, run: Run) -> None:
    done = run("gustbed_training", "compare", "--data", dataset, "--home", folder / "table",
               "--detectors", "pca,forest", "--seeds", "0,1", "--json",
               "--docs", folder / "docs")  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert {row["detector"] for row in rows} == {"pca", "forest"}
    assert rows == json.loads((folder / "docs" / "detection.json").read_text())
    assert "3/3" in done.stderr  # PCA, which has no chance in it, once.


def test_evaluation_prints_the_same_figures_for_people_and_programs(
    run: Run, package: Path, dataset: Path
) -> None:
    words = ("gustbed_training", "evaluate", "--model", package, "--data", dataset)
    told = json.loads(run(*words, "--json").stdout)
    assert told["model"] == "windturbine 1.2.3"
    assert {fault["kind"] for fault in told["by_fault"]} == set(INJECTABLE)
    assert told["pointwise"].keys() >= {"precision", "recall", "f1", "false_alarm_rate"}
    assert told["eventwise"].keys() >= {
        "precision", "recall", "f1", "false_per_day", "median_delay_s",
    }  # fmt: skip
    table = run(*words).stdout
    for figure in (told["pointwise"]["recall"], told["eventwise"]["recall"], told["care"]):
        assert f"{figure:.3f}" in table


@pytest.mark.parametrize("kind", ["mini", "nrel_5mw"])
def test_a_folder_that_the_twin_wrote_can_be_judged_as_it_is(
    run: Run, trained: Callable[..., Path], folder: Path, kind: str
) -> None:
    data = folder / f"{kind}-data"
    assert (
        run(
            "gustbed_training", "make-dataset", "--profile", f"{kind}-tiny", "--out", data
        ).returncode
        == 0
    )
    out = trained(f"{kind}-model", "--data", data, "--detector", "pca")
    fault = {"turbine": "wt01", "kind": "voltage", "start": 60, "duration": 60, "severity": 1}
    (folder / "scenario.yaml").write_text(json.dumps({"faults": [fault]}))
    asked: dict[str, tuple[object, ...]] = {
        "mini": ("--fault", "wt01:voltage:start=60:duration=60:severity=1"),
        "nrel_5mw": ("--scenario", folder / "scenario.yaml"),
    }
    generated = folder / f"{kind}-generated"
    done = run("gustbed_twin", "generate", "--type", kind, "--turbines", 2, "--hours", 0.05,
               "--seed", 77, *asked[kind], "--out", generated)  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = run("gustbed_training", "evaluate", "--model", out, "--data", generated, "--json")
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["eventwise"]["faults"] == 1


def _write_csv(path: Path, seed: int, broken: bool) -> None:
    rng = np.random.default_rng(seed)
    rows = ["when;p1;q;broken"]
    for i in range(20_000):
        fault = broken and i % 4000 >= 3500
        pressure = rng.normal(2.0, 0.05) + 0.4 * fault
        rows.append(f"{i / 2:.1f};{pressure:.4f};{rng.normal(30, 0.5):.4f};{int(fault)}")
    path.write_text("\n".join(rows) + "\n")


def test_a_persons_csv_of_other_columns_and_rate_becomes_a_model(
    run: Run, trained: Callable[..., Path], folder: Path
) -> None:
    (folder / "map.yaml").write_text(MAP)
    for name, seed in (("monday", 1), ("tuesday", 2), ("wednesday", 3)):
        _write_csv(folder / f"{name}.csv", seed, broken=name == "wednesday")
    files = [folder / f"{name}.csv" for name in ("monday", "tuesday", "wednesday")]
    data = folder / "pump"
    done = run("gustbed_training", "import", "--map", folder / "map.yaml", "--out", data, *files)
    assert done.returncode == 0, done.stderr
    out = trained("pump-model", "--data", data, "--detector", "pca")
    manifest = read_package(out.read_bytes()).manifest
    assert (manifest.name, manifest.turbine_type) == ("pump-of-mine", "pump_of_mine")
    assert manifest.channel_names == ("pressure", "flow")
    assert manifest.sample_rate_hz == 2.0
    told = run("gustbed_training", "evaluate", "--model", out, "--data", data, "--json")
    assert json.loads(told.stdout)["eventwise"]["recall"] == 1.0


def test_a_recording_with_a_spoiled_row_fails_in_one_line(
    run: Run, package: Path, folder: Path
) -> None:
    generated = folder / "spoiled"
    done = run("gustbed_twin", "generate", "--turbines", 1, "--hours", 0.02, "--csv", "wt01",
               "--out", generated)  # fmt: skip
    assert done.returncode == 0, done.stderr
    recording = generated / "wt01.csv"
    lines = recording.read_text().splitlines()
    lines[99] = lines[99].replace(",", ",x", 1)
    recording.write_text("\n".join(lines))
    done = run("gustbed_training", "evaluate", "--model", package, "--data", recording)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "wt01.csv: row 100, column 'rps'" in line


def test_sagemakers_word_trains_in_its_tree(dataset: Path, folder: Path, run: Run) -> None:
    root = folder / "opt" / "ml"
    (root / "input" / "config").mkdir(parents=True)
    (root / "input" / "config" / "hyperparameters.json").write_text('{"detector": "pca"}')
    places = {
        "SM_TRAINING_ENV": "{}",
        "SM_INPUT_CONFIG_DIR": str(root / "input" / "config"),
        "SM_CHANNEL_TRAINING": str(dataset),
        "SM_MODEL_DIR": str(root / "model"),
        "SM_OUTPUT_DIR": str(root / "output"),
        "TMPDIR": str(folder),
    }
    done = subprocess.run(
        [sys.executable, "-m", "gustbed_training", "train"],
        env=ENVIRONMENT | places, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert read_package((root / "model" / "package.tar.gz").read_bytes()).manifest.detector == "pca"
    assert not (root / "output" / "failure").exists()


def test_two_trainings_at_once_do_not_disturb_each_other(dataset: Path, folder: Path) -> None:
    home = folder / "shared"
    command = [
        sys.executable, "-m", "gustbed_training", "train", "--data", str(dataset),
        "--home", str(home), "--detector", "pca", "--no-record", "--out",
    ]  # fmt: skip
    outs = [folder / f"shared-{i}.tar.gz" for i in range(2)]
    children = [subprocess.Popen([*command, str(out)], env=ENVIRONMENT) for out in outs]
    deadline = time.monotonic() + 300
    codes = [child.wait(max(1.0, deadline - time.monotonic())) for child in children]
    assert codes == [0, 0]
    first, second = (read_package(out.read_bytes()) for out in outs)
    assert first.model == second.model

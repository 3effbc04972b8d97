"""The whole way with real parts: twin, training, package, onnxruntime; and the shipped model."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from gustbed_edge.events import EventTracker, Judge, Site
from gustbed_protocol.jobs import Release
from gustbed_protocol.package import Decision, read_package, sha256
from gustbed_protocol.violations import INJECTABLE
from gustbed_training.detectors.scoring import load_package, scorer
from gustbed_training.events import CLOSE_AFTER, OPEN_AFTER, events
from tests.support.packages import tiny_package

FACTORY = (
    Path(__file__).parents[3] / "services" / "edge" / "gustbed_edge" / "factory" / "windturbine"
)
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("work")
    environment = os.environ | {"SOURCE_DATE_EPOCH": "1700000000"}

    def run(module: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", module, *map(str, arguments)]
        return subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )

    return run


@pytest.fixture(scope="module")
def dataset(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "tiny"
    done = run("gustbed_training", "make-dataset", "--profile", "tiny", "--out", folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def train(run: Run, dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    def train(name: str, *arguments: object) -> Path:
        out = tmp_path_factory.mktemp(name) / "package.tar.gz"
        done = run(
            "gustbed_training", "train", "--data", dataset, "--out", out, "--epochs", 4, *arguments
        )
        assert done.returncode == 0, done.stderr
        assert "s left" in done.stderr
        return out

    return train


@pytest.fixture(scope="module")
def package(train: Callable[..., Path]) -> Path:
    return train("first", "--version", "1.2.3")


def test_the_twins_data_become_a_package_that_serves(package: Path) -> None:
    read = read_package(package.read_bytes())
    assert (read.manifest.name, read.manifest.version) == ("windturbine", "1.2.3")
    np.testing.assert_array_equal(scorer(read.model)(read.golden_windows)[1], read.golden_ratios)
    assert len(package.read_bytes()) < 1_000_000


def test_equal_seeds_give_the_same_package_byte_for_byte(
    package: Path, train: Callable[..., Path]
) -> None:
    assert train("again", "--version", "1.2.3").read_bytes() == package.read_bytes()
    other = read_package(train("other", "--version", "1.2.3", "--seed", 5).read_bytes())
    assert other.model != read_package(package.read_bytes()).model


def test_evaluation_prints_the_same_figures_for_people_and_programs(
    run: Run, package: Path, dataset: Path
) -> None:
    words = ("gustbed_training", "evaluate", "--model", package, "--data", dataset)
    told = json.loads(run(*words, "--json", "--baseline", dataset).stdout)
    assert told["model"] == "windturbine 1.2.3"
    assert {fault["kind"] for fault in told["faults"]} == set(INJECTABLE)
    assert len(told["baseline"]) == 1
    table = run(*words).stdout
    assert f"{told['verdicts']['voltage']['recall']:.3f}" in table


def test_a_recording_with_a_spoiled_row_fails_in_one_line(
    run: Run, package: Path, tmp_path: Path
) -> None:
    assert _simulate(run, tmp_path / "r", 0.02, "--csv", "wt01").returncode == 0
    recording = tmp_path / "r" / "wt01.csv"
    lines = recording.read_text().splitlines()
    lines[99] = lines[99].replace(",", ",x", 1)
    recording.write_text("\n".join(lines))
    done = run("gustbed_training", "evaluate", "--model", package, "--data", recording)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "wt01.csv: row 100, column 'rps'" in line


def test_the_factory_model_is_whole_and_signed_by_the_key_beside_it() -> None:
    packed = (FACTORY / "package.tar.gz").read_bytes()
    signed = json.loads((FACTORY / "release.json").read_text())
    release = Release(**signed["release"])
    assert (release.size, release.sha256) == (len(packed), sha256(packed))
    manifest = read_package(packed).manifest
    assert (manifest.name, manifest.version) == (release.name, release.version)
    key = serialization.load_pem_public_key((FACTORY / "signing-key.pem").read_bytes())
    assert isinstance(key, ec.EllipticCurvePublicKey)
    der = base64.b64decode(signed["signature"]["value"])
    key.verify(der, release.digest(), ec.ECDSA(utils.Prehashed(hashes.SHA256())))
    assert sorted(path.name for path in FACTORY.iterdir()) == [
        "package.tar.gz",
        "release.json",
        "signing-key.pem",
    ]


def test_the_factory_model_reproduces_its_golden_ratios() -> None:
    package = load_package(FACTORY / "package.tar.gz")
    ratios = scorer(package.model)(package.golden_windows)[1]
    np.testing.assert_allclose(ratios, package.golden_ratios, rtol=1e-4, atol=1e-4)


def test_the_factory_model_finds_each_fault_once_on_a_wind_and_seed_it_never_saw(
    run: Run, tmp_path: Path
) -> None:
    starts = {kind: 60 + 150 * i for i, kind in enumerate(INJECTABLE)}
    faults = [
        word
        for index, severity in enumerate((0.3, 0.5, 1.0), start=1)
        for kind, start in starts.items()
        for word in (
            "--fault",
            f"wt0{index}:{kind}:start={start}:duration=80:severity={severity}",
        )
    ]
    assert _simulate(run, tmp_path / "d", 0.15, *faults, wind=2.4).returncode == 0
    told = _evaluate(run, tmp_path / "d")
    assert len(told["faults"]) == 9
    for fault in told["faults"]:
        assert fault["injected"] == fault["exactly_one_event"] == 1, fault
        assert fault["events_of_another_kind"] == 0, fault
    assert told["false_events_per_turbine_day"] == 0


def test_the_factory_model_opens_no_event_on_a_replayed_normal_recording(
    run: Run, tmp_path: Path
) -> None:
    assert _simulate(run, tmp_path / "d", 0.5, "--csv", "wt02", wind=1.8).returncode == 0
    told = _evaluate(run, tmp_path / "d" / "wt02.csv")
    assert told["turbine_hours_without_faults"] == pytest.approx(0.5, abs=0.01)
    assert told["false_events_per_turbine_day"] == 0


def test_events_are_counted_as_the_edge_counts_them() -> None:
    rng = np.random.default_rng(8)
    judge = Judge.of(tiny_package().manifest, Decision(OPEN_AFTER, CLOSE_AFTER))
    for share in (0.3, 0.5, 0.8):
        flips = rng.random(40) < 0.5
        verdicts = np.repeat(flips, rng.integers(1, 14, 40))
        verdicts ^= rng.random(len(verdicts)) < 0.1 * share
        tracker = EventTracker(Site("s", "t", ("wt01",)), lambda: 0.0)
        told: list[tuple[str, int]] = []
        for i, bad in enumerate(verdicts.tolist()):
            ratios = np.full((1, len(judge.features)), 0.5)
            ratios[0, 0] = 2.0 if bad else 0.5
            changes = tracker.update(
                np.array([0], dtype=np.intp),
                np.array([float(i)]),
                ratios,
                judge.by_kind(ratios),
                judge,
            )
            told += [(c.change, i) for c in changes if c.change != "updated"]
        ours: list[tuple[str, int]] = []
        for span in events(verdicts):
            ours.append(("opened", span.opened))
            if span.closed is not None:
                ours.append(("closed", span.closed))
        assert ours == told
        assert ours


def _simulate(
    run: Run, out: Path, hours: float, *arguments: str, wind: float = 2.15
) -> subprocess.CompletedProcess[str]:
    words: Sequence[object] = (
        "generate", "--turbines", 3, "--hours", hours, "--seed", 777_001, "--wind-mean", wind,
        "--out", out, *arguments,
    )  # fmt: skip
    return run("gustbed_twin", *words)


def _evaluate(run: Run, data: Path) -> dict[str, object]:
    done = run(
        "gustbed_training", "evaluate", "--model", FACTORY / "package.tar.gz", "--data", data,
        "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told: dict[str, object] = json.loads(done.stdout)
    return told

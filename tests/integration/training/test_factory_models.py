"""The models that the edge ships with: whole, signed, and good on what they never saw."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from gustbed_core.event_kinds import INJECTABLE
from gustbed_core.jobs import release_from_json
from gustbed_core.package import read_package, sha256
from gustbed_training.detectors.scoring import load_package, scorer

FACTORY = Path(__file__).parents[3] / "services" / "edge" / "gustbed_edge" / "factory"
MODELS = sorted(path.name for path in FACTORY.iterdir() if path.is_dir())
MINI = FACTORY / "windturbine" / "package.tar.gz"


def test_the_miniature_has_a_model() -> None:
    assert "windturbine" in MODELS


@pytest.mark.parametrize("name", MODELS)
def test_a_factory_model_is_whole_and_signed_by_the_key_beside_it(name: str) -> None:
    folder = FACTORY / name
    packed = (folder / "package.tar.gz").read_bytes()
    release, signature = release_from_json((folder / "release.json").read_bytes())
    assert (release.size, release.sha256) == (len(packed), sha256(packed))
    manifest = read_package(packed).manifest
    assert (manifest.name, manifest.version) == (release.name, release.version)
    assert manifest.name == name
    key = serialization.load_pem_public_key((folder / "signing-key.pem").read_bytes())
    assert isinstance(key, ec.EllipticCurvePublicKey)
    key.verify(signature.der(), release.digest(), ec.ECDSA(utils.Prehashed(hashes.SHA256())))
    assert sorted(path.name for path in folder.iterdir()) == [
        "package.tar.gz",
        "release.json",
        "signing-key.pem",
    ]


@pytest.mark.parametrize("name", MODELS)
def test_a_factory_model_reproduces_its_golden_ratios(name: str) -> None:
    package = load_package(FACTORY / name / "package.tar.gz")
    ratios = scorer(package.model)(package.golden_windows)[1]
    np.testing.assert_allclose(ratios, package.golden_ratios, rtol=1e-4, atol=1e-4)


def test_the_miniatures_model_finds_each_fault_once_on_a_wind_and_seed_it_never_saw(
    tmp_path: Path,
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
    _simulate(tmp_path / "d", 0.15, 2.4, *faults)
    told = _evaluate(tmp_path / "d")
    assert sum(fault["injected"] for fault in told["by_fault"]) == 9
    for fault in told["by_fault"]:
        assert fault["exactly_one"] == fault["right_kind"] == fault["injected"], fault
    assert told["eventwise"]["false_events"] == 0


def test_the_miniatures_model_opens_no_event_on_a_replayed_normal_recording(
    tmp_path: Path,
) -> None:
    _simulate(tmp_path / "d", 0.5, 1.8, "--csv", "wt02")
    told = _evaluate(tmp_path / "d" / "wt02.csv", "--unlabelled")
    assert told["turbine_hours_without_faults"] == pytest.approx(0.5, abs=0.01)
    assert told["eventwise"]["false_events"] == 0


def _simulate(out: Path, hours: float, wind: float, *arguments: str) -> None:
    words = (
        "generate", "--turbines", 3, "--hours", hours, "--seed", 777_001, "--wind-mean", wind,
        "--out", out, *arguments,
    )  # fmt: skip
    subprocess.run([sys.executable, "-m", "gustbed_twin", *map(str, words)], check=True)


def _evaluate(data: Path, *arguments: str) -> Any:
    words = ("evaluate", "--model", MINI, "--data", data, "--json", *arguments)
    done = subprocess.run(
        [sys.executable, "-m", "gustbed_training", *map(str, words)],
        check=True, stdout=subprocess.PIPE,
    )  # fmt: skip
    return json.loads(done.stdout)

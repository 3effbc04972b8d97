"""Training: repeatable, blind to test data, and the same in every batch and in ONNX."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from gustbed_protocol.features import FEATURES
from gustbed_protocol.package import Package
from gustbed_protocol.violations import INJECTABLE, Violation
from gustbed_training.baseline import pca_scorer
from gustbed_training.detectors.export import to_onnx
from gustbed_training.detectors.scoring import Scorer, scorer
from gustbed_training.detectors.thresholds import Target
from gustbed_training.evaluate import evaluate, violating
from gustbed_training.events import events
from gustbed_training.model import TurbineModel
from gustbed_training.pipeline.package import Identity, build
from gustbed_training.recordings import Recording
from gustbed_training.shares import Part, Shares
from gustbed_training.train import Plan, train
from gustbed_training.windows import WINDOW, Fractions, features_of, split_by_time, whole
from tests.unit.training.synthetic import recording

IDENTITY = Identity("tiny", "0.0.1")
PLAN = Plan(epochs=6)
RELAXED = Target(false_per_hour=0.01)
FAULT_AT = (100.0, 160.0)


def _quiet(_: str) -> None:
    return


def _shares(recordings: list[Recording]) -> Shares:
    shares = Shares()
    for one in recordings:
        split = split_by_time(one.samples, Fractions(0.4, 0.3))
        shares.train.append(Part(one, split.train))
        shares.calibrate.append(Part(one, split.calibrate))
        shares.test.append(Part(one, split.test))
    shares.fault = [
        Part(faulty, whole(faulty))
        for faulty in (
            recording(50 + i, 4, 2.0, (kind, *FAULT_AT)) for i, kind in enumerate(INJECTABLE)
        )
    ]
    return shares


@pytest.fixture(scope="module")
def recordings() -> list[Recording]:
    return [recording(seed, 12, 1.4 + 0.3 * seed) for seed in range(6)]


@pytest.fixture(scope="module")
def shares(recordings: list[Recording]) -> Shares:
    return _shares(recordings)


@pytest.fixture(scope="module")
def package(shares: Shares) -> Package:
    return build(shares, IDENTITY, PLAN, RELAXED, "synthetic", _quiet)


@pytest.fixture(scope="module")
def score(package: Package) -> Scorer:
    return scorer(package.model)


@pytest.fixture(scope="module")
def windows() -> np.ndarray:
    parts = [recording(90, 2, 2.2), recording(91, 2, 1.8, (Violation.ROTATION, 40.0, 80.0))]
    return np.concatenate([features_of(part, whole(part)) for part in parts])


def test_equal_seeds_give_equal_models_and_other_seeds_do_not(recordings: list[Recording]) -> None:
    few = np.concatenate([features_of(one, whole(one)) for one in recordings[:2]])[::4]
    weights = [
        torch.cat(
            [value.flatten() for value in train(few, few[:9], plan, _quiet).state_dict().values()]
        )
        for plan in (Plan(seed=3, epochs=2), Plan(seed=3, epochs=2), Plan(seed=4, epochs=2))
    ]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_weights_statistics_and_thresholds_never_see_test_data(
    recordings: list[Recording], package: Package
) -> None:
    spoiled = []
    for one in recordings:
        begin = split_by_time(one.samples, Fractions(0.4, 0.3)).test.start
        values = one.values.copy()
        values[:, begin:] = values[:, begin:] * 3 + 7
        spoiled.append(replace(one, values=values))
    shares = _shares(spoiled)
    shares.fault = shares.fault[:1]
    again = build(shares, IDENTITY, PLAN, RELAXED, "synthetic", _quiet)
    assert again.model == package.model
    assert again.manifest.thresholds == package.manifest.thresholds
    assert again.manifest.metrics != package.manifest.metrics


def test_progress_is_shown_with_the_time_left(recordings: list[Recording]) -> None:
    few = features_of(recordings[0], whole(recordings[0]))[:200]
    lines: list[str] = []
    train(few, few[:20], Plan(epochs=2), lines.append)
    assert len(lines) == 4
    assert all("epoch" in line and "loss" in line and "s left" in line for line in lines)


def test_the_exported_graph_gives_what_the_trained_model_gives(windows: np.ndarray) -> None:
    model = train(windows, windows[:9], Plan(epochs=1), _quiet)
    with torch.no_grad():
        expected, _ = model(torch.from_numpy(windows))
    got, ratios = scorer(to_onnx(model, len(FEATURES), WINDOW))(windows)
    np.testing.assert_allclose(got, expected.numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(got, ratios)


@pytest.mark.parametrize("batch", [1, 2, 3, 7, 64])
def test_a_verdict_does_not_depend_on_its_batch(
    score: Scorer, windows: np.ndarray, batch: int
) -> None:
    whole_batch = score(windows)[1]
    parts = [score(windows[i : i + batch])[1] for i in range(0, len(windows), batch)]
    np.testing.assert_allclose(np.concatenate(parts), whole_batch, rtol=1e-5, atol=1e-5)


def test_no_window_is_no_verdict(score: Scorer) -> None:
    scores, ratios = score(np.empty((0, len(FEATURES), WINDOW), dtype=np.float32))
    assert scores.shape == ratios.shape == (0, len(FEATURES))


def test_the_package_reproduces_its_golden_ratios(package: Package, score: Scorer) -> None:
    np.testing.assert_array_equal(score(package.golden_windows)[1], package.golden_ratios)
    assert len(package.golden_windows) == 16
    assert (package.golden_ratios[:8] < 1).all()
    assert (package.golden_ratios[8:] > 1).any(axis=1).all()


@pytest.mark.parametrize("kind", INJECTABLE)
def test_a_fault_opens_one_event_of_its_kind_and_none_of_another(
    score: Scorer, kind: Violation
) -> None:
    one = recording(70, 4, 2.3, (kind, *FAULT_AT))
    verdicts = violating(score(features_of(one, whole(one)))[1])
    counts = {other: len(events(bad)) for other, bad in verdicts.items()}
    assert counts == {other: int(other is kind) for other in INJECTABLE}


def test_the_model_beats_principal_components(shares: Shares, score: Scorer) -> None:
    faulty = [part.recording for part in shares.fault]
    ours = evaluate(faulty, score)
    plain = evaluate(faulty, pca_scorer(shares, RELAXED))
    assert ours.points[Violation.ROTATION].f1 > plain.points[Violation.ROTATION].f1


def test_the_manifest_says_where_the_model_comes_from(package: Package) -> None:
    manifest = package.manifest
    assert (manifest.name, manifest.version) == ("tiny", "0.0.1")
    assert manifest.training["data"] == "synthetic"
    assert float(manifest.training["train_turbine_hours"]) > 0.4
    assert set(manifest.thresholds) == {feature.name for feature in FEATURES}
    assert all(limit > 0 for limit in manifest.thresholds.values())
    assert manifest.metrics["rotation_recall"] > 0.5


def test_normalising_uses_the_training_statistics(windows: np.ndarray) -> None:
    model = train(windows, windows[:9], Plan(epochs=1), _quiet)
    assert isinstance(model, TurbineModel)
    np.testing.assert_allclose(model.mean[:, 0], windows.mean(axis=(0, 2)), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model.std[:, 0], windows.std(axis=(0, 2)), rtol=1e-3)

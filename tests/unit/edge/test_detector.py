"""The model's own failures stay with the windows that cause them; golden vectors gate it."""

import math
from dataclasses import replace

import numpy as np
import pytest

from gustbed_core.commissioning.population import TERM_OUTPUTS
from gustbed_core.package import Package, PackageError
from gustbed_edge.events.judge import Judge
from gustbed_edge.scoring.detector import MAX_BATCH, Detector, check_golden
from tests.support.commissionable import commissionable, graph
from tests.support.packages import (
    BREAKING_VOLTAGE,
    MINI_TYPE,
    calm,
    excited,
    tiny_graph,
    tiny_package,
)

FEATURE_NAMES = MINI_TYPE.schema.feature_names
VOLTAGE = FEATURE_NAMES.index("voltage")


def check(package: Package, limit: float = 5.0, turbines: int = 6) -> None:
    check_golden(package, Detector(package), turbines=turbines, max_scoring_time=limit)


def test_scores_are_what_the_graph_says() -> None:
    ratios = Detector(tiny_package()).score(np.stack([calm(20), excited(20)]))
    np.testing.assert_allclose(ratios[:, VOLTAGE], [0.2, 1.8], rtol=1e-6)


def test_one_window_a_batch_and_many_batches_agree() -> None:
    detector = Detector(tiny_package())
    windows = np.random.default_rng(1).normal(size=(2 * MAX_BATCH + 3, 18, 20))
    together = detector.score(windows)
    alone = np.concatenate([detector.score(windows[i : i + 1]) for i in range(len(windows))])
    np.testing.assert_allclose(together, alone, atol=1e-5)


@pytest.mark.promise("T6")
def test_a_window_that_breaks_the_model_leaves_the_others_scored() -> None:
    detector = Detector(tiny_package(model=tiny_graph(breakable=True)))
    windows = np.stack([calm(20), excited(20, BREAKING_VOLTAGE), excited(20)])
    ratios = detector.score(windows)
    assert np.isnan(ratios[1]).all()
    np.testing.assert_allclose(ratios[[0, 2], VOLTAGE], [0.2, 1.8], rtol=1e-6)


@pytest.mark.promise("T6")
def test_nan_from_the_model_is_unknown_for_the_whole_window() -> None:
    windows = np.stack([calm(20), calm(20)])
    windows[1, 2, 3] = np.nan
    ratios = Detector(tiny_package()).score(windows)
    assert np.isfinite(ratios[0]).all()
    assert np.isnan(ratios[1]).all()


def test_a_right_and_quick_model_passes() -> None:
    check(tiny_package())


@pytest.mark.parametrize("turbines", [1, 4, 100])
def test_golden_windows_are_repeated_to_the_sites_size(turbines: int) -> None:
    check(tiny_package(), turbines=turbines)


@pytest.mark.promise("O4")
def test_a_model_that_misses_its_golden_outputs_is_refused() -> None:
    package = tiny_package()
    wrong = replace(package, golden_ratios=package.golden_ratios + np.float32(1e-3))
    with pytest.raises(PackageError) as refused:
        check(wrong)
    assert refused.value.reason == "golden_mismatch"


@pytest.mark.promise("O4")
def test_a_model_that_gives_nan_is_refused() -> None:
    package = tiny_package()
    windows = package.golden_windows.copy()
    windows[0, 0, 0] = np.nan
    with pytest.raises(PackageError) as refused:
        check(replace(package, golden_windows=windows))
    assert refused.value.reason == "golden_failed"


@pytest.mark.promise("O4")
def test_a_model_that_is_too_slow_is_refused() -> None:
    with pytest.raises(PackageError) as refused:
        check(tiny_package(model=tiny_graph(delay=1)), limit=1e-6)
    assert refused.value.reason == "too_slow"


def test_a_run_that_does_not_end_is_ended() -> None:
    detector = Detector(tiny_package(model=tiny_graph(delay=300)))
    windows = np.zeros((1, 6, 20), dtype=np.float32)
    with pytest.raises(PackageError) as refused:
        detector.timed(windows, limit=0.05)
    assert refused.value.reason == "too_slow"


@pytest.mark.parametrize("model", [b"", b"not a graph", tiny_graph()[:200]])
def test_what_is_no_graph_does_not_load(model: bytes) -> None:
    package = replace(tiny_package(), model=model)
    with pytest.raises(PackageError) as refused:
        Detector(package)
    assert refused.value.reason == "unloadable"


def test_masks_follow_the_manifest() -> None:
    manifest = tiny_package().manifest
    judge = Judge.of(manifest, manifest.decision)
    named = {
        kind: [name for name, hit in zip(FEATURE_NAMES, mask, strict=True) if hit]
        for kind, mask in zip(judge.kinds, judge.masks, strict=True)
    }
    assert named == {
        "vibration": ["roll", "pitch", "yaw"],
        "rotation": ["wind_speed_rps", "rps"],
        "voltage": ["voltage"],
    }


def test_a_model_that_can_be_commissioned_passes_and_gives_its_terms() -> None:
    package = commissionable()
    check(package)
    windows = np.repeat(package.golden_windows, 2 * MAX_BATCH, axis=0)
    ratios, terms = Detector(package).ratios_and_terms(windows)
    assert (len(terms), terms.basis.shape[1:]) == (len(windows), (6, 2))
    golden = np.repeat(package.golden_ratios, 2 * MAX_BATCH, axis=0)
    np.testing.assert_allclose(ratios, golden, rtol=1e-5)


@pytest.mark.promise("O4")
@pytest.mark.parametrize("missing", TERM_OUTPUTS)
def test_a_population_needs_every_term_of_its_graph(missing: str) -> None:
    outputs = [name for name in TERM_OUTPUTS if name != missing]
    package = replace(commissionable(), model=graph(np.zeros(6), outputs))
    with pytest.raises(PackageError) as refused:
        Detector(package)
    assert refused.value.reason == "wrong_graph"


@pytest.mark.promise("O4")
def test_terms_that_are_not_what_the_graph_judges_by_are_refused() -> None:
    package = commissionable()
    assert package.population is not None
    wrong = replace(
        package, population=replace(package.population, explains=1 - package.population.explains)
    )
    with pytest.raises(PackageError) as refused:
        check(wrong)
    assert refused.value.reason == "golden_mismatch"


def test_a_window_that_breaks_the_terms_leaves_the_others() -> None:
    package = commissionable()
    windows = np.repeat(package.golden_windows, 2, axis=0)
    windows[1, 2, 3] = np.nan
    ratios, terms = Detector(package).ratios_and_terms(windows)
    assert np.isnan(ratios[1]).all()
    assert np.isnan(terms.error[1]).all()
    assert np.isfinite(np.delete(ratios, 1, axis=0)).all()


def test_no_limit_is_a_limit_too() -> None:
    check(tiny_package(), limit=math.inf)

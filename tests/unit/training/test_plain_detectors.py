"""What PCA, ridge regression, the isolation forest, the reference autoencoder and the drift-aware
one all keep to.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest  # type: ignore[import-untyped]
from torch import nn

from gustbed_core.errors import GustbedError
from gustbed_training.detectors import limits, reference_autoencoder
from gustbed_training.detectors.base import Detector, Plan
from gustbed_training.detectors.forest import BlockStatistics, Forest, Moments
from gustbed_training.detectors.forest_tables import tables_of, usual_length
from gustbed_training.detectors.pca import MAX_NUMBERS, Pca
from gustbed_training.detectors.prediction_intervals import PredictionIntervals
from gustbed_training.detectors.reference_autoencoder import (
    LEAST_GAIN,
    PATIENCE,
    ReferenceAutoencoder,
    converged,
)
from gustbed_training.detectors.ridge import Ridge
from gustbed_training.detectors.validation import Validation
from tests.unit.training.detecting import (
    NAMES,
    WINDOW,
    check_batch_does_not_matter,
    check_exported_graph_agrees,
    check_same_weights,
    fit_data,
    fitted,
    offset_windows,
    ratios,
    schema,
    scores,
    signals,
    weights,
    windows,
)

ALL: list[type[Detector]] = [Pca, Ridge, Forest, ReferenceAutoencoder, PredictionIntervals]
SEEDED: list[type[Detector]] = [Forest, ReferenceAutoencoder]
every = pytest.mark.parametrize("make", ALL, ids=[make.name for make in ALL])
Make = Callable[[], Detector]


@pytest.fixture(autouse=True)
def few_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small tests: fewer windows are enough to choose by than elsewhere."""
    monkeypatch.setattr(limits, "ENOUGH", 50)


@cache
def trained(make: Make) -> nn.Module:
    """Once for the tests that need no other data."""
    return fitted(make())


@every
def test_equal_seeds_give_equal_weights(make: Make) -> None:
    check_same_weights(fitted(make(), seed=3), fitted(make(), seed=3))


@pytest.mark.parametrize("make", SEEDED, ids=[make.name for make in SEEDED])
def test_another_seed_gives_other_weights(make: Make) -> None:
    one, other = weights(fitted(make(), seed=3)), weights(fitted(make(), seed=4))
    assert any(not np.array_equal(value, other[name]) for name, value in one.items())


@every
@pytest.mark.parametrize("window", [WINDOW, 7, 50])
def test_the_exported_graph_scores_alike(make: Make, window: int) -> None:
    data = fit_data(window=window)
    some = windows(signals(window + 20, 9), window)
    some[5:] *= 1.5
    check_exported_graph_agrees(fitted(make(), data), some)


@every
def test_a_score_depends_on_its_window_alone(make: Make) -> None:
    check_batch_does_not_matter(trained(make), windows(signals(60, 11)))


@every
@pytest.mark.parametrize("feature", range(len(NAMES)), ids=NAMES)
def test_the_disturbed_feature_has_the_largest_ratio(make: Make, feature: int) -> None:
    module = trained(make)
    found = ratios(module, offset_windows(feature))
    assert np.mean(found.argmax(axis=1) == feature) > 0.9
    normal = ratios(module, windows(signals(200, 6)))
    assert np.median(found[:, feature]) > np.median(normal[:, feature])


@every
def test_scores_of_normal_windows_are_positive_numbers(make: Make) -> None:
    found = scores(trained(make), windows(signals(300, 13)))
    assert found.shape == (300 - WINDOW + 1, len(NAMES))
    assert np.isfinite(found).all()
    assert (found >= 0).all()


@every
def test_a_signal_that_never_moved_gives_no_infinite_score(make: Make) -> None:
    data = fit_data()
    for each in (data.windows, *data.held):
        each[:, 2] = 50.0
    still = windows(signals(100, 15))
    still[:, 2] = 50.0
    module = fitted(make(), data)
    assert np.isfinite(scores(module, still)).all()
    moved = still.copy()
    moved[:, 2] += 5.0
    assert np.isfinite(scores(module, moved)).all()
    assert scores(module, moved)[:, 2].mean() > 3 * scores(module, still)[:, 2].mean()


@pytest.mark.parametrize("make", [Pca, Ridge, Forest, PredictionIntervals])
def test_a_handful_of_windows_is_refused(make: Make) -> None:
    few = windows(signals(WINDOW + 5, 1))
    data = replace(fit_data(), windows=few, train=[few], held=[few])
    with pytest.raises(GustbedError, match="give"):
        fitted(make(), data)


def test_the_forest_isolates_as_scikit_learns_does() -> None:
    rng = np.random.default_rng(1)
    table = rng.normal(size=(400, 3)).astype(np.float32)
    grown = IsolationForest(n_estimators=20, random_state=0).fit(table)
    tables = tables_of([each.tree_ for each in grown.estimators_])
    asked = rng.normal(size=(50, 3), scale=2).astype(np.float32)
    node = np.repeat(tables.roots[None], len(asked), axis=0)
    for _ in range(tables.depth):
        right = np.take_along_axis(asked, tables.split[node], axis=1) > tables.value[node]
        node = tables.below[2 * node + right]
    usual = usual_length(np.array([256]))
    found = -(2.0 ** -(tables.length[node].mean(axis=1) / usual))
    np.testing.assert_allclose(found, grown.score_samples(asked), rtol=1e-5)


def test_a_split_between_two_single_precision_values_stays_where_it_is() -> None:
    tenth = 0.1  # between the two nearest single-precision numbers, nearer to the larger
    tree = SimpleNamespace(
        node_count=3,
        children_left=np.array([1, -1, -1]),
        children_right=np.array([2, -1, -1]),
        feature=np.array([0, -2, -2]),
        threshold=np.array([tenth, -2.0, -2.0]),
        n_node_samples=np.array([4, 2, 2]),
        max_depth=1,
    )
    tables = tables_of([tree])
    assert np.float64(tables.value[0]) < tenth < np.float64(np.float32(tenth))
    np.testing.assert_allclose(tables.length, [usual_length(np.array([4]))[0], 2, 2])


def test_principal_components_average_long_windows_over_blocks() -> None:
    long = 2 * MAX_NUMBERS // len(NAMES) - 1
    data = fit_data(window=long, samples=long + 100)
    module = fitted(Pca(), data)
    assert len(module.get_buffer("form")) == MAX_NUMBERS - len(NAMES)
    later = data.held[0]
    ahead = later.copy()
    ahead[:, :, 0] += 1000.0  # the oldest sample fills no block
    np.testing.assert_array_equal(scores(module, later), scores(module, ahead))


def test_the_reference_stops_once_it_gains_next_to_nothing() -> None:
    falling = [1.0 / epoch for epoch in range(1, 60)]
    assert not converged(falling)
    still = falling + [falling[-1] * (1 - LEAST_GAIN / 2)] * PATIENCE
    assert converged(still)
    assert not converged(still[:-1])
    assert not converged([1.0] * PATIENCE)


def test_a_converged_reference_says_after_how_many_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference_autoencoder, "PATIENCE", 2)
    monkeypatch.setattr(reference_autoencoder, "LEAST_GAIN", 1.0)
    lines: list[str] = []
    module = ReferenceAutoencoder().fit(fit_data(), Plan(0, 50), lines.append)
    assert any(line.startswith("converged after 3 epochs of 50") for line in lines)
    assert {each.device.type for each in module.parameters()} == {"cpu"}


@pytest.mark.parametrize(("make", "what"), [(Pca, "share of the variance"), (Forest, "statistics")])
def test_what_is_tuned_is_chosen_on_held_out_windows_and_said(make: Make, what: str) -> None:
    lines: list[str] = []
    make().fit(fit_data(), Plan(), lines.append)
    assert sum(line.startswith(what) and "synthetic faults" in line for line in lines) == 1


def test_the_forest_takes_the_statistics_that_find_more(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(_: Validation, scorer: nn.Module) -> float:
        return float(isinstance(scorer.get_submodule("statistics"), wanted))

    monkeypatch.setattr(Validation, "found", found)
    for wanted in (BlockStatistics, Moments):
        module = fitted(Forest())
        assert isinstance(module.get_submodule("statistics"), wanted)


def test_a_regression_does_not_ask_a_feature_about_itself() -> None:
    weights = trained(Ridge).get_buffer("weights").numpy()
    count = len(NAMES)
    assert weights.shape == (count, 2 * count)
    assert not weights[np.tile(np.eye(count, dtype=bool), 2)].any()
    # Power follows speed: r = .8 and unit standard deviations.
    assert weights[0, 1] == pytest.approx(0.8, abs=0.1)


def test_the_reference_has_as_many_parameters_as_theirs() -> None:
    six = np.zeros((300, 6, 100), dtype=np.float32)
    six += np.random.default_rng(0).normal(size=six.shape).astype(np.float32)
    data = replace(fit_data(), schema=schema(100), windows=six, train=[six], held=[six])
    module = fitted(ReferenceAutoencoder(), data)
    assert sum(each.numel() for each in module.parameters()) == 83_782

"""What a compact model tells of its errors, and that a turbine's are linear in its basis."""

import numpy as np
import torch

from gustbed_core.commissioning.correction import (
    Corrections,
    Sums,
    corrected_ratios,
    posterior,
    prior,
)
from gustbed_core.commissioning.population import Population, Terms
from gustbed_training.detectors.compact_basis import ExplainedModel
from gustbed_training.detectors.explaining import Explained, Explaining
from gustbed_training.pipeline.calibrate import explained
from gustbed_training.pipeline.population import explainer
from tests.unit.training.detecting import scores
from tests.unit.training.test_compact import (
    POWER,
    SPEED,
    WIND,
    cut,
    running,
    schema,
    signals,
    trained,
)


def told(values: np.ndarray) -> tuple[ExplainedModel, Terms]:
    """The trained model, and its terms of windows."""
    module = trained()
    assert isinstance(module, ExplainedModel)
    with torch.no_grad():
        found = module.terms(torch.from_numpy(np.ascontiguousarray(cut(values))))
    return module, Terms(*(each.numpy() for each in found))


def vague(terms: Terms, heads: list[int], variance: float) -> Population:
    """A prior that knows nothing but a size."""
    _, features, count = terms.error.shape
    size = terms.basis.shape[2]
    number = max(heads) + 1
    covariance = np.broadcast_to(np.eye(size) * variance, (features, number, size, size))
    return Population(
        np.zeros((features, count, size)),
        covariance.astype(np.float64),
        np.ones((features, count), dtype=np.float32),
        np.full((features, number), 24.0, dtype=np.float32),
        np.ones((1, features, number, size), dtype=np.float32),
        np.array(heads),
        np.zeros((features, features), dtype=np.float32),
    )


def test_scores_follow_from_the_terms() -> None:
    values = running(31)
    module, terms = told(values)
    assert isinstance(module, Explaining)
    worst = (np.abs(terms.error / terms.usual) / terms.limit).max(axis=2)
    np.testing.assert_allclose(
        np.maximum(worst, terms.beyond), scores(module, cut(values)), rtol=1e-4, atol=1e-5
    )
    assert (terms.basis[:, :, 0] == 1).all()


def test_the_exported_graph_tells_the_terms_in_units_of_the_thresholds() -> None:
    values = running(32)
    module, terms = told(values)
    graph = explainer(explained(module, [2.0] * 4, schema()))
    found = graph(np.ascontiguousarray(cut(values)))
    np.testing.assert_allclose(found.error, terms.error, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found.limit, 2 * terms.limit, rtol=1e-5)
    np.testing.assert_allclose(found.beyond, terms.beyond / 2, rtol=1e-4, atol=1e-6)
    with torch.no_grad():
        ratio = Explained(module, [2.0] * 4)(torch.from_numpy(cut(values).copy()))[1].numpy()
    none = Corrections(
        np.zeros((1, *terms.error.shape[1:], terms.basis.shape[2]), dtype=np.float32),
        np.zeros((1, 4, 2, terms.basis.shape[2], terms.basis.shape[2]), dtype=np.float32),
        np.ones((1, 4), dtype=np.float32),
    )
    corrected = corrected_ratios(found, none, np.array(module.heads), module.explains.numpy())
    np.testing.assert_allclose(corrected, ratio, rtol=1e-3, atol=1e-4)


def test_a_machine_with_another_gain_is_learnt_and_a_fault_on_it_is_found() -> None:
    """Power 8 % higher for the same speed; then, once corrected, 20 more at one speed."""
    own = signals(6000, 33)
    own[POWER] *= 1.08
    module, terms = told(own)
    heads = np.array(module.heads)
    population = vague(terms, module.heads, 9.0)
    sums = Sums.empty(population.shape, 2)
    sums.add(terms, heads)
    other = signals(4000, 34)
    other[POWER] *= 1.08
    calm = told(other)[1]
    plain = (np.abs(calm.error / calm.usual) / calm.limit).max(axis=2)
    found = Corrections.of([posterior(population, sums)], population)
    corrected = corrected_ratios(calm, found, heads, population.explains)
    assert (plain[:, POWER] > 1).mean() > 0.3
    assert (corrected[:, POWER] > 1).mean() < 0.02
    other[POWER] += 20.0
    faulty = corrected_ratios(told(other)[1], found, heads, population.explains)
    assert np.median(faulty[:, POWER]) > 1


def test_who_is_not_commissioned_is_judged_as_widely_as_machines_differ() -> None:
    module, terms = told(signals(3000, 35))
    heads = np.array(module.heads)
    plain = (np.abs(terms.error / terms.usual) / terms.limit).max(axis=2)
    before = np.inf
    for variance in (1e-6, 1.0, 100.0):
        population = vague(terms, module.heads, variance)
        wide = Corrections.of([prior(population)], population)
        ratios = corrected_ratios(terms, wide, heads, population.explains)
        assert (ratios <= np.maximum(plain, terms.beyond) + 1e-5).all()
        assert ratios[:, SPEED].mean() < before
        before = ratios[:, SPEED].mean()


def test_what_machines_reach_is_not_beyond() -> None:
    module, _ = told(running(36))
    far = running(37)
    far[WIND] += 40.0
    windows = torch.from_numpy(np.ascontiguousarray(cut(far)))
    with torch.no_grad():
        before = module.terms(windows)[4][:, WIND]
        low, high = module.model.low.clone(), module.model.high.clone()
        try:
            module.widen(windows)
            after = module.terms(windows)[4][:, WIND]
        finally:
            module.model.low.copy_(low)
            module.model.high.copy_(high)
    assert (before > 1).all()
    assert (after == 0).all()

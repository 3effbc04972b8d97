"""The prior of corrections: found again from machines that were drawn from it."""

import io

import numpy as np

from gustbed_core.commissioning.correction import Sums
from gustbed_core.commissioning.population import (
    POPULATION_ARRAYS,
    Population,
    Terms,
    population_of,
    population_to_bytes,
)
from gustbed_training.pipeline.population import _EVERY, _LEAST_ALIKE, _expectation_maximisation

FEATURES, TERMS, SIZE = 2, 3, 3
HEADS = np.array([0, 0, 1])
NONE = np.zeros((FEATURES, FEATURES), dtype=np.float32)


def machines(count: int, seed: int) -> tuple[list[Sums], np.ndarray]:
    """Errors of machines whose coefficients of head 0 stray by 2, 1 and 0, of head 1 not at all."""
    random = np.random.default_rng(seed)
    spread = np.array([2.0, 1.0, 0.0])
    found, drawn = [], []
    for _ in range(count):
        own = np.zeros((FEATURES, TERMS, SIZE))
        own[:, :2] = random.normal(size=(FEATURES, 2, SIZE)) * spread + np.array([1.0, 0.0, 0.0])
        basis = random.normal(size=(4000, FEATURES, SIZE)).astype(np.float32)
        basis[:, :, 0] = 1
        error = np.einsum("nfk,ftk->nft", basis, own) + random.normal(size=(4000, FEATURES, TERMS))
        usual = np.ones_like(error, dtype=np.float32)
        sums = Sums.empty((FEATURES, TERMS, SIZE), 2)
        zeros = np.zeros((4000, FEATURES), dtype=np.float32)
        sums.add(Terms(error.astype(np.float32), usual, basis, usual, zeros), HEADS)
        found.append(sums)
        drawn.append(own)
    return found, np.array(drawn)


def fitted(found: list[Sums]) -> Population:
    """The prior of these machines."""
    alike, apart = np.full((FEATURES, 2), 24.0), np.full((FEATURES, 2), 0.03)
    mean, covariance, noise = _expectation_maximisation(found, HEADS, alike, apart)
    typical = np.ones((1, FEATURES, 2, SIZE), dtype=np.float32)
    return Population(mean, covariance, noise, alike.astype(np.float32), typical, HEADS, NONE)


def test_mean_spread_and_noise_are_found_again() -> None:
    found, drawn = machines(60, 1)
    population = fitted(found)
    mean = drawn.mean(axis=0)
    assert np.abs(population.mean * population.noise[:, :, None] - mean).max() < 0.15
    spread = np.sqrt(np.einsum("fhkk->fhk", population.covariance))
    assert np.abs(spread[:, 0] - [2.0, 1.0, 0.0])[:, :2].max() < 0.5
    assert spread[:, 0, 2].max() < 0.2
    assert spread[:, 1].max() < 0.2
    assert np.abs(population.noise - 1).max() < 0.1
    assert _EVERY < _LEAST_ALIKE


def test_it_lies_in_a_package_as_it_was() -> None:
    found, _ = machines(8, 2)
    population = fitted(found)
    with np.load(io.BytesIO(population_to_bytes(population)), allow_pickle=False) as arrays:
        again = population_of({name: arrays[name] for name in POPULATION_ARRAYS}, FEATURES)
    np.testing.assert_array_equal(again.covariance, population.covariance)
    np.testing.assert_array_equal(again.heads, HEADS)

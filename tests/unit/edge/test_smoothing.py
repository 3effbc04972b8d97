"""Smoothed ratios are the means of what one would keep in a list."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gustbed_edge.scoring.smoothing import Smoother

TURBINES, FEATURES = 3, 2
STEPS = st.lists(
    st.tuples(
        st.sets(st.integers(0, TURBINES - 1), min_size=1), st.sets(st.integers(0, TURBINES - 1))
    ),
    max_size=40,
)


@settings(deadline=None, max_examples=60)
@given(STEPS, st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_means_equal_brute_force(
    steps: list[tuple[set[int], set[int]]], length: int, seed: int
) -> None:
    chance = np.random.default_rng(seed)
    smoother = Smoother(TURBINES, FEATURES, length)
    kept: list[list[np.ndarray]] = [[] for _ in range(TURBINES)]
    for members, restarted in steps:
        smoother.restart(np.array(sorted(restarted), dtype=np.intp))
        for row in restarted:
            kept[row].clear()
        rows = np.array(sorted(members), dtype=np.intp)
        ratios = chance.lognormal(size=(len(rows), FEATURES)).astype(np.float32)
        means = smoother.mean(rows, ratios)
        for i, row in enumerate(rows.tolist()):
            kept[row].append(ratios[i])
            expected = np.mean(kept[row][-length:], axis=0, dtype=np.float64)
            np.testing.assert_allclose(means[i], expected, rtol=1e-6)


def test_the_place_in_the_ring_does_not_show() -> None:
    chance = np.random.default_rng(5)
    stream = chance.lognormal(sigma=3.0, size=(50, 1, FEATURES)).astype(np.float32)
    rows = np.zeros(1, dtype=np.intp)
    early, late = Smoother(1, FEATURES, 7), Smoother(1, FEATURES, 7)
    for ratios in stream[:3]:
        early.mean(rows, ratios)
    for ratios in stream[3:]:
        one, other = early.mean(rows, ratios), late.mean(rows, ratios)
    np.testing.assert_allclose(one, other, rtol=1e-6)

"""Runs of flags, and intervals that touch."""

import numpy as np
import pytest

from gustbed_core.signals import Decision
from gustbed_training.data.labels import runs
from gustbed_training.detectors.scoring import smoothed
from gustbed_training.evaluation.eventwise import merged


def test_a_recordings_ratios_are_smoothed_from_its_own_beginning() -> None:
    ratios = np.array([[4.0], [2.0], [0.0], [1.0]], dtype=np.float32)
    assert smoothed(ratios, Decision(smooth=3)).ravel().tolist() == [4.0, 3.0, 2.0, 1.0]
    assert smoothed(ratios, Decision()).ravel().tolist() == [4.0, 2.0, 0.0, 1.0]
    assert smoothed(np.empty((0, 2)), Decision(smooth=3)).shape == (0, 2)


def test_intervals_that_touch_are_merged() -> None:
    assert merged([]) == 0
    assert merged([(5, 9), (1, 3), (3, 6), (20, np.inf), (30, 31)]) == 2


@pytest.mark.parametrize("first", ["x", "."])
def test_runs_are_the_stretches_of_true_flags(first: str) -> None:
    flags = np.array([letter == "x" for letter in first + ".xx.x"])
    assert runs(flags).tolist() == ([[0, 1]] if first == "x" else []) + [[2, 4], [5, 6]]
    assert runs(np.zeros(0, dtype=bool)).shape == (0, 2)

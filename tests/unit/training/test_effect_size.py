"""How far faults move signals: shifts and swings, beside what varies anyway."""

import numpy as np
import pytest

from gustbed_training.evaluation.effect_size import effect_size, excursion, moments, total
from gustbed_training.evaluation.eventwise import match
from tests.unit.training.judged import ONE_BY_ONE, judged, part, thermal

_ON = np.array([False] * 4 + [True] * 4)


def _column(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float32)[:, None]


def test_a_shift_is_told_in_deviations_of_normal_operation() -> None:
    # Normal: mean 1, deviation 1. The fault adds 5 and leaves the noise.
    values = _column(0, 2, 0, 2, 5, 7, 5, 7)
    distance = excursion(values, _ON, ~_ON)
    assert distance is not None
    assert distance[0] == pytest.approx(26**0.5)
    assert effect_size(distance, moments(values[:4])) == pytest.approx(5.0)


def test_a_swing_without_a_shift_counts_too() -> None:
    values = _column(0, 2, 0, 2, -9, 11, -9, 11)
    distance = excursion(values, _ON, ~_ON)
    assert effect_size(distance, moments(values[:4])) == pytest.approx(99**0.5)


def test_a_fault_that_moves_nothing_moves_nothing() -> None:
    values = _column(0, 2, 0, 2, 0, 2, 0, 2)
    assert effect_size(excursion(values, _ON, ~_ON), moments(values[:4])) == 0.0


def test_only_what_was_just_before_is_compared_with() -> None:
    values = _column(100, 100, 0, 2, 5, 7)
    on = np.array([False] * 4 + [True] * 2)
    distance = excursion(values, on, ~on)
    assert distance is not None
    assert distance[0] == pytest.approx(26**0.5)


def test_the_feature_that_moved_most_decides_and_constant_ones_do_not() -> None:
    normal = moments(np.array([[0, 0, 7], [2, 4, 7]], dtype=np.float32))
    assert effect_size(np.array([2.0, 6.0, 9.0]), normal) == pytest.approx(8**0.5)
    assert effect_size(np.array([1.0]), moments(_column(3, 3))) is None


def test_nothing_to_compare_with_says_nothing() -> None:
    assert excursion(_column(1, 2), np.array([True, True]), np.array([False, False])) is None
    assert excursion(_column(1, 2), np.array([False, False]), np.array([True, True])) is None
    assert effect_size(None, moments(_column(1, 2))) is None
    assert effect_size(np.ones(1), total([])) is None


def test_moments_of_pieces_are_those_of_the_whole() -> None:
    values = np.random.default_rng(0).normal(3, 2, (50, 2)).astype(np.float32)
    pieces = total(moments(piece) for piece in (values[:7], values[7:7], values[7:]))
    assert pieces.n == 50
    assert pieces.mean == pytest.approx(values.mean(axis=0), rel=1e-5)
    assert pieces.std == pytest.approx(values.std(axis=0), rel=1e-5)


def test_strong_faults_have_a_recall_of_their_own() -> None:
    found = match(
        [
            judged(
                part("." * 20 + "xxx" + "." * 20 + "x" * 2 + "." * 20, labels=[thermal(20, 23)])
            ),
            judged(part("." * 60, labels=[thermal(30, 33)])),
        ],
        ONE_BY_ONE,
    )
    assert found.recall == 0.5
    assert len(found.strong) == 1
    assert found.recall_of_strong == 1.0
    assert match([judged(part("...."))], ONE_BY_ONE).recall_of_strong is None

"""Choosing among variants of a detector without a label: what is held back, and what is put in."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gustbed_training.detectors import limits
from gustbed_training.detectors.validation import (
    FOLDS,
    Validation,
    apart,
    best_of,
    held_back,
    validation,
)
from tests.unit.training.detecting import signals, windows


@pytest.fixture(autouse=True)
def few_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small tests: fewer windows are enough to choose by than elsewhere."""
    monkeypatch.setattr(limits, "ENOUGH", 50)


class _Off(nn.Module):
    """How far the mean is off, times ``weights``."""

    def __init__(self, weights: Tensor, centre: Tensor) -> None:
        super().__init__()
        self.weights, self.centre = weights, centre

    def forward(self, window: Tensor) -> Tensor:
        return (window.mean(-1) - self.centre).abs() * self.weights


def _validation() -> Validation:
    held = validation([windows(signals(500, seed)) for seed in (4, 5)])
    assert held is not None
    return held


def test_folds_share_all_windows_out_and_overlaps_are_left_out() -> None:
    folds = np.stack([held_back(103, fold) for fold in range(FOLDS)])
    assert (folds.sum(axis=0) == 1).all()
    for fold in range(FOLDS):
        inner = apart(1000, fold)
        assert inner.sum() == pytest.approx(0.8 * held_back(1000, fold).sum())
        assert not (inner & ~held_back(1000, fold)).any()


def test_a_synthetic_fault_moves_one_feature_up_to_the_end() -> None:
    held = _validation()
    assert len(held.normal) == len(held.faulty)
    moved = held.normal != held.faulty
    assert (moved.any(axis=2).sum(axis=1) == 1).all()
    assert moved.any(axis=1)[:, -1].mean() > 0.95
    assert len({int(row.any(axis=1).argmax()) for row in moved}) == held.normal.shape[1]
    again = _validation()
    np.testing.assert_array_equal(held.faulty, again.faulty)


def test_many_short_stretches_are_thinned_as_one_long_one_is() -> None:
    long = windows(signals(5000, 4))
    cuts = [0, 700, 701, 703, 2000, len(long)]
    pieces = [long[a:b] for a, b in pairwise(cuts)]
    one, many = validation([long]), validation(pieces)
    assert one is not None
    assert many is not None
    assert 500 < len(one.normal) <= 1000
    np.testing.assert_array_equal(one.normal, many.normal)


def test_too_little_is_held_out_to_choose_by(monkeypatch: pytest.MonkeyPatch) -> None:
    assert validation([windows(signals(60, 4))]) is None
    some = windows(signals(1100, 4))
    assert validation([some]) is not None
    # As it is outside of these tests.
    monkeypatch.undo()
    assert validation([some]) is None
    lines: list[str] = []
    assert best_of({"a": nn.Identity(), "b": nn.Identity()}, None, "it", lines.append) == "a"
    assert lines == []


def test_a_detector_that_sees_all_features_finds_more_than_one_that_sees_one() -> None:
    held = _validation()
    centre = torch.from_numpy(held.normal.mean(axis=(0, 2)))
    every, one = torch.ones(4), torch.tensor([1.0, 0.0, 0.0, 0.0])
    lines: list[str] = []
    variants = {"one": _Off(one, centre), "every": _Off(every, centre)}
    assert best_of(variants, held, "sees", lines.append) == "every"
    assert lines[0].startswith("sees every; average precision on synthetic faults of one: 0.")


def test_of_equal_variants_the_first_is_taken() -> None:
    held = _validation()
    alike = _Off(torch.ones(4), torch.zeros(4))
    assert best_of({0.9: alike, 0.7: alike}, held, "share", lambda _: None) == 0.9


def test_signals_that_never_move_get_no_fault() -> None:
    still = np.ones((100, 2, 10), dtype=np.float32)
    held = validation([still])
    assert held is not None
    np.testing.assert_array_equal(held.normal, held.faulty)

"""From ratios to events: the same however the verdicts are cut."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gustbed_core.decisions import (
    MeanHistory,
    RunCounts,
    Span,
    hysteresis,
    kind_masks,
    moving_mean,
    spans,
    strongest_by_kind,
    violating,
    window_ends,
)
from gustbed_core.signals import Decision

CUTS = st.lists(st.integers(1, 7), min_size=1, max_size=30)
FLAGS = st.integers(1, 60).flatmap(lambda n: arrays(np.bool_, (2, 3, n)))


def pieces(length: int, cuts: list[int]) -> list[slice]:
    found, first = [], 0
    for cut in [*cuts, length]:
        last = min(first + cut, length)
        if last > first:
            found.append(slice(first, last))
        first = last
    return found


@given(FLAGS, CUTS, st.integers(1, 5), st.integers(1, 5))
def test_events_open_and_close_alike_block_by_block_and_over_a_recording(
    flags: np.ndarray, cuts: list[int], open_after: int, close_after: int
) -> None:
    decision = Decision(open_after, close_after)
    whole, last = hysteresis(flags, RunCounts.zero((2, 3)), decision)
    counts = RunCounts.zero((2, 3))
    for piece in pieces(flags.shape[-1], cuts):
        part, counts = hysteresis(flags[..., piece], counts, decision)
        assert np.array_equal(part, whole[..., piece])
    assert np.array_equal(counts.open, last.open)
    assert np.array_equal(counts.violating, last.violating)
    assert np.array_equal(counts.normal, last.normal)


@given(arrays(np.bool_, st.integers(0, 80)), st.integers(1, 5), st.integers(1, 5))
def test_events_follow_the_rule_that_a_person_would_count_by(
    flags: np.ndarray, open_after: int, close_after: int
) -> None:
    is_open, expected, bad, good = False, [], 0, 0
    for flag in flags.tolist():
        bad, good = (bad + 1, 0) if flag else (0, good + 1)
        if not is_open and bad >= open_after:
            is_open = True
        elif is_open and good >= close_after:
            is_open = False
        expected.append(is_open)
    found, _ = hysteresis(flags, RunCounts.zero(()), Decision(open_after, close_after))
    assert found.tolist() == expected


def test_spans_name_the_verdicts_that_open_and_close() -> None:
    assert spans(np.array([False, True, True, False, True])) == [Span(1, 3), Span(4, None)]
    assert spans(np.array([True])) == [Span(0, None)]
    assert spans(np.zeros(0, dtype=np.bool_)) == []


@given(
    arrays(np.float32, (2, 40, 3), elements=st.floats(0, 1e6, width=32)),
    CUTS,
    st.integers(1, 9),
)
def test_means_are_equal_bit_for_bit_however_verdicts_are_cut(
    ratios: np.ndarray, cuts: list[int], length: int
) -> None:
    whole, _ = moving_mean(ratios, MeanHistory.empty(2, length, 3), length)
    history = MeanHistory.empty(2, length, 3)
    for piece in pieces(40, cuts):
        part, history = moving_mean(ratios[:, piece], history, length)
        assert np.array_equal(part, whole[:, piece])


def test_the_first_means_are_of_fewer_verdicts() -> None:
    ratios = np.array([[[1.0], [3.0], [5.0], [7.0]]], dtype=np.float32)
    means, _ = moving_mean(ratios, MeanHistory.empty(1, 3, 1), 3)
    assert means[0, :, 0].tolist() == [1.0, 2.0, 3.0, 5.0]


def test_the_strongest_feature_speaks_for_its_kind() -> None:
    kinds, masks = kind_masks({"heat": ("a", "b"), "noise": ("c",)}, ("a", "b", "c"))
    scores = strongest_by_kind(np.array([[0.2, 1.5, 1.0]]), masks)
    assert kinds == ("heat", "noise")
    assert scores.tolist() == [[1.5, 1.0]]
    assert violating(scores).tolist() == [[True, False]]


@pytest.mark.parametrize(
    ("first", "last", "ends"), [(0, 9, []), (0, 10, [9]), (5, 30, [14, 19, 24, 29])]
)
def test_windows_end_a_step_apart(first: int, last: int, ends: list[int]) -> None:
    assert window_ends(first, last, 10, 5).tolist() == ends

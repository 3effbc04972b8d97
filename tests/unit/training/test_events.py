"""Counting events: violating verdicts in a row open one, normal ones in a row close it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gustbed_core.package import Decision
from gustbed_edge.events.tracker import EventTracker, Judge, Site
from gustbed_edge.scoring.smoothing import Smoother
from gustbed_training.detectors.smoothing import smooth
from gustbed_training.evaluation.events import Span, events, merged, runs
from tests.unit.training.judged import manifest

EDGE = Decision(open_after=4, close_after=10)


def _events(text: str, decision: Decision = EDGE) -> list[Span]:
    return events(np.array([letter == "x" for letter in text], dtype=bool), decision)


def test_a_flicker_opens_nothing() -> None:
    assert _events("..xxx.xxx.xxx..") == []


def test_a_lasting_violation_is_one_event() -> None:
    assert _events("..xxxxxx..........") == [Span(5, 17)]


def test_an_event_that_outlasts_the_recording_has_no_end() -> None:
    assert _events("xxxx........") == [Span(3, None)]


def test_a_short_recovery_does_not_split_an_event() -> None:
    assert _events("xxxx.........x..........") == [Span(3, 23)]


def test_a_return_after_closing_is_a_second_event() -> None:
    assert _events("xxxx..........xxxx") == [Span(3, 13), Span(17, None)]


def test_nothing_comes_of_nothing() -> None:
    assert _events("") == []
    assert runs(np.zeros(0, dtype=bool)).shape == (0, 2)


def test_smoothing_is_causal_and_starts_with_what_there_is() -> None:
    ratios = np.array([[4.0], [2.0], [0.0], [1.0]])
    assert smooth(ratios, 3).ravel().tolist() == [4.0, 3.0, 2.0, 1.0]
    assert smooth(ratios, 1).ravel().tolist() == [4.0, 2.0, 0.0, 1.0]
    assert smooth(ratios[:2], 3).ravel().tolist() == [4.0, 3.0]
    assert smooth(np.empty((0, 2)), 3).shape == (0, 2)


def test_intervals_that_touch_are_merged() -> None:
    assert merged([]) == 0
    assert merged([(5, 9), (1, 3), (3, 6), (20, np.inf), (30, 31)]) == 2


def _edge_spans(scores: list[float], decision: Decision) -> list[Span]:
    judge = Judge.of(manifest(), decision)
    tracker = EventTracker(Site("site", "thing", ["t1"]), clock=lambda: 0.0)
    spans: list[Span] = []
    for i, score in enumerate(scores):
        ratios = np.array([[score, 0.0]])
        row, time = np.array([0]), np.array([float(i)])
        for event in tracker.update(row, time, ratios, judge.by_kind(ratios), judge):
            if event.change == "opened":
                spans.append(Span(i, None))
            elif event.change == "closed":
                spans[-1] = Span(spans[-1].opened, i)
    return spans


@given(
    st.lists(st.booleans(), max_size=80),
    st.integers(min_value=1, max_value=5),
    st.integers(min_value=1, max_value=5),
)
def test_the_edge_opens_and_closes_the_same_events(
    violating: list[bool], open_after: int, close_after: int
) -> None:
    decision = Decision(open_after, close_after)
    scores = [2.0 if bad else 0.5 for bad in violating]
    assert events(np.array(violating, dtype=bool), decision) == _edge_spans(scores, decision)


@pytest.mark.parametrize("first", ["x", "."])
def test_runs_are_the_stretches_of_true_flags(first: str) -> None:
    flags = np.array([letter == "x" for letter in first + ".xx.x"])
    assert runs(flags).tolist() == ([[0, 1]] if first == "x" else []) + [[2, 4], [5, 6]]


@given(
    st.lists(st.lists(st.floats(0, 100, width=32), min_size=2, max_size=2), max_size=40),
    st.integers(min_value=1, max_value=7),
)
def test_the_edge_smooths_the_same(rows: list[list[float]], over: int) -> None:
    ratios = np.array(rows, dtype=np.float32).reshape(-1, 2)
    smoother, row = Smoother(1, 2, over), np.array([0])
    streamed = [smoother.mean(row, ratio[None])[0] for ratio in ratios]
    np.testing.assert_allclose(
        smooth(ratios, over), np.array(streamed, dtype=np.float32).reshape(-1, 2), rtol=1e-6
    )

"""Counting events: four violating verdicts open one, ten normal ones close it."""

import numpy as np

from gustbed_training.events import Span, events


def _events(text: str) -> list[Span]:
    return events(np.array([letter == "x" for letter in text]))


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

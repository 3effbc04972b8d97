"""Windows are cut as the edge cuts them, and no window sees two parts of a split."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gustbed_protocol.errors import GustbedError
from gustbed_protocol.features import engineer
from gustbed_training.windows import (
    STEP,
    WINDOW,
    Fractions,
    Stretch,
    features_of,
    shortest_recording,
    split_by_time,
    window_ends,
)
from tests.unit.training.synthetic import recording


def test_windows_are_those_that_the_edge_would_build() -> None:
    one = recording(1, minutes=0.5)
    stretch = Stretch(37, 437)
    got = features_of(one, stretch)
    ends = window_ends(stretch)
    assert len(got) == len(ends) == (400 - WINDOW) // STEP + 1
    for window, end in zip(got, ends, strict=True):
        alone = engineer(one.values[None, :, end + 1 - WINDOW : end + 1])
        np.testing.assert_array_equal(window, alone[0])


def test_a_stretch_shorter_than_a_window_holds_none() -> None:
    assert features_of(recording(1, minutes=0.5), Stretch(0, WINDOW - 1)).shape == (0, 6, WINDOW)


@given(st.integers(shortest_recording(), 100_000), st.floats(0.2, 0.7), st.floats(0.12, 0.15))
def test_no_window_overlaps_a_split(samples: int, train: float, calibrate: float) -> None:
    split = split_by_time(samples, Fractions(train, calibrate))
    parts = (split.train, split.calibrate, split.test)
    assert all(part.stop - part.start >= WINDOW for part in parts)
    assert split.train.start == 0
    assert split.test.stop == samples
    for before, after in pairwise(parts):
        # A whole window's gap: even windows of neighbours share no sample and no held count.
        assert after.start - before.stop >= WINDOW


def test_a_recording_too_short_to_split_says_how_long_it_must_be() -> None:
    with pytest.raises(GustbedError, match="at least 1200 samples"):
        split_by_time(500, Fractions())

"""A window alone and in a batch give the same features."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gustbed_core.features import Engineer
from gustbed_core.signals import Schema
from gustbed_core.turbine_types import load_type
from gustbed_training.data.partition import Part, Recording
from gustbed_training.data.windows import (
    hours_of,
    sliding_windows,
    window_ends_of,
    windows_of,
    windows_of_all,
)

SCHEMAS = {name: load_type(name).schema for name in ("mini", "nrel_5mw")}


def turbine(schema: Schema, samples: int, seed: int) -> Recording:
    """Anything that could be measured, compass directions that wrap included."""
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 1, (len(schema.channels), samples)).cumsum(axis=1)
    values *= rng.uniform(0.01, 50, (len(schema.channels), 1))
    directions = [name.endswith("direction") for name in schema.channel_names]
    values[directions] %= 360.0
    return Recording("made up", "wt01", 0.0, values.astype(np.float32))


def alone(schema: Schema, recording: Recording, end: int) -> np.ndarray:
    """The features of one window, by its last sample."""
    engineer = Engineer(schema.features, schema.channel_names)
    window = recording.values[None, :, end + 1 - schema.window : end + 1]
    found: np.ndarray = engineer(np.ascontiguousarray(window))[0]
    return found


@pytest.mark.parametrize("name", SCHEMAS)
@given(start=st.integers(0, 40), extra=st.integers(0, 350), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_a_window_alone_equals_its_like_in_a_batch(
    name: str, start: int, extra: int, seed: int
) -> None:
    schema = SCHEMAS[name]
    stop = start + schema.window + extra
    recording = turbine(schema, stop + 7, seed)
    part = Part(recording, start, stop)
    batch = windows_of(part, schema)
    ends = window_ends_of(part, schema)
    assert len(batch) == len(ends) == extra // schema.step + 1
    assert ends[-1] < stop
    for window, end in zip(batch, ends.tolist(), strict=True):
        np.testing.assert_array_equal(window, alone(schema, recording, end))
    np.testing.assert_array_equal(sliding_windows(part, schema), batch)


def test_a_part_shorter_than_a_window_holds_none() -> None:
    schema = SCHEMAS["mini"]
    part = Part(turbine(schema, 200, 1), 0, schema.window - 1)
    assert windows_of(part, schema).shape == (0, 6, schema.window)
    assert len(window_ends_of(part, schema)) == 0


def test_windows_lie_wholly_within_their_part() -> None:
    schema = SCHEMAS["nrel_5mw"]
    recording = turbine(schema, 1200, 2)
    inside = Part(recording, 300, 900)
    before = windows_of(inside, schema)
    recording.values[:, :300] = np.nan
    recording.values[:, 900:] = np.nan
    np.testing.assert_array_equal(windows_of(inside, schema), before)


def test_overlapping_windows_take_the_memory_of_their_samples_where_features_allow_it() -> None:
    schema = SCHEMAS["nrel_5mw"]
    part = Part(turbine(schema, schema.window + 100, 3), 0, schema.window + 100)
    view, copy = sliding_windows(part, schema), windows_of(part, schema)
    assert np.shares_memory(view[0], view[1])
    assert not np.shares_memory(copy[0], copy[1])


def test_parts_follow_one_another() -> None:
    schema = SCHEMAS["mini"]
    parts = [Part(turbine(schema, 400, i), 0, 400) for i in range(3)]
    windows = windows_of_all(parts, schema)
    np.testing.assert_array_equal(windows[31:62], windows_of(parts[1], schema))
    assert hours_of(parts, schema) == pytest.approx(1200 / 20 / 3600)

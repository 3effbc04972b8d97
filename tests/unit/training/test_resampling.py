"""From rows to evenly spaced samples: every row is kept, held over or cut, and counted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gustbed_training.data.resampling import Resampled, ResamplingError, Rows, Rules, resample

NAN = float("nan")


def rows(times: list[float] | None, values: list[float] | None = None) -> Rows:
    """One channel, which counts if nothing else is said; labels are twice as much."""
    count = len(values if values is not None else times or [])
    column = np.array(values if values is not None else range(count), dtype=float)[:, None]
    moments = None if times is None else np.array(times, dtype=float)
    return Rows(column, 2 * column, moments, np.arange(count) + 2)


def as_lists(resampled: Resampled) -> tuple[list[float], list[float]]:
    return resampled.times.tolist(), resampled.values[:, 0].tolist()


def test_even_rows_stay_as_they_are() -> None:
    resampled = resample(rows([5, 6, 7, 8]), Rules(1.0))
    assert as_lists(resampled) == ([0, 1, 2, 3], [0, 1, 2, 3])
    assert resampled.labels[:, 0].tolist() == [0, 2, 4, 6]
    assert (resampled.counts.rows, resampled.counts.kept) == (4, 4)
    assert (
        resampled.counts.filled,
        resampled.counts.held,
        resampled.counts.cut,
        resampled.counts.breaks,
    ) == (0,) * 4


def test_jitter_below_half_a_sample_is_snapped() -> None:
    resampled = resample(rows([0, 1.4, 2.1, 2.9, 4.2, 5.0]), Rules(1.0))
    assert resampled.times.tolist() == [0, 1, 2, 3, 4, 5]


def test_a_gap_cuts_unless_it_is_short_enough_to_hold() -> None:
    times = [0.0, 1, 2, 5, 6, 7]
    cut = resample(rows(times), Rules(1.0))
    assert as_lists(cut) == ([0, 1, 2, 5, 6, 7], [0, 1, 2, 3, 4, 5])
    assert (cut.counts.filled, cut.counts.breaks) == (0, 1)
    held = resample(rows(times), Rules(1.0, max_gap_s=3.0))
    assert as_lists(held) == ([0, 1, 2, 3, 4, 5, 6, 7], [0, 1, 2, 2, 2, 3, 4, 5])
    assert (held.counts.filled, held.counts.breaks) == (2, 0)
    assert resample(rows(times), Rules(1.0, max_gap_s=2.0)).counts.breaks == 1


def test_coarse_times_are_taken_as_even_if_the_map_says_so() -> None:
    # Sampled every 1.05 s and written in whole seconds, as the benchmark's rows are.
    times = np.floor(np.arange(100) * 1.05).tolist()
    resampled = resample(rows(times), Rules(1.0, jitter_s=1.0))
    assert resampled.times.tolist() == list(range(100))
    assert resampled.counts.breaks == 0
    assert resample(rows(times), Rules(1.0)).counts.breaks == 4


def test_empty_values_are_held_over_short_gaps_and_cut_else() -> None:
    values = [0, NAN, NAN, 3, NAN, NAN, NAN, NAN, 8, 9]
    resampled = resample(rows(None, values), Rules(1.0, max_gap_s=3.0))
    assert as_lists(resampled) == ([0, 1, 2, 3, 8, 9], [0, 0, 0, 3, 8, 9])
    counts = resampled.counts
    assert (counts.rows, counts.kept, counts.held, counts.cut, counts.breaks) == (10, 6, 2, 4, 1)
    assert resampled.samples_before.tolist() == [0, 1, 2, 3, 4, 4, 4, 4, 4, 5, 6]


def test_a_cut_row_is_a_break_that_readers_see() -> None:
    resampled = resample(rows([0, 1, 2, 3, 4.0], [0, 1, NAN, 3, 4]), Rules(1.0, max_gap_s=1.0))
    assert as_lists(resampled) == ([0, 1, 3, 4], [0, 1, 3, 4])


@pytest.mark.parametrize(
    ("given_rows", "rules", "row", "words"),
    [
        (rows(None, [0, 1, NAN]), Rules(1.0), 4, "empty"),
        (rows([0, 1, 2, 1, 3.0]), Rules(1.0), 5, "time goes back by 1 s"),
        (rows([0, 1, 2, 2, 3.0]), Rules(1.0), 5, "the same time as the row before"),
        (rows([0, 1, 2, 2.3, 3.3]), Rules(1.0), 5, "0.3 s after the row before"),
        (rows([0.0, 2, 4, 6, 8]), Rules(1.0), 2, "sampled every 2 s, where the map says every 1 s"),
        (rows([0, 0.1, 0.2, 0.3]), Rules(1.0), 2, "sampled every 0.1 s"),
        (rows([1.2 * i for i in range(9)]), Rules(1.0), 2, "sampled every 1.2 s"),
        (
            rows([*map(float, range(50)), *(50.0 + 10 * i for i in range(20))]),
            Rules(1.0, max_gap_s=20.0),
            52,
            "sampled every 10 s from here",
        ),
        (rows(None, [NAN, NAN]), Rules(1.0, max_gap_s=5.0), 2, "no row has a value"),
    ],
)
def test_what_cannot_be_made_even_is_named_by_row(
    given_rows: Rows, rules: Rules, row: int, words: str
) -> None:
    with pytest.raises(ResamplingError) as caught:
        resample(given_rows, rules)
    assert caught.value.row == row
    assert words in str(caught.value)


@given(
    st.lists(
        st.tuples(st.sampled_from([1, 1, 1, 1, 1, 2, 3, 9]), st.booleans()), min_size=2, max_size=80
    ),
    st.sampled_from([1.0, 2.0, 3.0, 20.0]),
)
def test_no_row_is_lost_unseen(steps: list[tuple[int, bool]], max_gap_s: float) -> None:
    times = np.cumsum([step for step, _ in steps]).astype(float).tolist()
    values = [NAN if empty and i % 3 == 0 else float(i) for i, (_, empty) in enumerate(steps)]
    try:
        resampled = resample(rows(times, values), Rules(1.0, max_gap_s))
    except ResamplingError:
        return
    counts = resampled.counts
    assert counts.kept + counts.cut == counts.rows == len(steps)
    assert len(resampled.times) == counts.kept + counts.filled == resampled.samples_before[-1]
    advances = np.diff(resampled.times)
    assert set(np.round(advances[advances < 1.5], 6)) <= {1.0}
    assert int((advances > 1.5).sum()) == counts.breaks
    assert not np.isnan(resampled.values).any()
    assert set(resampled.values[:, 0].tolist()) <= {value for value in values if value == value}

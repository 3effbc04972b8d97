"""Windows are what one would get by keeping every sample of every turbine in a list."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gustbed_edge.scoring.windows import KEPT, SPARE, Windows

TURBINES, CHANNELS, WINDOW = 4, 3, 7
STEPS = st.lists(
    st.tuples(
        st.sets(st.integers(0, TURBINES - 1), min_size=1),
        st.integers(1, 3 * WINDOW),
        st.sets(st.integers(0, TURBINES - 1)),
    ),
    max_size=40,
)


@settings(deadline=None, max_examples=60)
@given(STEPS, st.integers(1, 2 * WINDOW))
def test_windows_equal_brute_force(
    steps: list[tuple[set[int], int, set[int]]], other_window: int
) -> None:
    windows = Windows(TURBINES, CHANNELS, WINDOW)
    kept = [np.zeros((CHANNELS, 0), dtype=np.float32) for _ in range(TURBINES)]
    counter = 0
    for members, count, restarted in steps:
        windows.restart(np.array(sorted(restarted), dtype=np.intp))
        for row in restarted:
            kept[row] = kept[row][:, :0]
        rows = np.array(sorted(members), dtype=np.intp)
        size = len(rows) * CHANNELS * count
        flat = np.arange(counter, counter + size, dtype=np.float32)
        values = flat.reshape(len(rows), CHANNELS, count)
        counter += size
        windows.append(rows, values)
        for i, row in enumerate(rows):
            kept[row] = np.concatenate([kept[row], values[i]], axis=1)
        _check(windows, kept, WINDOW)
    _check_resized(windows.resized(other_window), kept, other_window)


def _check(windows: Windows, kept: list[np.ndarray], window: int) -> None:
    rows = np.arange(TURBINES, dtype=np.intp)
    ready = windows.ready(rows)
    assert ready.tolist() == [samples.shape[1] >= window for samples in kept]
    for i, row in enumerate(rows[ready]):
        np.testing.assert_array_equal(windows.latest(rows[ready])[i], kept[row][:, -window:])


def _check_resized(windows: Windows, kept: list[np.ndarray], window: int) -> None:
    rows = np.arange(TURBINES, dtype=np.intp)
    ready = windows.ready(rows)
    for row in rows[ready]:
        expected = kept[row][:, -window:]
        np.testing.assert_array_equal(windows.latest(rows[row : row + 1])[0], expected)
    short = [samples.shape[1] < window for samples in kept]
    assert not (ready & np.array(short)).any()


def test_a_window_that_is_handed_out_does_not_change_afterwards() -> None:
    windows = Windows(1, 1, 4)
    rows = np.array([0], dtype=np.intp)
    windows.append(rows, np.ones((1, 1, 4)))
    taken = windows.latest(rows)
    for _ in range(4 * SPARE):
        windows.append(rows, np.full((1, 1, 3), 9.0))
    assert (taken == 1).all()


def test_a_longer_window_finds_its_history_after_any_number_of_blocks() -> None:
    windows = Windows(1, 1, WINDOW)
    rows = np.array([0], dtype=np.intp)
    longer = WINDOW * KEPT
    for step in range(100):
        windows.append(rows, np.full((1, 1, 3), float(step)))
        if (step + 1) * 3 >= longer:
            assert windows.resized(longer).ready(rows).all()


def test_a_long_stream_stays_in_order_when_the_buffer_is_moved_down() -> None:
    windows = Windows(2, 1, WINDOW)
    rows = np.array([1], dtype=np.intp)
    for end in range(3, 6 * WINDOW * SPARE, 3):
        windows.append(rows, np.arange(end - 3, end, dtype=float).reshape(1, 1, 3))
        if end >= WINDOW:
            assert windows.latest(rows)[0, 0].tolist() == list(range(end - WINDOW, end))

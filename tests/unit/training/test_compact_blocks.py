"""How windows are cut into blocks."""

import numpy as np
import pytest
import torch

from gustbed_training.detectors.compact_blocks import Blocks, layout_for, means

WINDOWS = [2, 3, 7, 24, 32, 45, 100, 400, 1001]


@pytest.mark.parametrize("window", WINDOWS)
def test_what_is_looked_back_over_lies_within_the_window(window: int) -> None:
    layout = layout_for(window)
    assert layout.length >= 1
    assert window - layout.length < layout.blocks * layout.length <= window
    for ranges in (layout.condition, layout.past):
        assert all(0 <= part.start < part.stop <= layout.blocks for part in ranges)
        taken = sorted(block for part in ranges for block in part)
        assert taken == sorted(set(taken))
    assert {block for part in layout.condition for block in part} == set(range(layout.blocks))
    for counts in (layout.levels, layout.roughs, layout.spreads):
        assert all(1 <= count <= layout.blocks for count in counts)


@pytest.mark.parametrize("window", WINDOWS[1:])
def test_the_past_leaves_out_what_a_jump_is_measured_in(window: int) -> None:
    layout = layout_for(window)
    assert all(part.stop <= max(layout.blocks - 3, 1) for part in layout.past)


@pytest.mark.parametrize("window", WINDOWS)
def test_blocks_are_means_and_mean_differences(window: int) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(5, 3, window)).astype(np.float32)
    layout = layout_for(window)
    found, rough = Blocks(layout, window)(torch.from_numpy(values))
    used = values[:, :, window - layout.blocks * layout.length :]
    expected = [part.mean(axis=2) for part in np.split(used, layout.blocks, axis=2)]
    np.testing.assert_allclose(found, np.stack(expected, axis=2), atol=1e-5)
    steps = np.abs(np.diff(used, axis=2))
    for column, count in enumerate(layout.roughs):
        newest = steps[:, :, -min(count * layout.length, steps.shape[2]) :]
        np.testing.assert_allclose(rough[:, :, column], newest.mean(axis=2), atol=1e-5)


def test_a_matrix_of_means() -> None:
    matrix = means([range(1), range(1, 4)], 4)
    expected = np.array([[1, 0, 0, 0], [0, 1 / 3, 1 / 3, 1 / 3]])
    np.testing.assert_allclose(matrix.T, expected)

"""Features are the same for one window, a batch and a stream."""

import numpy as np
import pytest
from numpy.typing import NDArray

from gustbed_core.features import Engineer, Feature
from gustbed_core.turbine_types import load_type

MINI = load_type("mini")
CHANNEL_NAMES = MINI.channel_names
CHANNEL_INDEX = {name: i for i, name in enumerate(CHANNEL_NAMES)}
FEATURE_NAMES = MINI.schema.feature_names
engineer = Engineer(MINI.schema.features, CHANNEL_NAMES)


def quaternion_windows(roll: float, pitch: float, yaw: NDArray[np.float64]) -> NDArray[np.float64]:
    """One window (1, channels, time) of a nacelle with this attitude, in radians."""
    cr, sr, cp, sp = np.cos(roll / 2), np.sin(roll / 2), np.cos(pitch / 2), np.sin(pitch / 2)
    cy, sy = np.cos(yaw / 2), np.sin(yaw / 2)
    window = np.zeros((1, len(CHANNEL_NAMES), len(yaw)))
    window[0, CHANNEL_INDEX["qw"]] = cr * cp * cy + sr * sp * sy
    window[0, CHANNEL_INDEX["qx"]] = sr * cp * cy - cr * sp * sy
    window[0, CHANNEL_INDEX["qy"]] = cr * sp * cy + sr * cp * sy
    window[0, CHANNEL_INDEX["qz"]] = cr * cp * sy - sr * sp * cy
    return window


@pytest.mark.parametrize("heading", [0.0, 1.0, 3.1, -3.1])
def test_attitude_comes_back_whatever_the_compass_heading(heading: float) -> None:
    swing = 0.05 * np.sin(np.linspace(0, 6.28, 100))
    features = engineer(quaternion_windows(0.02, -0.03, heading + swing))[0]
    assert features[0] == pytest.approx(0.02, abs=1e-6)
    assert features[1] == pytest.approx(-0.03, abs=1e-6)
    assert features[2] == pytest.approx(swing - swing.mean(), abs=1e-3)


def test_a_window_alone_equals_the_same_window_in_a_batch() -> None:
    windows = np.random.default_rng(3).normal(size=(7, len(CHANNEL_NAMES), 100))
    batch = engineer(windows)
    assert batch.shape == (7, len(FEATURE_NAMES), 100)
    for i in range(7):
        assert np.array_equal(engineer(windows[i : i + 1])[0], batch[i])


def test_a_dead_attitude_sensor_gives_numbers_not_nan() -> None:
    assert np.isfinite(engineer(np.zeros((1, len(CHANNEL_NAMES), 100)))).all()


def test_turns_and_differences_follow_their_channels() -> None:
    channels = ("a", "b", "heading", "vane")
    windows = np.zeros((2, 4, 5))
    windows[:, 0], windows[:, 1] = 3.0, 1.0
    windows[:, 2] = [359, 1, 359, 1, 0]
    windows[:, 3] = 350
    made = Engineer(
        (
            Feature("a", "V"),
            Feature("d", "V", "difference", ("a", "b")),
            Feature("yaw", "deg", "turn", ("heading",)),
            Feature("off", "deg", "turn", ("heading", "vane")),
        ),
        channels,
    )(windows)
    assert made[0, 0].tolist() == [3.0] * 5
    assert made[0, 1].tolist() == [2.0] * 5
    assert made[1, 2] == pytest.approx([-1, 1, -1, 1, 0], abs=1e-4)
    assert made[1, 3] == pytest.approx([9, 11, 9, 11, 10], abs=1e-4)

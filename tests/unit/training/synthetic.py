"""A turbine of a few lines, so that unit tests need no simulator. Not the twin."""

import numpy as np

from gustbed_protocol.channels import CHANNEL_INDEX, CHANNEL_NAMES
from gustbed_protocol.violations import Violation
from gustbed_training.recordings import SAMPLE_RATE_HZ, Recording

_COUNTED = 20


def recording(
    seed: int,
    minutes: float = 5.0,
    wind: float = 2.1,
    fault: tuple[Violation, float, float] | None = None,
) -> Recording:
    """One turbine. ``fault`` is a kind and its start and end in seconds."""
    rng = np.random.default_rng(seed)
    n = int(minutes * 60 * SAMPLE_RATE_HZ)
    on = np.zeros(n, dtype=bool)
    if fault:
        on[int(fault[1] * SAMPLE_RATE_HZ) : int(fault[2] * SAMPLE_RATE_HZ)] = True
    gusts, rotor = np.empty(n), np.empty(n)
    gust, speed = 0.0, 0.75 * wind
    shocks = rng.normal(0, 0.3 * np.sqrt(2 / (5 * SAMPLE_RATE_HZ)), n)
    for i in range(n):
        gust += -gust / (5 * SAMPLE_RATE_HZ) + shocks[i]
        gusts[i] = max(wind + gust, 0.1)
        share = 0.4 if on[i] and fault and fault[0] is Violation.ROTATION else 0.75
        speed += (share * gusts[i] - speed) / (1.5 * SAMPLE_RATE_HZ)
        rotor[i] = speed
    volts = 30 * rotor + rng.normal(0, 1, n)
    if fault and fault[0] is Violation.VOLTAGE:
        volts[on] *= 0.5
    angles = rng.normal(0, 0.004, (3, n))
    if fault and fault[0] is Violation.VIBRATION:
        angles[:, on] += 0.05 * np.sin(2 * np.pi * 5 * np.arange(n) / SAMPLE_RATE_HZ)[on]
    values = np.zeros((len(CHANNEL_NAMES), n), dtype=np.float32)
    values[CHANNEL_INDEX["wind_speed_rps"]] = _counted(gusts)
    values[CHANNEL_INDEX["rps"]] = _counted(rotor)
    values[CHANNEL_INDEX["voltage"]] = np.round(volts)
    for name, column in zip(("qw", "qx", "qy", "qz"), _quaternion(*angles), strict=True):
        values[CHANNEL_INDEX[name]] = column
    severity = {
        kind: (on & (fault is not None and fault[0] is kind)).astype(np.float32)
        for kind in Violation
    }
    return Recording("synthetic", f"wt{seed}", values, severity)


def _counted(speed: np.ndarray) -> np.ndarray:
    seconds = len(speed) // _COUNTED
    means = speed[: seconds * _COUNTED].reshape(seconds, _COUNTED).mean(axis=1)
    held = np.repeat(np.round(means * 16) / 16, _COUNTED)
    return np.concatenate((np.full(_COUNTED, held[0]), held))[: len(speed)]


def _quaternion(roll: np.ndarray, pitch: np.ndarray, yaw: np.ndarray) -> list[np.ndarray]:
    cr, cp, cy = np.cos(roll / 2), np.cos(pitch / 2), np.cos(yaw / 2)
    sr, sp, sy = np.sin(roll / 2), np.sin(pitch / 2), np.sin(yaw / 2)
    return [
        cr * cp * cy + sr * sp * sy,
        sr * cp * cy - cr * sp * sy,
        cr * sp * cy + sr * cp * sy,
        cr * cp * sy - sr * sp * cy,
    ]

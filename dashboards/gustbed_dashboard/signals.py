"""From telemetry blocks to what a person watches: thinned, in a person's units."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gustbed_protocol.channels import CHANNEL_INDEX, CHANNEL_NAMES
from gustbed_protocol.features import FEATURE_NAMES, engineer
from gustbed_protocol.telemetry import Samples

KEPT_HZ = 4.0
VIBRATION = len(CHANNEL_NAMES)
"""Column after the channels: root mean square of the acceleration's change, in counts."""
COLUMNS = len(CHANNEL_NAMES) + 1

_ACCELERATION = [CHANNEL_INDEX[name] for name in ("ax", "ay", "az")]
_ATTITUDE = {name: FEATURE_NAMES.index(name) for name in ("roll", "pitch", "yaw")}


@dataclass(frozen=True, slots=True)
class Signals:
    """A turbine's recent signals: ``age`` in seconds (0 is now, older is negative), by name."""

    age: NDArray[np.float64]
    values: dict[str, NDArray[np.floating]]


def thin(samples: Samples) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times and rows (n, ``COLUMNS``) of a block at about ``KEPT_HZ``.

    Every k-th sample is kept as it is, so that a shaking nacelle still looks shaken.
    """
    values = samples.values
    stride = max(1, round(1.0 / (samples.dt * KEPT_HZ)))
    picked = np.arange(values.shape[1] - 1, -1, -stride)[::-1]
    change = np.diff(values[_ACCELERATION], axis=1)
    vibration = float(np.sqrt((change**2).sum(axis=0).mean())) if change.size else 0.0
    rows = np.column_stack([values[:, picked].T, np.full(len(picked), vibration)])
    return samples.t0 + samples.dt * picked, rows


def signals(times: NDArray[np.float64], rows: NDArray[np.floating], now: float) -> Signals:
    """Name a ring's columns; attitude in degrees, yaw from the shown period's mean heading."""
    values: dict[str, NDArray[np.floating]] = {
        name: rows[:, index] for name, index in CHANNEL_INDEX.items()
    }
    values["vibration"] = rows[:, VIBRATION]
    if len(rows):
        attitude = np.degrees(engineer(rows[None, :, : len(CHANNEL_NAMES)].transpose(0, 2, 1))[0])
        values |= {name: attitude[index] for name, index in _ATTITUDE.items()}
    else:
        values |= {name: np.empty(0) for name in _ATTITUDE}
    return Signals(times - now, values)

"""From telemetry blocks to what a person watches: thinned, in a person's units."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gustbed_core.channels import CHANNEL_INDEX, CHANNEL_NAMES
from gustbed_core.features import FEATURE_NAMES, engineer
from gustbed_core.telemetry import MINI, Samples

KEPT_HZ = 4.0
VIBRATION = "vibration"
"""The miniature's extra column: root mean square of the acceleration's change, in counts."""
MINI_COLUMNS = (*CHANNEL_NAMES, VIBRATION)

_ACCELERATION = [CHANNEL_INDEX[name] for name in ("ax", "ay", "az")]
_ATTITUDE = {name: FEATURE_NAMES.index(name) for name in ("roll", "pitch", "yaw")}


@dataclass(frozen=True, slots=True)
class Signals:
    """A turbine's recent signals: ``age`` in seconds (0 is now, older is negative), by name."""

    type: str
    age: NDArray[np.float64]
    values: Mapping[str, NDArray[np.floating]]


def thin(samples: Samples) -> tuple[NDArray[np.float64], tuple[str, ...], NDArray[np.float64]]:
    """Times, column names and rows (n, names) of a block at about ``KEPT_HZ``.

    Every k-th sample is kept as it is, so that a shaking nacelle still looks shaken.
    """
    values = samples.values
    stride = max(1, round(1.0 / (samples.dt * KEPT_HZ)))
    picked = np.arange(values.shape[1] - 1, -1, -stride)[::-1]
    times, rows = samples.t0 + samples.dt * picked, values[:, picked].T
    if samples.type != MINI:
        return times, samples.names, rows
    change = np.diff(values[_ACCELERATION], axis=1)
    vibration = float(np.sqrt((change**2).sum(axis=0).mean())) if change.size else 0.0
    rows = np.column_stack([rows, np.full(len(picked), vibration)])
    return times, MINI_COLUMNS, rows


def signals(
    kind: str,
    times: NDArray[np.float64],
    columns: Mapping[str, NDArray[np.floating]],
    now: float,
) -> Signals:
    """A table's columns for a turbine of a type; a miniature's attitude comes to them.

    Attitude is in degrees, yaw from the shown period's mean heading.
    """
    values: dict[str, NDArray[np.floating]] = dict(columns)
    if kind == MINI and all(name in columns for name in CHANNEL_NAMES):
        values |= _attitude(columns) if len(times) else {name: np.empty(0) for name in _ATTITUDE}
    return Signals(kind, times - now, values)


def _attitude(columns: Mapping[str, NDArray[np.floating]]) -> dict[str, NDArray[np.floating]]:
    window = np.stack([columns[name] for name in CHANNEL_NAMES])[None]
    angles = np.degrees(engineer(window)[0])
    return {name: angles[index] for name, index in _ATTITUDE.items()}

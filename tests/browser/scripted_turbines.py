"""What the scripted site's turbines measure and which features their models look at, by type."""

import math
import random
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gustbed_core import event_kinds
from gustbed_core.event_kinds import EventKind
from gustbed_core.turbine_types import load_type

DT, SAMPLES = 0.05, 10
MINI, UTILITY = "mini", "nrel_5mw"
_MINI = load_type(MINI)

_LEVELS: Mapping[str, tuple[float, float]] = {
    "wind_speed": (9.4, 0.35),
    "wind_direction": (231.0, 1.2),
    "wind_direction_relative": (1.4, 1.2),
    "nacelle_direction": (229.6, 0.05),
    "rotor_speed": (10.8, 0.02),
    "generator_speed": (1047.0, 1.5),
    "pitch": (0.02, 0.01),
    "pitch_demand": (0.0, 0.0),
    "active_power": (2905.0, 14.0),
    "reactive_power": (590.0, 4.0),
    "voltage_l1": (690.4, 0.8),
    "voltage_l2": (689.7, 0.8),
    "voltage_l3": (690.1, 0.8),
    "current_l1": (2431.0, 9.0),
    "current_l2": (2436.0, 9.0),
    "current_l3": (2428.0, 9.0),
    "tower_acceleration_fa": (0.0, 0.06),
    "tower_acceleration_ss": (0.0, 0.04),
    "drivetrain_vibration": (1.8, 0.08),
    "gearbox_oil_temperature": (58.3, 0.1),
    "gearbox_bearing_temperature": (66.9, 0.1),
    "generator_bearing_de_temperature": (61.2, 0.1),
    "generator_bearing_nde_temperature": (54.8, 0.1),
    "generator_stator_1_temperature": (88.1, 0.2),
    "generator_stator_2_temperature": (88.4, 0.2),
    "generator_stator_3_temperature": (87.9, 0.2),
    "converter_temperature": (45.2, 0.2),
    "transformer_temperature": (67.7, 0.2),
    "hydraulic_oil_temperature": (42.0, 0.1),
    "hydraulic_pressure": (182.0, 0.5),
    "nacelle_temperature": (24.6, 0.1),
    "hub_temperature": (21.3, 0.1),
    "ambient_temperature": (13.8, 0.1),
    "status": (2.0, 0.0),
}
"""Level and spread of each channel of the utility type's turbines in a fair wind."""
UTILITY_CHANNELS: tuple[str, ...] = tuple(_LEVELS)
UTILITY_FEATURES: tuple[str, ...] = tuple(
    name for name in UTILITY_CHANNELS if name not in ("status", "nacelle_direction")
)
UTILITY_FEATURES_OF: Mapping[EventKind, tuple[str, ...]] = {
    event_kinds.VIBRATION: ("drivetrain_vibration", "tower_acceleration_ss"),
    event_kinds.ROTATION: ("rotor_speed", "generator_speed"),
    event_kinds.VOLTAGE: ("voltage_l1", "voltage_l2", "voltage_l3"),
    event_kinds.THERMAL: ("gearbox_bearing_temperature", "gearbox_oil_temperature"),
    event_kinds.ELECTRICAL: ("active_power", "current_l1"),
    event_kinds.SENSOR: ("wind_speed", "wind_direction_relative"),
}


def features(kind: str) -> tuple[str, ...]:
    """What the type's model looks at."""
    return _MINI.schema.feature_names if kind == MINI else UTILITY_FEATURES


def carriers(kind: str, violation: EventKind) -> tuple[str, ...]:
    """Which of them carry a violation."""
    known = _MINI.schema.violations if kind == MINI else UTILITY_FEATURES_OF
    return known.get(violation, ())


def utility(
    index: int, now: float, kinds: set[EventKind], source: random.Random
) -> NDArray[np.float64]:
    """Half a second of a utility turbine, (``UTILITY_CHANNELS``, samples)."""
    t = now - DT * np.arange(SAMPLES - 1, -1, -1)
    gust = 0.08 * np.sin(t / 23 + index) + 0.03 * np.sin(t / 7)
    rows = []
    for name, (level, spread) in _LEVELS.items():
        noise = np.array([source.gauss(0, 1) for _ in t])
        swing = gust if name in ("wind_speed", "active_power") or "current" in name else gust / 9
        row = level * (1 + swing) + spread * noise
        if any(name in UTILITY_FEATURES_OF[kind] for kind in kinds):
            row = row * 1.12 + 6 * spread * noise
        rows.append(row)
    return np.stack(rows)


def miniature(
    index: int, now: float, kinds: set[EventKind], source: random.Random
) -> NDArray[np.float64]:
    """Half a second of a miniature, (channels, samples)."""
    t = now - DT * np.arange(SAMPLES - 1, -1, -1)
    phase = t / 17 + index * 1.3
    noise = np.array([[source.gauss(0, 1) for _ in t] for _ in range(8)])
    wind = 2.15 + 0.35 * np.sin(phase) + 0.2 * np.sin(3.1 * phase + index) + 0.05 * noise[0]
    rps = wind * 0.75 + 0.02 * noise[1]
    if event_kinds.ROTATION in kinds:
        rps = rps * 0.4
    voltage = rps * 30 + 0.8 * noise[2]
    if event_kinds.VOLTAGE in kinds:
        voltage = voltage * 0.4 + 9 * noise[3]
    shake = 0.12 if event_kinds.VIBRATION in kinds else 0.008
    values = np.zeros((len(_MINI.channels), SAMPLES))

    def put(channel: str, series: ArrayLike) -> None:
        values[_MINI.channel_names.index(channel)] = np.asarray(series)

    quaternion = _quaternion(shake * noise[4], shake * noise[5], 0.08 * np.sin(phase / 2))
    for name, row in zip(("qw", "qx", "qy", "qz"), quaternion, strict=True):
        put(name, row)
    put("rps", np.maximum(rps, 0))
    put("wind_speed_rps", np.maximum(wind, 0))
    put("voltage", np.clip(voltage, 0, 1023))
    put("gz", 1.0)
    for axis, row in zip(("ax", "ay", "az"), noise[5:8], strict=True):
        put(axis, row * shake * 4000)
    put("gearboxtemp", 38 + 2 * math.sin(now / 60 + index))
    for name, level in (("ambtemp", 17.5), ("humidity", 61.0), ("pressure", 1013.2), ("gas", 1.2)):
        put(name, level)
    return values


def _quaternion(
    roll: NDArray[np.float64], pitch: NDArray[np.float64], yaw: NDArray[np.float64]
) -> tuple[NDArray[np.float64], ...]:
    cr, sr, cp, sp = np.cos(roll / 2), np.sin(roll / 2), np.cos(pitch / 2), np.sin(pitch / 2)
    cy, sy = np.cos(yaw / 2), np.sin(yaw / 2)
    return (
        cr * cp * cy + sr * sp * sy,
        sr * cp * cy - cr * sp * sy,
        cr * sp * cy + sr * cp * sy,
        cr * cp * sy - sr * sp * cy,
    )


def channels(kind: str) -> tuple[str, ...]:
    """The names of what ``miniature`` or ``utility`` gives."""
    return _MINI.channel_names if kind == MINI else UTILITY_CHANNELS

"""Faults by kind and turbine: severities that ramp linearly, and what they do to the machine.

Each kind moves signals of its own, so that a detector can name it: vibration moves attitude and
acceleration, rotation slows the rotor (and the voltage truly follows it), voltage bends the
generator's output alone.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gustbed_core.event_kinds import ROTATION, VIBRATION, VOLTAGE
from gustbed_twin.faults.kinds import FaultKind
from gustbed_twin.filters import Floats, bounded

CATALOGUE: dict[str, FaultKind] = {
    VIBRATION: FaultKind(
        "the nacelle is loose",
        dict.fromkeys(("qw", "qx", "qy", "qz", "gx", "gy", "gz", "ax", "ay", "az"), 0),
    ),
    ROTATION: FaultKind("a bearing drags", {"rps": -1, "voltage": -1}),
    VOLTAGE: FaultKind("a winding or the rectifier fails", {"voltage": -1}),
}
KINDS: tuple[str, ...] = tuple(CATALOGUE)
_ROW = {kind: row for row, kind in enumerate(KINDS)}

SHAKE_RAD = (0.25, 0.20, 0.20)
"""Amplitude of roll, pitch and yaw at severity 1."""
SHAKE_PHASE = (0.0, 1.3, 2.4)
SHAKE_NOISE_RAD = 0.06
SHAKE_LOWEST_HZ = 0.8
"""A loose nacelle rocks at the rotor's frequency, but never slower than its own."""
SHAKE_ACCELERATION_G = 0.15

DRAG_LOSS = 0.6
DRAG_HUNTING = 0.2
DRAG_BUILDUP_S = 5.0
"""A bearing seizes over seconds: the rotor slows no faster than its 1 s count can follow."""
HUNTING_S = 8.0
"""Slow, for the same reason: the voltage would seem to disagree with a count that lags."""

VOLTAGE_LOSS = 0.5
VOLTAGE_FLICKER = 0.2


@dataclass(frozen=True, slots=True)
class Faults:
    """Ramps by kind and turbine, each array (kinds, turbines); times in samples."""

    begin: NDArray[np.int64]
    length: NDArray[np.int64]
    start: Floats
    target: Floats

    @classmethod
    def none(cls, turbines: int) -> "Faults":
        """A sound farm."""
        shape = (len(KINDS), turbines)
        return cls(
            np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape), np.zeros(shape)
        )

    @property
    def any(self) -> bool:
        """Whether a fault is there, coming or going."""
        return bool(self.target.any() or self.start.any())

    def severity(self, first: int, samples: int) -> Floats:
        """Severities from 0 to 1, shape (kinds, samples, turbines)."""
        now = np.arange(first + 1, first + 1 + samples)[None, :, None]
        share = (now - self.begin[:, None]) / np.maximum(self.length, 1)[:, None]
        share = np.clip(share, 0.0, 1.0)
        change = self.target - self.start
        severity: Floats = self.start[:, None] + change[:, None] * share
        return severity

    def ramp(self, kind: str, turbine: int, severity: float, length: int, now: int) -> "Faults":
        """From sample ``now`` on, go from wherever it is to ``severity`` in ``length`` samples."""
        cell = (_ROW[kind], turbine)
        current = self.severity(now - 1, 1)[cell[0], 0, turbine]
        begin, ramp = self.begin.copy(), self.length.copy()
        start, target = self.start.copy(), self.target.copy()
        begin[cell], ramp[cell], start[cell], target[cell] = now, length, current, severity
        return Faults(begin, ramp, start, target)


def of_kind(severity: Floats, kind: str) -> Floats:
    """The rows of one kind."""
    rows: Floats = severity[_ROW[kind]]
    return rows


def shake(severity: Floats, phase: Floats, rotor: Floats, noise: Floats) -> Floats:
    """Roll, pitch and yaw (rad) that a loose nacelle adds; ``noise`` is (3, samples, turbines).

    ``phase`` counts revolutions of the shake, ``rotor`` is rev/s.
    """
    strength = severity * np.clip(0.6 + 0.25 * rotor, 0.6, 1.2)
    turns = 2.0 * np.pi * (phase - np.floor(phase))
    amplitude = np.array(SHAKE_RAD)[:, None, None]
    offset = np.array(SHAKE_PHASE)[:, None, None]
    angles: Floats = amplitude * np.sin(turns + offset) + SHAKE_NOISE_RAD * noise
    angles *= strength
    return angles


def shake_frequency(rotor: Floats) -> Floats:
    """Shake in Hz at a rotor speed in rev/s."""
    return np.maximum(rotor, SHAKE_LOWEST_HZ)


def drive_left(drag: Floats, hunting: Floats) -> Floats:
    """Share of the driving torque that a dragging bearing leaves (``hunting``: unit variance)."""
    loss = drag * (DRAG_LOSS + DRAG_HUNTING * bounded(hunting, 1.0))
    return np.maximum(1.0 - loss, 0.05)


def voltage_left(severity: Floats, noise: Floats) -> Floats:
    """Share of the voltage that a failing winding or rectifier leaves (``noise``: unit normal)."""
    flicker = VOLTAGE_FLICKER * np.clip(noise, -2.0, 2.0)
    # Same sign as the measuring noise, lest a slight fault make the signal quieter.
    return np.maximum(1.0 - severity * (VOLTAGE_LOSS - flicker), 0.0)

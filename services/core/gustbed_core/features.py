"""Engineered features: from sensor channels to what a model sees, in training and serving.

A model package declares its features; this is the only code that computes them. Everything is
computed from one window alone, so one window, a batch and a stream agree. Denoising is part of
the model's graph and therefore cannot differ either.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gustbed_core.errors import GustbedError

Op = Literal["value", "difference", "turn", "roll", "pitch", "yaw"]
"""How a feature follows from its channels.

``value``: the channel itself; ``difference``: the first less the second; ``turn``: the first less
the second as angles in degrees, from -180 to 180 (one channel: less its window's mean heading);
``roll``, ``pitch``, ``yaw``: of the quaternion in four channels, in rad (Tait-Bryan z-y-x), yaw
from the window's mean heading, so that no compass direction is an anomaly.
"""
_CHANNELS_OF: dict[str, tuple[int, ...]] = {
    "value": (1,),
    "difference": (2,),
    "turn": (1, 2),
    "roll": (4,),
    "pitch": (4,),
    "yaw": (4,),
}


@dataclass(frozen=True, slots=True)
class Feature:
    """One row of a model's input. ``of`` names its channels; empty: the one of its own name."""

    name: str
    unit: str
    op: Op = "value"
    of: tuple[str, ...] = ()

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels that it is made of."""
        return self.of or (self.name,)


class Engineer:
    """Computes features from windows whose channels come in a given order.

    Raises ``GustbedError`` for a feature whose channels are not there or too many.
    """

    def __init__(self, features: Sequence[Feature], channels: Sequence[str]) -> None:
        self.features = tuple(features)
        place = {name: i for i, name in enumerate(channels)}
        for feature in features:
            if len(feature.channels) not in _CHANNELS_OF.get(feature.op, ()):
                raise GustbedError(
                    f"feature {feature.name!r}: {feature.op!r} of {len(feature.channels)} channels",
                    "value takes 1, difference 2, turn 1 or 2, roll, pitch and yaw 4",
                )
            for name in feature.channels:
                if name not in place:
                    raise GustbedError(f"feature {feature.name!r}: no channel {name!r}")
        self._rows = [[place[name] for name in feature.channels] for feature in features]
        plain = [i for i, feature in enumerate(features) if feature.op == "value"]
        self._plain = np.array(plain, dtype=np.intp)
        self._plain_rows = np.array([self._rows[i][0] for i in plain], dtype=np.intp)

    def __call__(self, windows: NDArray[np.floating]) -> NDArray[np.float32]:
        """Channels (n, channels, time) to features (n, features, time)."""
        shape = (windows.shape[0], len(self.features), windows.shape[2])
        result = np.empty(shape, dtype=np.float32)
        result[:, self._plain] = windows[:, self._plain_rows]
        attitudes: dict[tuple[int, ...], _Attitude] = {}
        for i, feature in enumerate(self.features):
            if feature.op == "value":
                continue
            rows = self._rows[i]
            if feature.op == "difference":
                result[:, i] = windows[:, rows[0]] - windows[:, rows[1]]
            elif feature.op == "turn":
                result[:, i] = _turn(*(windows[:, row] for row in rows))
            else:
                key = tuple(rows)
                if key not in attitudes:
                    attitudes[key] = _Attitude(windows[:, rows])
                result[:, i] = attitudes[key].angle(feature.op)
        return result


class _Attitude:
    """Unit quaternions (n, 4, time), in double: single precision differs by processor in the last
    digit, of which a steady yaw has few to spare.
    """

    def __init__(self, quaternions: NDArray[np.floating]) -> None:
        quaternions = quaternions.astype(np.float64)
        norm = np.sqrt(np.square(quaternions).sum(axis=1, keepdims=True))
        unit = quaternions / np.where(norm > 0, norm, 1.0)
        self._q = unit[:, 0], unit[:, 1], unit[:, 2], unit[:, 3]

    def angle(self, op: str) -> NDArray[np.floating]:
        w, x, y, z = self._q
        if op == "roll":
            roll: NDArray[np.floating] = np.arctan2(2 * (w * x + y * z), 1 - 2 * (x * x + y * y))
            return roll
        if op == "pitch":
            pitch: NDArray[np.floating] = np.arcsin(np.clip(2 * (w * y - z * x), -1.0, 1.0))
            return pitch
        return _from_mean_heading(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))


def _turn(
    angle: NDArray[np.floating], other: NDArray[np.floating] | None = None
) -> NDArray[np.floating]:
    if other is None:
        radians = np.deg2rad(angle.astype(np.float64))
        heading: NDArray[np.floating] = _from_mean_heading(np.sin(radians), np.cos(radians))
        return heading * (180.0 / np.pi)
    turned: NDArray[np.floating] = (angle - other + 180.0) % 360.0 - 180.0
    return turned


def _from_mean_heading(
    sine: NDArray[np.floating], cosine: NDArray[np.floating]
) -> NDArray[np.floating]:
    mean = np.arctan2(sine.mean(axis=1), cosine.mean(axis=1))[:, None]
    # Rotating the vector back, rather than subtracting angles, needs no wrapping.
    c, s = np.cos(mean), np.sin(mean)
    relative: NDArray[np.floating] = np.arctan2(sine * c - cosine * s, cosine * c + sine * s)
    return relative

"""Engineered features: from sensor channels to what a model sees, in training and serving.

Everything is computed from one window alone, so one window, a batch and a stream agree.
Denoising is part of the model's graph and therefore cannot differ either.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gustbed_protocol.channels import CHANNEL_INDEX


@dataclass(frozen=True, slots=True)
class Feature:
    """One column of a model's input."""

    name: str
    unit: str


FEATURES: tuple[Feature, ...] = (
    Feature("roll", "rad"),
    Feature("pitch", "rad"),
    Feature("yaw", "rad"),
    Feature("wind_speed_rps", "1/s"),
    Feature("rps", "1/s"),
    Feature("voltage", "count"),
)
FEATURE_NAMES: tuple[str, ...] = tuple(f.name for f in FEATURES)

_Q = tuple(CHANNEL_INDEX[name] for name in ("qw", "qx", "qy", "qz"))
_PLAIN = [CHANNEL_INDEX[name] for name in ("wind_speed_rps", "rps", "voltage")]


def engineer(windows: NDArray[np.floating]) -> NDArray[np.float32]:
    """Channels (n, channels, time) to features (n, features, time).

    Attitude becomes roll, pitch and yaw (Tait-Bryan z-y-x, radians); yaw is measured from the
    window's own mean heading, so that no compass direction is an anomaly.
    """
    w, x, y, z = (windows[:, i, :] for i in _Q)
    norm = np.sqrt(w * w + x * x + y * y + z * z)
    safe = np.where(norm > 0, norm, 1.0)
    w, x, y, z = w / safe, x / safe, y / safe, z / safe
    features = np.empty((windows.shape[0], len(FEATURES), windows.shape[2]), dtype=np.float32)
    features[:, 0] = np.arctan2(2 * (w * x + y * z), 1 - 2 * (x * x + y * y))
    features[:, 1] = np.arcsin(np.clip(2 * (w * y - z * x), -1.0, 1.0))
    features[:, 2] = _from_mean_heading(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
    features[:, 3:] = windows[:, _PLAIN, :]
    return features


def _from_mean_heading(
    sine: NDArray[np.floating], cosine: NDArray[np.floating]
) -> NDArray[np.floating]:
    mean = np.arctan2(sine.mean(axis=1), cosine.mean(axis=1))[:, None]
    # Rotating the vector back, rather than subtracting angles, needs no wrapping.
    c, s = np.cos(mean), np.sin(mean)
    relative: NDArray[np.floating] = np.arctan2(sine * c - cosine * s, cosine * c + sine * s)
    return relative

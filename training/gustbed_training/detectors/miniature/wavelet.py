"""Wavelet denoising as matrices, so that one graph does in serving what it did in training."""

from dataclasses import dataclass

import numpy as np
import pywt
from numpy.typing import NDArray

WAVELET = "db6"
LEVEL = 2
_MAD_TO_SIGMA = 0.6745
"""Median absolute deviation of a standard normal variable."""


@dataclass(frozen=True)
class Transform:
    """An orthonormal wavelet transform: ``coefficients = samples @ matrix``.

    ``matrix`` is (length, length); columns from ``approximation`` on are detail coefficients, the
    last ``finest`` of them the finest level.
    """

    matrix: NDArray[np.float64]
    approximation: int
    finest: int


def transform(length: int, wavelet: str = WAVELET, level: int = LEVEL) -> Transform:
    """Build the periodised transform. Raises ``ValueError`` if 2**level does not divide length."""
    if length % 2**level:
        raise ValueError(f"{length} samples cannot be halved {level} times")
    unit = np.eye(length)
    parts = pywt.wavedec(unit, wavelet, mode="periodization", level=level, axis=1)
    return Transform(np.concatenate(parts, axis=1), parts[0].shape[1], parts[-1].shape[1])


def noise_sigma(samples: NDArray[np.floating], wavelets: Transform) -> float:
    """Noise of signals (n, length), from the median size of their finest coefficients."""
    finest = samples @ wavelets.matrix[:, -wavelets.finest :]
    return float(np.median(np.abs(finest)) / _MAD_TO_SIGMA)


def universal_threshold(sigma: float, length: int) -> float:
    """Donoho's threshold, in the signal's unit."""
    return float(sigma * np.sqrt(2 * np.log(length)))

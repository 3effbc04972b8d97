"""The denoising matrices do what PyWavelets does."""

import numpy as np
import pytest
import pywt
import torch

from gustbed_training.detectors.miniature.model import WINDOW, Denoise
from gustbed_training.detectors.miniature.wavelet import (
    LEVEL,
    WAVELET,
    noise_sigma,
    transform,
    universal_threshold,
)


def test_the_transform_is_orthonormal() -> None:
    matrix = transform(WINDOW).matrix
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(WINDOW), atol=1e-12)


def test_denoising_in_the_graph_equals_pywavelets() -> None:
    signals = np.random.default_rng(1).normal(size=(4, 2, WINDOW)).cumsum(axis=2)
    noise = np.array([0.3, 1.1])
    got = Denoise(noise)(torch.tensor(signals, dtype=torch.float32)).numpy()
    for feature, sigma in enumerate(noise):
        parts = pywt.wavedec(signals[:, feature], WAVELET, mode="periodization", level=LEVEL)
        cut = universal_threshold(sigma, WINDOW)
        details = [pywt.threshold(part, cut, mode="soft") for part in parts[1:]]
        expected = pywt.waverec([parts[0], *details], WAVELET, mode="periodization")
        np.testing.assert_allclose(got[:, feature], expected, rtol=1e-5, atol=1e-4)


def test_noise_is_estimated_from_a_noisy_trend() -> None:
    trend = 20 * np.sin(2 * np.pi * np.arange(WINDOW) / WINDOW)
    noise = np.random.default_rng(2).normal(0, 0.25, (2000, WINDOW))
    assert noise_sigma(trend + noise, transform(WINDOW)) == pytest.approx(0.25, rel=0.1)


def test_a_length_that_cannot_be_halved_is_refused() -> None:
    with pytest.raises(ValueError, match="halved 2 times"):
        transform(102)

"""The model: one graph from a window of engineered features to scores.

Denoising, normalisation, reconstruction and scoring all lie in the graph, so serving cannot differ
from training. Every violation has a head of its own that reconstructs its features
from what drives them: the rotor from the wind, the voltage from the rotor, the attitude from
itself. A fault upstream therefore moves a head's condition, not its error.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gustbed_training.detectors.miniature.heads import AutoencoderHead, ConditionalHead, Head
from gustbed_training.detectors.miniature.wavelet import noise_sigma, transform, universal_threshold

WINDOW = 100
FEATURES = ("roll", "pitch", "yaw", "wind_speed_rps", "rps", "voltage")
"""What the heads are made for, in this order."""
BLOCK = 10
"""Samples per block mean: counters hold for 20 samples, and voltage noise averages out."""
BLOCKS = WINDOW // BLOCK
CAUSE = 2
"""Leading rotor blocks that are given, not reconstructed: inertia carries in what came before."""
LAG = 2
"""Trailing voltage blocks that are not judged: the rotor's counter has not caught up with them."""
ANGLES = 3
"""Roll, pitch and yaw lead the features."""
WIND, ROTOR, VOLTAGE = (FEATURES.index(n) for n in ("wind_speed_rps", "rps", "voltage"))


@dataclass(frozen=True)
class Statistics:
    """Of the training windows, per feature: mean, standard deviation and noise, in its unit."""

    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    noise: NDArray[np.float64]


def statistics(windows: NDArray[np.float32]) -> Statistics:
    """Measure windows (n, features, time)."""
    wavelets = transform(WINDOW)
    noise = [noise_sigma(windows[:, i], wavelets) for i in range(windows.shape[1])]
    return Statistics(
        windows.mean(axis=(0, 2), dtype=np.float64),
        np.maximum(windows.std(axis=(0, 2), dtype=np.float64), 1e-6),
        np.array(noise),
    )


class Denoise(nn.Module):
    """Wavelet soft thresholding with fixed matrices, per feature."""

    def __init__(self, noise: NDArray[np.float64]) -> None:
        super().__init__()
        wavelets = transform(WINDOW)
        cut = np.zeros((len(noise), WINDOW))
        for i, sigma in enumerate(noise):
            # The approximation is the signal itself and stays whole.
            cut[i, wavelets.approximation :] = universal_threshold(sigma, WINDOW)
        self.matrix: Tensor
        self.cut: Tensor
        self.register_buffer("matrix", torch.tensor(wavelets.matrix, dtype=torch.float32))
        self.register_buffer("cut", torch.tensor(cut, dtype=torch.float32))

    def forward(self, signals: Tensor) -> Tensor:
        coefficients = signals @ self.matrix
        kept = coefficients - torch.clamp(coefficients, -self.cut, self.cut)
        return kept @ self.matrix.T


class TurbineModel(nn.Module):
    """Scores (n, features) of windows (n, features, time), once they are prepared."""

    def __init__(self, measured: Statistics, hidden: int = 32, latent: int = 8) -> None:
        super().__init__()
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(measured.mean, dtype=torch.float32)[:, None])
        self.register_buffer("std", torch.tensor(measured.std, dtype=torch.float32)[:, None])
        # Normalising first gives the same numbers as denoising first, and keeps more digits.
        self.denoise = Denoise(measured.noise / measured.std)
        zero = -measured.mean / measured.std
        self.rotation = ConditionalHead(3 * BLOCKS + CAUSE, BLOCKS - CAUSE, hidden, zero[ROTOR])
        self.voltage = ConditionalHead(BLOCKS, BLOCKS - LAG, hidden, zero[VOLTAGE])
        self.attitude = AutoencoderHead(2 * BLOCKS, ANGLES, WINDOW, hidden, latent)

    def prepare(self, windows: Tensor) -> Tensor:
        """Normalise and denoise."""
        prepared: Tensor = self.denoise((windows - self.mean) / self.std)
        return prepared

    def heads(self, prepared: Tensor) -> tuple[tuple[Head, Tensor, Tensor], ...]:
        """Every head with what it is given and what it must explain, in order of the features.

        Heads share no weights.
        """
        wind, rotor, voltage = _slow(prepared)
        before = rotor[:, :CAUSE]
        # The torque on a rotor has terms of wind squared and of wind times rotor speed.
        torque = torch.cat((wind, before, wind.square(), wind * before[:, -1:]), 1)
        return (
            (self.attitude, torch.cat((wind, rotor), 1), prepared[:, :ANGLES]),
            (self.rotation, torque, rotor[:, CAUSE:]),
            (self.voltage, rotor, voltage[:, :-LAG]),
        )

    def score(self, prepared: Tensor) -> Tensor:
        """Scores of prepared windows; the wind's is its distance from the usual."""
        attitude, rotation, voltage = (
            head.score(condition, target) for head, condition, target in self.heads(prepared)
        )
        wind = _slow(prepared)[0].mean(1, keepdim=True).abs()
        return torch.cat((attitude, wind, rotation, voltage), 1)


def _slow(prepared: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Block means of wind, rotor and voltage, each (n, blocks)."""
    blocks = prepared[:, ANGLES:].reshape(-1, len(FEATURES) - ANGLES, BLOCKS, BLOCK).mean(3)
    return blocks[:, WIND - ANGLES], blocks[:, ROTOR - ANGLES], blocks[:, VOLTAGE - ANGLES]

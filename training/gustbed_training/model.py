"""The model: one graph from a window of engineered features to scores and threshold ratios.

Denoising, normalisation, reconstruction, scoring and thresholds all lie in the graph, so serving
cannot differ from training. Every violation has a head of its own that reconstructs its features
from what drives them: the rotor from the wind, the voltage from the rotor, the attitude from
itself. A fault upstream therefore moves a head's condition, not its error.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gustbed_protocol.features import FEATURE_NAMES
from gustbed_training.wavelet import noise_sigma, transform, universal_threshold
from gustbed_training.windows import WINDOW

BLOCK = 10
"""Samples per block mean: counters hold for 20 samples, and voltage noise averages out."""
BLOCKS = WINDOW // BLOCK
CAUSE = 2
"""Leading rotor blocks that are given, not reconstructed: inertia carries in what came before."""
LAG = 2
"""Trailing voltage blocks that are not judged: the rotor's counter has not caught up with them."""
ATTITUDE = slice(0, 3)
WIND, ROTOR, VOLTAGE = (FEATURE_NAMES.index(n) for n in ("wind_speed_rps", "rps", "voltage"))


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


class ConditionalHead(nn.Module):
    """Reconstructs a target from its condition and returns the standardised error.

    The linear part extrapolates; the correction saturates, so that conditions outside the training
    range cannot blow it up. Errors are scaled by what is usual for the condition, and decorrelated
    along the window, for inertia makes neighbouring errors alike.
    """

    def __init__(self, condition: int, target: int, hidden: int) -> None:
        super().__init__()
        self.linear = nn.Linear(condition, target)
        self.hidden = nn.Linear(condition, hidden)
        self.correct = nn.Linear(hidden, target)
        self.log_scale = nn.Linear(hidden, 1)
        self.whiten = nn.Parameter(torch.zeros(target, target))
        self.log_precision = nn.Parameter(torch.zeros(target))
        nn.init.zeros_(self.correct.weight)
        nn.init.zeros_(self.correct.bias)
        nn.init.zeros_(self.log_scale.weight)
        nn.init.zeros_(self.log_scale.bias)

    def forward(self, condition: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Errors (n, target) and their log scale (n, 1)."""
        hidden = torch.tanh(self.hidden(condition))
        residual = target - self.linear(condition) - self.correct(hidden)
        log_scale = self.log_scale(hidden)
        unmixed = residual + residual @ torch.tril(self.whiten, -1).T
        return unmixed * torch.exp(self.log_precision - log_scale), log_scale

    def loss(self, condition: Tensor, target: Tensor) -> Tensor:
        """Gaussian negative log likelihood, up to a constant."""
        error, log_scale = self(condition, target)
        volume = log_scale.mean() - self.log_precision.mean()
        return 0.5 * error.square().mean() + volume


class AttitudeHead(nn.Module):
    """Reconstructs roll, pitch and yaw through a bottleneck: slow sway passes, shaking does not."""

    def __init__(self, condition: int, latent: int, hidden: int) -> None:
        super().__init__()
        self.angles = ATTITUDE.stop - ATTITUDE.start
        self.encode = nn.Linear(self.angles * WINDOW, latent)
        self.decode = nn.Linear(latent, self.angles * WINDOW)
        self.hidden = nn.Linear(condition, hidden)
        self.log_scale = nn.Linear(hidden, self.angles)
        nn.init.zeros_(self.log_scale.weight)
        nn.init.zeros_(self.log_scale.bias)

    def forward(self, condition: Tensor, attitude: Tensor) -> tuple[Tensor, Tensor]:
        """Errors (n, angles, time) and their log scale (n, angles)."""
        latent = torch.tanh(self.encode(attitude.flatten(1)))
        residual = attitude - self.decode(latent).reshape(-1, self.angles, WINDOW)
        log_scale = self.log_scale(torch.tanh(self.hidden(condition)))
        return residual * torch.exp(-log_scale)[:, :, None], log_scale

    def loss(self, condition: Tensor, attitude: Tensor) -> Tensor:
        """Gaussian negative log likelihood, up to a constant."""
        error, log_scale = self(condition, attitude)
        return 0.5 * error.square().mean() + log_scale.mean()


class TurbineModel(nn.Module):
    """Windows (n, features, time) to scores and ratios, both (n, features)."""

    def __init__(self, measured: Statistics, hidden: int = 16, latent: int = 8) -> None:
        super().__init__()
        self.mean: Tensor
        self.std: Tensor
        self.threshold: Tensor
        self.register_buffer("mean", torch.tensor(measured.mean, dtype=torch.float32)[:, None])
        self.register_buffer("std", torch.tensor(measured.std, dtype=torch.float32)[:, None])
        self.register_buffer("threshold", torch.ones(len(FEATURE_NAMES)))
        # Normalising first gives the same numbers as denoising first, and keeps more digits.
        self.denoise = Denoise(measured.noise / measured.std)
        self.rotation = ConditionalHead(BLOCKS + CAUSE, BLOCKS - CAUSE, hidden)
        self.voltage = ConditionalHead(BLOCKS, BLOCKS - LAG, hidden)
        self.attitude = AttitudeHead(2 * BLOCKS, latent, hidden)

    def prepare(self, windows: Tensor) -> Tensor:
        """Normalise and denoise."""
        prepared: Tensor = self.denoise((windows - self.mean) / self.std)
        return prepared

    def loss(self, prepared: Tensor) -> Tensor:
        """Of prepared windows: the heads' losses together, which share no weights."""
        wind, rotor, voltage = _block_means(prepared)
        attitude = self.attitude.loss(torch.cat((wind, rotor), 1), prepared[:, ATTITUDE])
        total: Tensor = (
            self.rotation.loss(*_rotation_terms(wind, rotor))
            + self.voltage.loss(*_voltage_terms(rotor, voltage))
            + attitude
        )
        return total

    def score(self, prepared: Tensor) -> Tensor:
        """Root mean square of the standardised errors; for the wind, its distance from usual."""
        wind, rotor, voltage = _block_means(prepared)
        attitude, _ = self.attitude(torch.cat((wind, rotor), 1), prepared[:, ATTITUDE])
        scores = (
            _rms(attitude),
            wind.mean(1, keepdim=True).abs(),
            _rms(self.rotation(*_rotation_terms(wind, rotor))[0])[:, None],
            _rms(self.voltage(*_voltage_terms(rotor, voltage))[0])[:, None],
        )
        return torch.cat(scores, 1)

    def forward(self, window: Tensor) -> tuple[Tensor, Tensor]:
        score = self.score(self.prepare(window))
        return score, score / self.threshold


def _block_means(prepared: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    blocks = prepared[:, WIND:].reshape(-1, len(FEATURE_NAMES) - WIND, BLOCKS, BLOCK).mean(3)
    return blocks[:, 0], blocks[:, ROTOR - WIND], blocks[:, VOLTAGE - WIND]


def _rms(error: Tensor) -> Tensor:
    return error.square().mean(-1).sqrt()


def _rotation_terms(wind: Tensor, rotor: Tensor) -> tuple[Tensor, Tensor]:
    return torch.cat((wind, rotor[:, :CAUSE]), 1), rotor[:, CAUSE:]


def _voltage_terms(rotor: Tensor, voltage: Tensor) -> tuple[Tensor, Tensor]:
    return rotor, voltage[:, :-LAG]

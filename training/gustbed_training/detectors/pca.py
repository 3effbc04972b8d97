"""Principal components: Hotelling's T² within their space and Q outside of it.

The two are combined as by Yue and Qin (2001, doi:10.1021/ie000141+), each over its limit. The
feature to blame is the one whose reconstruction takes most away from the combination (Alcala and
Qin 2009, doi:10.1016/j.automatica.2009.02.027).

How many components are kept is chosen by what finds most synthetic faults in held-out windows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gustbed_training.detectors.base import FitData, Plan
from gustbed_training.detectors.standardization import Standardize, attribute
from gustbed_training.detectors.validation import best_of, validation
from gustbed_training.progress import Log

SHARES = (0.9, 0.7, 0.8, 0.95, 0.99, 0.995, 0.999)
"""Of the variance, that the components kept explain: what is chosen from, and the first where there
is nothing to choose by.
"""
LIMIT = 0.99
"""Quantile of the training windows that T² and Q are divided by."""
MAX_NUMBERS = 1024
"""Of a window, over all features; longer ones are averaged over blocks of time."""
_FEWEST = 16
_BATCH = 1024
_TINY = 1e-6
Array = NDArray[np.float64]


class Pca:
    """Detector by principal components of whole windows."""

    name = "pca"

    def fit(self, data: FitData, plan: Plan, log: Log) -> nn.Module:
        """Nothing is random. Raises ``GustbedError`` for less than a handful of windows."""
        data.require(_FEWEST, "principal components")
        space = _Space.of(data.windows)
        kept = {share: space.components(share) for share in SHARES}
        limits = _limits(space, list(kept.values()), data.windows)
        variants = {
            share: _Scores(space.flat, space.mean, each, limit).eval()
            for (share, each), limit in zip(kept.items(), limits, strict=True)
        }
        best = best_of(variants, validation(data.held), "share of the variance kept:", log)
        log(f"{len(kept[best].variances)} components of {len(space.mean)} numbers")
        return variants[best]


@dataclass(frozen=True)
class _Kept:
    """Components (numbers, components) and their variances."""

    vectors: Array
    variances: Array


@dataclass(frozen=True)
class _Space:
    """All components of windows, by falling variance."""

    flat: "_Flat"
    mean: Array
    vectors: Array
    variances: Array

    @classmethod
    def of(cls, windows: NDArray[np.float32]) -> "_Space":
        """Of these windows."""
        flat = _Flat(windows)
        flat.eval()
        mean, covariance = _covariance(flat, windows)
        variances, vectors = np.linalg.eigh(covariance)
        return cls(flat, mean, vectors[:, ::-1], np.maximum(variances[::-1], 0))

    def components(self, share: float) -> _Kept:
        """The fewest that explain a share of the variance."""
        explained = np.cumsum(self.variances) / max(float(self.variances.sum()), 1e-12)
        count = int(np.searchsorted(explained, share)) + 1
        return _Kept(self.vectors[:, :count].copy(), np.maximum(self.variances[:count], 1e-9))


class _Flat(nn.Module):
    """Windows to normal numbers (n, features * blocks)."""

    def __init__(self, windows: NDArray[np.float32]) -> None:
        super().__init__()
        _, features, time = windows.shape
        self.features = features
        self.normal = Standardize(windows)
        self.block = -(-time // max(1, min(time, MAX_NUMBERS // features)))
        self.blocks = time // self.block
        self.spare = time % self.block

    def forward(self, window: Tensor) -> Tensor:
        normal: Tensor = self.normal(window)
        if self.block > 1:
            # Blocks end with the window; what does not fill one is the oldest.
            whole = normal[:, :, self.spare :]
            normal = whole.reshape(-1, self.features, self.blocks, self.block).mean(-1)
        return normal.flatten(1)


class _Scores(nn.Module):
    """The combination is a quadratic form: off @ form @ off."""

    def __init__(self, flat: _Flat, mean: Array, kept: _Kept, limits: tuple[float, float]) -> None:
        super().__init__()
        within, outside = limits
        weights = 1 / (kept.variances * within) - 1 / outside
        form = (kept.vectors * weights) @ kept.vectors.T + np.eye(len(mean)) / outside
        self.flat = flat
        self.mean: Tensor
        self.form: Tensor
        self.blame: Tensor
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32))
        self.register_buffer("form", torch.tensor(form, dtype=torch.float32))
        blame = torch.tensor(_blame(form, flat.features), dtype=torch.float32)
        self.register_buffer("blame", blame)

    def forward(self, window: Tensor) -> Tensor:
        off = self.flat(window) - self.mean
        pull = off @ self.form
        total = (off * pull).sum(1).clamp(min=0).sqrt()
        by_feature = pull.reshape(-1, self.flat.features, self.flat.blocks).transpose(0, 1)
        taken_away = (by_feature @ self.blame).square().sum(-1)
        return attribute(total, taken_away.T)


def _blame(form: Array, features: int) -> Array:
    """(features, blocks, blocks): what a feature's pull is multiplied with, to be squared."""
    blocks = len(form) // features
    own = np.stack([form[i : i + blocks, i : i + blocks] for i in range(0, len(form), blocks)])
    inverse = np.linalg.inv(own)
    factors = np.linalg.cholesky((inverse + inverse.transpose(0, 2, 1)) / 2)
    return factors.astype(np.float64)


def _limits(
    space: _Space, variants: Sequence[_Kept], windows: NDArray[np.float32]
) -> list[tuple[float, float]]:
    """Of T² and Q with each choice of components, from training windows."""
    most = max((kept.vectors for kept in variants), key=lambda vectors: vectors.shape[1])
    found: list[Array] = []
    with torch.no_grad():
        for i in range(0, len(windows), _BATCH):
            off = space.flat(torch.from_numpy(windows[i : i + _BATCH])).numpy() - space.mean
            along, total = np.square(off @ most), np.square(off).sum(axis=1)
            parts = [along[:, : len(kept.variances)] for kept in variants]
            within = [part @ (1 / k.variances) for part, k in zip(parts, variants, strict=True)]
            outside = [total - part.sum(axis=1) for part in parts]
            found.append(np.stack((np.stack(within), np.stack(outside)), axis=1))
    limits = np.quantile(np.concatenate(found, axis=2), LIMIT, axis=2)
    least = (_TINY, _TINY * len(space.mean))
    return [(max(float(w), least[0]), max(float(o), least[1])) for w, o in limits]


def _covariance(flat: _Flat, windows: NDArray[np.float32]) -> tuple[Array, Array]:
    total: Array | float = 0.0
    products: Array | float = 0.0
    with torch.no_grad():
        for i in range(0, len(windows), _BATCH):
            numbers = flat(torch.from_numpy(windows[i : i + _BATCH])).numpy().astype(np.float64)
            total = total + numbers.sum(axis=0)
            products = products + numbers.T @ numbers
    mean = np.asarray(total) / len(windows)
    return mean, np.asarray(products) / len(windows) - np.outer(mean, mean)

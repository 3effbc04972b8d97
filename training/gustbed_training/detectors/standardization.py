"""What the plain detectors share: normalisation inside the graph, modules applied to all windows,
and totals laid on features.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

_TINY = 1e-6
_CHUNK = 1024


class Standardize(nn.Module):
    """Windows (n, features, time) less the training mean, over the standard deviation."""

    def __init__(self, windows: NDArray[np.float32]) -> None:
        super().__init__()
        mean, std = _moments(windows)
        # A signal that never changed would make any change infinitely strange.
        std = np.maximum(std, 1e-4 * np.abs(mean) + _TINY)
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32)[:, None])
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32)[:, None])

    def forward(self, window: Tensor) -> Tensor:
        return (window - self.mean) / self.std


def applied(module: nn.Module, windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a module makes of windows, a batch at a time: bounded memory, one array."""
    with torch.no_grad():
        found = [
            module(torch.from_numpy(np.ascontiguousarray(windows[i : i + _CHUNK]))).numpy()
            for i in range(0, len(windows), _CHUNK)
        ]
    values: NDArray[np.float32] = np.concatenate(found)
    return values


def attribute(total: Tensor, contributions: Tensor) -> Tensor:
    """Scores (n, features): the total (n,) for the largest contribution (n, features), 0 or more,
    in proportion less for the others.
    """
    largest = contributions.amax(1, keepdim=True).clamp(min=1e-12)
    return total[:, None] * contributions / largest


def _moments(windows: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of each feature, with bounded memory."""
    features = windows.shape[1]
    center = windows[:: max(1, len(windows) // _CHUNK)].mean(axis=(0, 2), dtype=np.float64)
    total, squares = np.zeros(features), np.zeros(features)
    for i in range(0, len(windows), _CHUNK):
        off = windows[i : i + _CHUNK].astype(np.float64) - center[:, None]
        total += off.sum(axis=(0, 2))
        squares += np.square(off).sum(axis=(0, 2))
    count = len(windows) * windows.shape[2]
    mean = total / count
    return center + mean, np.sqrt(np.maximum(squares / count - mean**2, 0))

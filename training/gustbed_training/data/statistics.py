"""Statistics of channels and features, of recordings that may be read one at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gustbed_core.errors import GustbedError
from gustbed_core.package import QUANTILES, Distribution
from gustbed_core.signals import Schema
from gustbed_training.data.partition import Part
from gustbed_training.data.windows import sliding_windows


@dataclass
class RunningStatistics:
    """Figures of channels over what was read so far, each (channels,)."""

    samples: int = 0
    total: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    squares: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    low: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    high: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    repeats: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    def add(self, values: NDArray[np.floating]) -> None:
        """Take channels by samples in."""
        wide = values.astype(np.float64)
        if not self.samples:
            zeros = np.zeros(len(wide))
            self.total, self.squares, self.repeats = zeros, zeros.copy(), zeros.copy()
            self.low, self.high = np.full(len(wide), np.inf), np.full(len(wide), -np.inf)
        self.samples += wide.shape[1]
        self.total = self.total + wide.sum(axis=1)
        self.squares = self.squares + np.square(wide).sum(axis=1)
        self.low = np.minimum(self.low, wide.min(axis=1))
        self.high = np.maximum(self.high, wide.max(axis=1))
        self.repeats = self.repeats + (np.diff(wide, axis=1) == 0).sum(axis=1)

    @property
    def mean(self) -> NDArray[np.float64]:
        """Per channel."""
        return self.total / self.samples

    @property
    def std(self) -> NDArray[np.float64]:
        """Per channel."""
        return np.sqrt(np.maximum(self.squares / self.samples - np.square(self.mean), 0.0))


def reference_of(parts: Sequence[Part], schema: Schema) -> dict[str, Distribution]:
    """Each feature's distribution over windows of the parts that do not overlap."""
    apart = -(-schema.window // schema.step)
    # Copies: a slice would keep all windows that it was taken from.
    chosen = [sliding_windows(part, schema)[::apart].copy() for part in parts]
    return distributions(np.concatenate(chosen), schema)


def distributions(windows: NDArray[np.float32], schema: Schema) -> dict[str, Distribution]:
    """Each feature's distribution in windows (n, features, time), at least one, else raises."""
    if not len(windows):
        raise GustbedError("no window to describe the training data by", "give more training data")
    flat = windows.transpose(1, 0, 2).reshape(windows.shape[1], -1)
    quantiles = np.quantile(flat, QUANTILES, axis=1).T
    return {
        name: Distribution(
            float(row.mean(dtype=np.float64)), float(row.std(dtype=np.float64)), found.tolist()
        )
        for name, row, found in zip(schema.feature_names, flat, quantiles, strict=True)
    }

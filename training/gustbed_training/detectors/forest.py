"""Isolation forest (Liu, Ting and Zhou 2008, doi:10.1109/ICDM.2008.17) on statistics of windows.

Trees are grown by scikit-learn and evaluated by table look-ups, so that they export. A forest does
not say which feature made a window strange: that follows from how far its statistics are off.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest  # type: ignore[import-untyped]
from torch import Tensor, nn

from gustbed_training.detectors.base import FitData, Plan
from gustbed_training.detectors.forest_tables import Tables, tables_of, usual_length
from gustbed_training.detectors.standardization import Standardize, attribute
from gustbed_training.progress import Log

TREES, SAMPLES = 100, 256
_FEWEST = 32
_REACH = 0.99
"""Quantile of how far statistics of normal windows are off."""
_TINY = 0.01
_FLOOR = 1e-4
"""Under the logarithm of a variance: a signal that stands still is as quiet as it gets."""
_BATCH = 1024


class Forest:
    """Detector by an isolation forest."""

    name = "forest"

    def fit(self, data: FitData, plan: Plan, log: Log) -> nn.Module:
        """Grow trees. Equal seeds give equal trees. Raises ``GustbedError`` for few windows."""
        data.require(_FEWEST, "an isolation forest")
        statistics = _Statistics(data.windows).eval()
        samples = min(SAMPLES, len(data.windows))
        table = _all(statistics, data.windows)
        grown = IsolationForest(
            n_estimators=TREES, max_samples=samples, random_state=plan.seed, n_jobs=1
        ).fit(table)
        tables = tables_of([each.tree_ for each in grown.estimators_])
        log(f"{TREES} trees, {len(tables.split)} nodes")
        return _Scores(statistics, table, tables, samples).eval()


class _Statistics(nn.Module):
    """Windows to means and logarithms of variances, (n, 2 * features)."""

    def __init__(self, windows: NDArray[np.float32]) -> None:
        super().__init__()
        self.normal = Standardize(windows)

    def forward(self, window: Tensor) -> Tensor:
        normal: Tensor = self.normal(window)
        mean = normal.mean(-1)
        variance = (normal - mean[:, :, None]).square().mean(-1)
        return torch.cat((mean, torch.log(variance + _FLOOR)), dim=1)


class _Scores(nn.Module):
    """Length of a path that is usual for so many samples, over the mean one found."""

    def __init__(
        self,
        statistics: _Statistics,
        table: NDArray[np.float32],
        forest: Tables,
        samples: int,
    ) -> None:
        super().__init__()
        self.statistics = statistics
        self.depth = forest.depth
        self.usual = float(usual_length(np.array([samples]))[0])
        middle = np.median(table, axis=0)
        reach = np.maximum(np.quantile(np.abs(table - middle), _REACH, axis=0), _TINY)
        for name, value in (
            ("split", forest.split),
            ("value", forest.value),
            ("below", forest.below),
            ("length", forest.length),
            ("roots", forest.roots),
            ("middle", middle),
            ("reach", reach.astype(np.float32)),
        ):
            self.register_buffer(name, torch.from_numpy(value))
        self.split: Tensor
        self.value: Tensor
        self.below: Tensor
        self.length: Tensor
        self.roots: Tensor
        self.middle: Tensor
        self.reach: Tensor

    def forward(self, window: Tensor) -> Tensor:
        statistics = self.statistics(window)
        node = self.roots + torch.zeros_like(statistics[:, :1], dtype=torch.int64)
        for _ in range(self.depth):
            found = torch.gather(statistics, 1, self.split[node])
            right = (found > self.value[node]).long()
            node = self.below[2 * node + right]
        total = self.usual / self.length[node].mean(1)
        off = ((statistics - self.middle) / self.reach).square()
        return attribute(total, off.reshape(-1, 2, window.shape[1]).amax(1))


def _all(statistics: _Statistics, windows: NDArray[np.float32]) -> NDArray[np.float32]:
    with torch.no_grad():
        found = [
            statistics(torch.from_numpy(windows[i : i + _BATCH])).numpy()
            for i in range(0, len(windows), _BATCH)
        ]
    table: NDArray[np.float32] = np.concatenate(found)
    return table

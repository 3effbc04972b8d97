"""Isolation forest (Liu, Ting and Zhou 2008, doi:10.1109/ICDM.2008.17) on statistics of windows.

Trees are grown by scikit-learn and evaluated by table look-ups, so that they export. A forest does
not say which feature made a window strange: that follows from how far its statistics are off.

The statistics are what ``compact`` sees of a window, or means and variances: whichever finds most
synthetic faults in held-out windows.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest  # type: ignore[import-untyped]
from torch import Tensor, nn

from gustbed_training.detectors.base import FitData, Plan
from gustbed_training.detectors.compact_blocks import Blocks, layout_for, means, newest
from gustbed_training.detectors.forest_tables import Tables, tables_of, usual_length
from gustbed_training.detectors.standardization import Standardize, applied, attribute
from gustbed_training.detectors.validation import best_of, validation
from gustbed_training.progress import Log

TREES, SAMPLES = 100, 256
_FEWEST = 32
_REACH = 0.99
"""Quantile of how far statistics of normal windows are off."""
_TINY = 0.01
_FLOOR = 1e-4
"""Under the logarithm of a variance: a signal that stands still is as quiet as it gets."""


class Forest:
    """Detector by an isolation forest."""

    name = "forest"

    def fit(self, data: FitData, plan: Plan, log: Log) -> nn.Module:
        """Grow trees. Equal seeds give equal trees. Raises ``GustbedError`` for few windows."""
        data.require(_FEWEST, "an isolation forest")
        variants = {
            name: _grown(make(data.windows), data.windows, plan.seed)
            for name, make in STATISTICS.items()
        }
        best = best_of(variants, validation(data.held), "statistics:", log)
        log(f"{TREES} trees, {len(variants[best].get_buffer('split'))} nodes")
        return variants[best]


class Moments(nn.Module):
    """Windows to means and logarithms of variances, (n, 2 * features)."""

    def __init__(self, windows: NDArray[np.float32]) -> None:
        super().__init__()
        self.normal = Standardize(windows)

    def forward(self, window: Tensor) -> Tensor:
        normal: Tensor = self.normal(window)
        mean = normal.mean(-1)
        variance = (normal - mean[:, :, None]).square().mean(-1)
        return torch.cat((mean, torch.log(variance + _FLOOR)), dim=1)


class BlockStatistics(nn.Module):
    """Windows to block means, and logarithms of roughness and of the blocks' spread, as ``compact``
    takes them: (n, statistics * features). With ``levels``, means of all blocks that a level is
    judged over instead of each block's.
    """

    def __init__(self, windows: NDArray[np.float32], *, levels: bool = False) -> None:
        super().__init__()
        time = windows.shape[2]
        self.normal = Standardize(windows)
        self.layout = layout_for(time)
        self.blocks = Blocks(self.layout, time)
        self.take: Tensor
        chosen = newest(self.layout.levels, self.layout.blocks)
        single = torch.eye(self.layout.blocks)
        self.register_buffer("take", means(chosen, self.layout.blocks) if levels else single)

    def forward(self, window: Tensor) -> Tensor:
        blocks, rough = self.blocks(self.normal(window))
        spreads = []
        for count in self.layout.spreads:
            part = blocks[:, :, -count:]
            variance = (part - part.mean(2, keepdim=True)).square().mean(2)
            spreads.append(torch.log(variance + _FLOOR))
        parts = (blocks @ self.take, torch.log(rough + _FLOOR), torch.stack(spreads, 2))
        return torch.cat(parts, 2).transpose(1, 2).flatten(1)


STATISTICS: dict[str, Callable[[NDArray[np.float32]], nn.Module]] = {
    "blocks": BlockStatistics,
    "levels": partial(BlockStatistics, levels=True),
    "moments": Moments,
}


def _grown(statistics: nn.Module, windows: NDArray[np.float32], seed: int) -> nn.Module:
    samples = min(SAMPLES, len(windows))
    table = applied(statistics.eval(), windows)
    grown = IsolationForest(
        n_estimators=TREES, max_samples=samples, random_state=seed, n_jobs=1
    ).fit(table)
    tables = tables_of([each.tree_ for each in grown.estimators_])
    return _Scores(statistics, table, tables, samples).eval()


class _Scores(nn.Module):
    """Length of a path that is usual for so many samples, over the mean one found."""

    def __init__(
        self,
        statistics: nn.Module,
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
        return attribute(
            total, off.reshape(-1, off.shape[1] // window.shape[1], window.shape[1]).amax(1)
        )

"""The one interface of all detectors, and the graph that they are exported in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gustbed_core.errors import GustbedError
from gustbed_core.signals import Schema
from gustbed_training.progress import Log


@dataclass(frozen=True, slots=True)
class Plan:
    """How to train: equal seeds and data give equal weights. None leaves it to the detector."""

    seed: int = 0
    epochs: int | None = None


@dataclass(frozen=True)
class FitData:
    """Normal data, as windows (n, features, time).

    ``windows`` are training windows, thinned out evenly to fit in memory. ``train`` are all of
    them, ``held`` held-out ones that no weight may be fitted to: a sequence of stretches, each in
    order of time and cut when it is asked for. Take one at a time: together they may be large.
    """

    schema: Schema
    windows: NDArray[np.float32]
    train: Sequence[NDArray[np.float32]]
    held: Sequence[NDArray[np.float32]]

    def require(self, fewest: int, what: str) -> None:
        """Raise ``GustbedError`` for fewer training windows than a detector can do with."""
        if len(self.windows) < fewest:
            raise GustbedError(
                f"{len(self.windows)} training windows for {what}", f"give at least {fewest}"
            )


class Detector(Protocol):
    """Learns what is normal.

    The module that ``fit`` returns maps raw windows (n, features, time) to scores (n, features),
    0 or more, larger for stranger; it normalises by itself, needs no other window, and exports
    to ONNX opset 17.
    """

    name: str

    def fit(self, data: FitData, plan: Plan, log: Log) -> nn.Module:
        """Raises ``GustbedError`` for data that it cannot learn from."""


class Thresholded(nn.Module):
    """What is exported: windows to scores and ratios, both (n, features).

    A scorer that says by ``explains`` (features, features) which features drive which, one way,
    accuses none of what an accused driver explains.
    """

    def __init__(self, scorer: nn.Module, thresholds: Sequence[float]) -> None:
        super().__init__()
        self.scorer = scorer
        self.threshold: Tensor
        self.explains: Tensor
        self.register_buffer("threshold", torch.tensor(thresholds, dtype=torch.float32))
        none = torch.zeros(len(thresholds), len(thresholds))
        self.register_buffer("explains", getattr(scorer, "explains", none).clone())

    def forward(self, window: Tensor) -> tuple[Tensor, ...]:
        score = self.scorer(window)
        return score, self.ratio(score)

    def ratio(self, score: Tensor) -> Tensor:
        """Scores over thresholds, less what drivers are accused of."""
        ratio = score / self.threshold
        if not self.explains.any():
            return ratio
        upstream = (ratio[:, None, :] * self.explains).amax(2)
        return ratio / torch.clamp(upstream, min=1)

"""The miniature's conditional heads behind the interface of all detectors."""

import numpy as np
import torch
from torch import Tensor, nn

from gustbed_training.detectors.base import FitData, Plan, Say
from gustbed_training.model import WIND, TurbineModel
from gustbed_training.train import Plan as TrainPlan
from gustbed_training.train import train

_EPOCHS = 20
_ROOM_FOR_WEATHER = 2.0
"""Weather is no fault: only a wind that is far beyond any seen may count as a broken anemometer."""
_PROGRESS_EVERY = 7
"""Every so manieth held-out window suffices to show progress."""


class Compact:
    """Detector of the six features of the miniature."""

    name = "compact"

    def fit(self, data: FitData, plan: Plan, say: Say) -> nn.Module:
        """Train on the windows; the held-out ones only show progress."""
        held = np.concatenate(list(data.held))[::_PROGRESS_EVERY]
        epochs = _EPOCHS if plan.epochs is None else plan.epochs
        return _Scores(train(data.windows, held, TrainPlan(plan.seed, epochs), say)).eval()


class _Scores(nn.Module):
    def __init__(self, model: TurbineModel) -> None:
        super().__init__()
        self.model = model
        room = torch.ones(len(model.threshold))
        room[WIND] = _ROOM_FOR_WEATHER
        self.room: Tensor
        self.register_buffer("room", room)

    def forward(self, window: Tensor) -> Tensor:
        scores: Tensor = self.model.score(self.model.prepare(window)) / self.room
        return scores

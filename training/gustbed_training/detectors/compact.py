"""The compact detector of ours: small heads that know what each feature should be."""

import numpy as np
import torch
from torch import Tensor, nn

from gustbed_core.signals import Schema
from gustbed_training.detectors.base import FitData, Plan
from gustbed_training.detectors.compact_blocks import Blocks, layout_for
from gustbed_training.detectors.compact_limits import set_limits
from gustbed_training.detectors.compact_model import CompactModel
from gustbed_training.detectors.compact_training import choose, figures, train
from gustbed_training.detectors.miniature.model import FEATURES, WIND, WINDOW, TurbineModel
from gustbed_training.detectors.miniature.train import Plan as TrainPlan
from gustbed_training.detectors.miniature.train import train as train_miniature
from gustbed_training.progress import Log

_EPOCHS = 12
"""Of each of the two stages."""
_HIDDEN = 16
_MINI_EPOCHS = 20
_ROOM_FOR_WEATHER = 2.0
"""Weather is no fault: only a wind that is far beyond any seen may count as a broken anemometer."""
_PROGRESS_EVERY = 7
"""Every so manieth held-out window suffices to show progress."""


class Compact:
    """Detector of any turbine type: what drives a feature, by its schema, explains it.

    Windows of a miniature's features have heads of their own, which know the physics of its
    rotor: they find its slow faults sooner than what suits every type.
    """

    name = "compact"

    def fit(self, data: FitData, plan: Plan, log: Log) -> nn.Module:
        """Train; held-out windows set how large errors may be."""
        if is_miniature(data.schema):
            return _fit_miniature(data, plan, log)
        schema = data.schema
        torch.manual_seed(plan.seed)
        layout = layout_for(schema.window)
        chosen = choose(data.train, Blocks(layout, schema.window), plan.seed)
        model = CompactModel(
            schema.window, layout, drivers_of(schema), figures(chosen), chosen.states, _HIDDEN
        )
        train(model, chosen, plan.seed, _EPOCHS if plan.epochs is None else plan.epochs, log)
        set_limits(model, data.held, schema.decision.open_after)
        return model.eval()


def is_miniature(schema: Schema) -> bool:
    """Whether windows are what the miniature's heads were made for."""
    return schema.feature_names == FEATURES and schema.window == WINDOW


def drivers_of(schema: Schema) -> list[list[int]]:
    """By feature, the places of those that drive it: all others where the schema says nothing."""
    names = schema.feature_names
    return [
        [names.index(d) for d in schema.drivers.get(name, names) if d != name] for name in names
    ]


def _fit_miniature(data: FitData, plan: Plan, log: Log) -> nn.Module:
    held = np.concatenate([stretch[::_PROGRESS_EVERY] for stretch in data.held])
    epochs = _MINI_EPOCHS if plan.epochs is None else plan.epochs
    windows = np.ascontiguousarray(data.windows)
    return _Scores(train_miniature(windows, held, TrainPlan(plan.seed, epochs), log)).eval()


class _Scores(nn.Module):
    def __init__(self, model: TurbineModel) -> None:
        super().__init__()
        self.model = model
        room = torch.ones(len(FEATURES))
        room[WIND] = _ROOM_FOR_WEATHER
        self.room: Tensor
        self.register_buffer("room", room)

    def forward(self, window: Tensor) -> Tensor:
        scores: Tensor = self.model.score(self.model.prepare(window)) / self.room
        return scores

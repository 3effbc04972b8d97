"""The compact detector: what drives a feature, by its schema, explains it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gustbed_core.signals import Schema
from gustbed_training.detectors.base import FitData, Plan
from gustbed_training.detectors.compact_basis import ExplainedModel
from gustbed_training.detectors.compact_blocks import Blocks, layout_for
from gustbed_training.detectors.compact_limits import set_limits
from gustbed_training.detectors.compact_model import CompactModel, wire
from gustbed_training.detectors.compact_training import choose, figures, train
from gustbed_training.progress import Log

_HIDDEN, _FEW_FEATURES = 48, 12
"""Random features of a head; types of many features do as well without, at half the cost."""


_FEWEST_TO_HALVE = 8
"""Stretches of held-out data."""


class Compact:
    """Detector of any turbine type, fitted in closed form; an epoch means nothing to it."""

    name = "compact"

    def fit(self, data: FitData, plan: Plan, log: Log) -> nn.Module:
        """Train; held-out windows set how large errors may be."""
        schema = data.schema
        layout = layout_for(schema.window)
        chosen = choose(data.train, Blocks(layout, schema.window), plan.seed)
        inertia = [name in schema.inertia for name in schema.feature_names]
        wirings = wire(drivers_of(schema), inertia, chosen.states)
        hidden = _HIDDEN if len(schema.features) <= _FEW_FEATURES else 0
        model = CompactModel(schema.window, layout, wirings, figures(chosen), chosen.states, hidden)
        with torch.no_grad():
            train(model, chosen, plan.seed, log)
        set_limits(model, _half(data.held, plan.seed), schema.decision.open_after)
        return ExplainedModel(model).eval()


@dataclass(frozen=True)
class _Some(Sequence[NDArray[np.float32]]):
    """Some of many stretches, cut when they are asked for."""

    stretches: Sequence[NDArray[np.float32]]
    places: Sequence[int]

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: Any) -> Any:
        return self.stretches[self.places[index]]


def _half(held: Sequence[NDArray[np.float32]], seed: int) -> Sequence[NDArray[np.float32]]:
    """Half of the stretches: the others are new to the limits, so that thresholds learn from them
    how far new data go. By chance, since runs follow each other by some plan.
    """
    if len(held) < _FEWEST_TO_HALVE:
        return held
    order = np.random.default_rng(seed).permutation(len(held))
    return _Some(held, sorted(order[: -(-len(held) // 2)].tolist()))


def drivers_of(schema: Schema) -> list[list[int]]:
    """By feature, the places of those that drive it: all others where the schema says nothing."""
    names = schema.feature_names
    return [
        [names.index(d) for d in schema.drivers.get(name, names) if d != name] for name in names
    ]

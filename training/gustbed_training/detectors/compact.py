"""The compact detector: what drives a feature, by its schema, explains it."""

import torch
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
        strayed = set_limits(model, data.held, schema.decision.open_after)
        return ExplainedModel(model, strayed).eval()


def drivers_of(schema: Schema) -> list[list[int]]:
    """By feature, the places of those that drive it: all others where the schema says nothing."""
    names = schema.feature_names
    return [
        [names.index(d) for d in schema.drivers.get(name, names) if d != name] for name in names
    ]

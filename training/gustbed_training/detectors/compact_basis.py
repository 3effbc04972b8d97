"""What the compact detector's errors on one turbine are linear in.

A machine that differs, and a sensor that reads wrongly, shift what a feature is expected to be by
some function of what drives it: an offset, a share of each driver, what is left of a driver's
changes, and for what few drivers explain, the curvature. Each turbine has its own coefficients.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gustbed_training.detectors.compact_model import CLAMP, FEW, CompactModel, Group, Seen

_MOST = 30.0
"""Standard deviations, or products of them, up to which an element of a basis counts."""
_SEEN_IN_FULL = 2
"""Drivers up to which every part of their past counts; of more, the newest alone."""
_TOO_MANY = 5
"""Drivers of which only means over the window count: they tell the state, not its changes."""


class ExplainedModel(nn.Module):
    """A compact model that tells its terms: see ``explaining.Explaining``.

    ``strayed`` is what ``set_limits`` found: see ``base.Detector``.
    """

    def __init__(self, model: CompactModel, strayed: NDArray[np.float64] | None = None) -> None:
        super().__init__()
        self.model, self.strayed = model, strayed
        self.explains: Tensor
        one_way = [
            [float(w.jumps and other in w.drivers) for other in range(len(model.wirings))]
            for w in model.wirings
        ]
        self.register_buffer("explains", torch.tensor(one_way))
        # A jump is from a level to a level; how rough a signal is differs by other causes.
        levels = len(model.layout.levels) + 2
        self.heads = [0] * levels + [1] * (model.limits.shape[2] - levels)

    def forward(self, window: Tensor) -> Tensor:
        scores: Tensor = self.model(window)
        return scores

    def terms(self, window: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Errors, usual errors, basis, limits, beyond."""
        model = self.model
        seen = model.see(*model.blocks(window))
        condition = model.condition(seen)
        error, usual = model.errors(seen)
        bases = [group_basis(group, seen, condition) for group in model.all_groups()]
        size = max(basis.shape[2] for basis in bases)
        padded = [nn.functional.pad(basis, (0, size - basis.shape[2])) for basis in bases]
        basis = torch.cat(padded).index_select(0, model.order)
        return (
            error.transpose(0, 1), usual.transpose(0, 1), basis.transpose(0, 1),
            model.limits_of(seen), model.beyond(seen),
        )  # fmt: skip

    def widen(self, window: Tensor) -> None:
        """Take what these windows reach for possible."""
        model = self.model
        newest = (model.blocks(window)[0][:, :, -1] - model.mean[:, 0]) / model.std[:, 0]
        model.low.copy_(torch.minimum(model.low, newest.amin(0)[:, None]))
        model.high.copy_(torch.maximum(model.high, newest.amax(0)[:, None]))


def group_basis(group: Group, seen: Seen, condition: Tensor) -> Tensor:
    """(features of the group, n, elements); the first element is 1."""
    own = seen.means.transpose(0, 1).index_select(0, group.own)
    parts = [torch.ones_like(own[:, :, :1])]
    if group.plain_count:
        whole = torch.clamp(seen.means.mean(2), -CLAMP, CLAMP).transpose(0, 1)
        chosen = whole.index_select(0, group.plain)
        mean = chosen.reshape(len(group.members), group.plain_count, -1).transpose(1, 2)
        parts += [mean, *_changes(group, condition, mean)]
        if group.plain_count <= FEW:
            parts += [
                mean[:, :, [i]] * mean[:, :, [j]]
                for i in range(group.plain_count)
                for j in range(i, group.plain_count)
            ]
        if group.inertia:
            parts.append(own @ group.oldest * mean)
    if group.inertia:
        parts.append(own @ group.oldest)
    states = group.driven.shape[2] // 2
    if states and float(group.driven.sum()):
        parts.append(seen.states[:, :states] * group.driven[:, :, :states])
    return torch.clamp(torch.cat(parts, 2), -_MOST, _MOST)


def _changes(group: Group, condition: Tensor, mean: Tensor) -> list[Tensor]:
    """How drivers changed within the window, one entry for each age."""
    if group.plain_count > _TOO_MANY:
        return []
    plain = group.parts(condition, group.plain, group.plain_count)
    if group.plain_count <= _SEEN_IN_FULL and not group.inertia:
        return [plain[:, :, :, age] - mean for age in range(group.ages - 1)]
    newest = min(4, group.ages)
    found = [plain[:, :, :, 0] - mean]
    if newest > 1:
        found.append(plain[:, :, :, 1:newest].mean(3) - mean)
    return found

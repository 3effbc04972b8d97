"""The compact detector's graph: what every feature should be, given what drives it.

Each feature has two heads. One predicts its level from its drivers alone; the other how much it
jumps, how rough it is and how far it spreads, from its drivers and its own past. A head gives the
expected values and, for the same condition, how far off it usually is: gusts and starts are harder
to follow than steady running. A score is the error over the usual one, over what held-out normal
data reach; the largest such term is the feature's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gustbed_training.detectors.compact_blocks import Blocks, Layout, means, newest

CLAMP = 20.0
"""Conditions count up to so many standard deviations: none blows a prediction up."""
FINEST, WIDEST = -12.0, 4.0
"""Bounds of the logarithm of the usual error, in standard deviations of the feature."""
BEYOND = 0.08
"""How far outside of the training range, as a share of it, is as bad as the largest error."""
STEADY = 0.99
"""Share of a window that is spent in one state if the machine stays in it."""
_NEWEST = 2
"""Blocks that tell which state a feature is in now."""
POWER = 0.35
"""Errors of rare weather have heavy tails; a power below 1 leaves them more room."""


@dataclass(frozen=True)
class Figures:
    """Of the training windows by feature: mean, standard deviation (its unit), and, over the
    latter, the floors below which spread and roughness tell nothing, and the range of the means.
    """

    mean: Tensor
    std: Tensor
    least_spread: Tensor
    least_rough: Tensor
    low: Tensor
    high: Tensor


@dataclass(frozen=True)
class Seen:
    """Normalised: block means (n, features, blocks), and the logarithms of spread and roughness
    over several numbers of blocks (n, features, counts). ``states`` is (n, 2 per state): the share
    of the whole window, and of its newest blocks, that a feature spent in each of its states.
    """

    means: Tensor
    spread: Tensor
    rough: Tensor
    states: Tensor


@dataclass(frozen=True)
class States:
    """Features that take a few values only, as modes do: which feature, and which value."""

    features: tuple[int, ...]
    values: tuple[float, ...]

    def driving(self, drivers: Sequence[int]) -> list[float]:
        """1 for the states of drivers, else 0; twice, as in ``Seen``."""
        return [float(feature in drivers) for feature in self.features] * 2

    def main(self, drivers: Sequence[Sequence[int]]) -> list[int]:
        """The states of the feature that drives most others: what a machine is doing."""
        counts = {f: sum(f in each for each in drivers) for f in self.features}
        chosen = max(counts, key=lambda feature: counts[feature], default=None)
        return [i for i, feature in enumerate(self.features) if feature == chosen]


class Heads(nn.Module):
    """Small networks side by side, one for each feature of a group."""

    def __init__(self, features: int, condition: int, outputs: int, hidden: int) -> None:
        super().__init__()
        self.linear = nn.Parameter(torch.zeros(features, condition, outputs))
        self.bias = nn.Parameter(torch.zeros(features, 1, outputs))
        self.usual_linear = nn.Parameter(torch.zeros(features, condition, outputs))
        self.usual_bias = nn.Parameter(torch.zeros(features, 1, outputs))
        scale = 1 / max(condition, 1) ** 0.5
        self.first = nn.Parameter(scale * torch.randn(features, condition, 2 * hidden))
        self.first_bias = nn.Parameter(torch.zeros(features, 1, 2 * hidden))
        self.correct = nn.Parameter(torch.zeros(features, hidden, outputs))
        self.usual_correct = nn.Parameter(torch.zeros(features, hidden, outputs))
        self.hidden = hidden

    def forward(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Condition (features, n, inputs) to expected values and the logarithm of their usual
        error, both (features, n, outputs)."""
        inner = torch.tanh(condition @ self.first + self.first_bias)
        expected = condition @ self.linear + self.bias + inner[:, :, : self.hidden] @ self.correct
        usual = (
            condition @ self.usual_linear
            + self.usual_bias
            + inner[:, :, self.hidden :] @ self.usual_correct
        )
        return expected, torch.clamp(usual, FINEST, WIDEST)


class Group(nn.Module):
    """The features that have equally many drivers.

    ``drivers`` are (features of the group, drivers); ``jumps`` says whose own past may be held
    against it.
    """

    def __init__(
        self,
        members: Sequence[int],
        drivers: Sequence[Sequence[int]],
        jumps: Sequence[bool],
        states: States,
        layout: Layout,
        hidden: int,
    ) -> None:
        super().__init__()
        self.members, self.count = list(members), max(len(drivers[0]), 1)
        # What nothing drives gets no condition: a driver that is multiplied by 0.
        self.has_drivers = float(bool(drivers[0]))
        flat = [d for member, each in zip(members, drivers, strict=True) for d in each or [member]]
        self.drivers: Tensor
        self.own: Tensor
        self.jumps: Tensor
        self.register_buffer("drivers", torch.tensor(flat, dtype=torch.long))
        self.register_buffer("own", torch.tensor(self.members, dtype=torch.long))
        self.register_buffer("jumps", torch.tensor(jumps, dtype=torch.float32)[:, None, None])
        for name, ranges in (
            ("levels", newest(layout.levels, layout.blocks)),
            ("past", layout.past),
            ("jump", newest((1, min(2, layout.blocks)), layout.blocks)),
        ):
            self.register_buffer(name, means(ranges, layout.blocks))
        self.levels: Tensor
        self.past: Tensor
        self.jump: Tensor
        self.driven: Tensor
        driven = torch.tensor([states.driving(each) for each in drivers])
        self.register_buffer("driven", driven[:, None, :])
        inputs = self.count * (len(layout.condition) + len(layout.spreads)) + driven.shape[1]
        self.level = Heads(len(members), inputs, len(layout.levels), hidden)
        others = 2 + len(layout.roughs) + len(layout.spreads)
        self.change = Heads(len(members), inputs + len(layout.past), others, hidden)

    def terms(self, seen: Seen, condition: Tensor) -> tuple[tuple[Tensor, Tensor, Tensor], ...]:
        """Both heads: condition, target and weight of the outputs (1, or 0: not judged)."""
        members, parts = len(self.members), condition.shape[2]
        given = condition.index_select(0, self.drivers) * self.has_drivers
        given = given.reshape(members, self.count, -1, parts).transpose(1, 2)
        given = given.reshape(members, -1, self.count * parts)
        if self.driven.shape[2]:
            given = torch.cat((given, seen.states * self.driven), 2)
        own = seen.means.transpose(0, 1).index_select(0, self.own)
        rest = torch.cat((seen.rough, seen.spread), 2).transpose(0, 1).index_select(0, self.own)
        change = torch.cat((own @ self.jump, rest), 2)
        weight = torch.cat((self.jumps.expand(-1, 1, 2), torch.ones(members, 1, rest.shape[2])), 2)
        return (
            (given, own @ self.levels, torch.ones(())),
            (torch.cat((given, own @ self.past), 2), change, weight),
        )

    def errors(self, seen: Seen, condition: Tensor) -> Tensor:
        """Errors over the usual ones (features of the group, n, terms)."""
        found = []
        for head, (given, target, weight) in zip(
            (self.level, self.change), self.terms(seen, condition), strict=True
        ):
            expected, usual = head(given)
            found.append((target - expected).abs() * torch.exp(-usual) * weight)
        return torch.cat(found, 2)


class CompactModel(nn.Module):
    """Windows (n, features, time) to scores (n, features)."""

    def __init__(
        self,
        window: int,
        layout: Layout,
        drivers: Sequence[Sequence[int]],
        figures: Figures,
        states: States,
        hidden: int,
    ) -> None:
        super().__init__()
        self.layout = layout
        self.state_of: Tensor
        self.state_values: Tensor
        self.register_buffer("state_of", torch.tensor(states.features, dtype=torch.long))
        self.register_buffer("state_values", torch.tensor(states.values)[:, None])
        self.blocks = Blocks(layout, window)
        for name, value in vars(figures).items():
            self.register_buffer(name, value[:, None].clone())
        self.mean: Tensor
        self.std: Tensor
        self.least_spread: Tensor
        self.least_rough: Tensor
        self.low: Tensor
        self.high: Tensor
        self.seen_before: Tensor
        self.register_buffer("seen_before", means(layout.condition, layout.blocks))
        self.groups = nn.ModuleList(_groups(drivers, states, layout, hidden))
        order = [member for group in self.all_groups() for member in group.members]
        self.order: Tensor
        self.register_buffer("order", torch.tensor(order, dtype=torch.long).argsort())
        self.main = states.main(drivers)
        self.limits: Tensor
        terms = len(layout.levels) + 2 + len(layout.roughs) + len(layout.spreads)
        self.register_buffer("limits", torch.ones(len(self.main) + 1, len(drivers), terms))

    def all_groups(self) -> list[Group]:
        """Features by the number of their drivers."""
        return [group for group in self.groups if isinstance(group, Group)]

    def see(self, block_means: Tensor, rough: Tensor) -> Seen:
        """Normalise what ``Blocks`` gives."""
        x = (block_means - self.mean) / self.std
        spreads = []
        for count in self.layout.spreads:
            part = x[:, :, -count:]
            part = part - part.mean(2, keepdim=True)
            spreads.append(0.5 * torch.log(part.square().mean(2) + self.least_spread[:, 0] ** 2))
        rough = torch.log(rough / self.std + self.least_rough)
        return Seen(x, torch.stack(spreads, 2), rough, self._states(block_means))

    def condition(self, seen: Seen) -> Tensor:
        """What every feature tells of those that it drives: (features, n, parts)."""
        means_and_spread = torch.cat((seen.means @ self.seen_before, 0.5 * seen.spread), 2)
        return torch.clamp(means_and_spread, -CLAMP, CLAMP).transpose(0, 1)

    def errors(self, seen: Seen) -> Tensor:
        """Errors over the usual ones (features, n, terms)."""
        condition = self.condition(seen)
        grouped = torch.cat([group.errors(seen, condition) for group in self.all_groups()])
        return grouped.index_select(0, self.order)

    def _states(self, block_means: Tensor) -> Tensor:
        if not len(self.state_of):
            return block_means.new_zeros(0)
        held = block_means.index_select(1, self.state_of)
        share = torch.clamp(1 - (held - self.state_values).abs(), min=0)
        return torch.cat((share.mean(2), share[:, :, -_NEWEST:].mean(2)), 1)

    def regimes(self, seen: Seen) -> Tensor:
        """1 for the regime that a window lies in, else 0: (n, regimes). The last one is for all
        windows in which the machine does not stay in one state.
        """
        if not self.main:
            return torch.ones_like(seen.means[:, :1, 0])
        steady = (seen.states[:, self.main] > STEADY).to(seen.means.dtype)
        return torch.cat((steady, 1 - steady.sum(1, keepdim=True)), 1)

    def forward(self, window: Tensor) -> Tensor:
        seen = self.see(*self.blocks(window))
        limits = (self.regimes(seen) @ self.limits.flatten(1)).reshape(-1, *self.limits.shape[1:])
        worst = (self.errors(seen).transpose(0, 1) / limits).amax(2)
        last = seen.means[:, :, -1]
        outside = torch.maximum(last - self.high[:, 0], self.low[:, 0] - last)
        beyond = torch.clamp(outside, min=0) / (BEYOND * (self.high - self.low)[:, 0])
        return torch.maximum(worst, beyond) ** POWER


def _groups(
    drivers: Sequence[Sequence[int]], states: States, layout: Layout, hidden: int
) -> list[Group]:
    counts = sorted({len(each) for each in drivers})
    groups = []
    for count in counts:
        members = [i for i, each in enumerate(drivers) if len(each) == count]
        # Where cause and effect go both ways, redundancy judges; a jump may be the weather's.
        jumps = [bool(drivers[i]) and all(i not in drivers[d] for d in drivers[i]) for i in members]
        chosen = [drivers[i] for i in members]
        groups.append(Group(members, chosen, jumps, states, layout, hidden))
    return groups

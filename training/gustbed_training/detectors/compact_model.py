"""The compact detector's graph: what every feature should be, given what drives it.

Each feature has two heads. One predicts its level from its drivers alone; the other how much it
jumps, how rough it is and how far it spreads, from its drivers and its own past. A head gives the
expected values and, for the same condition, how far off it usually is: gusts and starts are harder
to follow than steady running. A score is the error over the usual one, over what held-out normal
data reach; the largest such term is the feature's.

Every head is a ridge regression, in closed form: linear in its conditions, in products of them
where few drivers act, and in random features (Rahimi and Recht, NIPS 2008) of what is left.
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
"""How far outside of the range that normal data showed, as a share of it, is as bad as the largest
error: a range of many hours is exceeded by a percent or two by one that is as long."""
STEADY = 0.99
"""Share of a window that is spent in one state if the machine stays in it."""
_NEWEST = 2
"""Blocks that tell which state a feature is in now."""
FEW = 3
"""Drivers, states apart, up to which products of their parts are conditions, too."""


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

    def driving(self, drivers: Sequence[int]) -> tuple[float, ...]:
        """1 for the states of drivers, else 0."""
        return tuple(float(feature in drivers) for feature in self.features)

    def main(self, drivers: Sequence[Sequence[int]]) -> list[int]:
        """The states of the feature that drives most others: what a machine is doing."""
        counts = {f: sum(f in each for each in drivers) for f in self.features}
        chosen = max(counts, key=lambda feature: counts[feature], default=None)
        return [i for i, feature in enumerate(self.features) if feature == chosen]


@dataclass(frozen=True)
class Wiring:
    """What explains a feature: the ``drivers``, and the ``states`` (1 or 0 each) of those that are
    modes. ``inertia``: its own oldest past, too. ``jumps``: its jumps may be held against it.
    """

    feature: int
    drivers: tuple[int, ...]
    plain: tuple[int, ...]
    states: tuple[float, ...]
    inertia: bool
    jumps: bool

    @property
    def shape(self) -> tuple[int, int, bool]:
        """Features of one shape are computed together."""
        return len(self.drivers), len(self.plain), self.inertia


def wire(drivers: Sequence[Sequence[int]], inertia: Sequence[bool], states: States) -> list[Wiring]:
    """Every feature's."""
    modes = set(states.features)
    return [
        Wiring(
            feature,
            tuple(each),
            tuple(d for d in each if d not in modes),
            states.driving(each),
            inertia[feature],
            # Where cause and effect go both ways, redundancy judges; a jump may be the weather's.
            bool(each) and all(feature not in drivers[d] for d in each),
        )
        for feature, each in enumerate(drivers)
    ]


class Head(nn.Module):
    """Ridge regressions side by side, one for each feature of a group: (features, …) each."""

    def __init__(self, features: int, inputs: int, outputs: int, hidden: int) -> None:
        super().__init__()
        size = 1 + inputs + hidden
        self.centre: Tensor
        self.scale: Tensor
        self.random: Tensor
        self.random_bias: Tensor
        self.expected: Tensor
        self.usual: Tensor
        for name, shape in (
            ("centre", (1, inputs)), ("scale", (1, inputs)), ("random", (inputs, hidden)),
            ("random_bias", (1, hidden)), ("expected", (size, outputs)), ("usual", (size, outputs)),
        ):  # fmt: skip
            self.register_buffer(name, torch.zeros(features, *shape))

    def basis(self, condition: Tensor) -> Tensor:
        """Condition (features, n, inputs) to what is linear in the answer (features, n, size)."""
        z = torch.clamp((condition - self.centre) / self.scale, -CLAMP, CLAMP)
        parts = [torch.ones_like(z[:, :, :1]), z]
        if self.random.shape[2]:
            parts.append(torch.tanh(z @ self.random + self.random_bias))
        return torch.cat(parts, 2)

    def forward(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        """To the expected values, and their usual error, both (features, n, outputs)."""
        basis = self.basis(condition)
        return basis @ self.expected, torch.exp(torch.clamp(basis @ self.usual, FINEST, WIDEST))


class Group(nn.Module):
    """The features of one shape of wiring."""

    def __init__(self, wirings: Sequence[Wiring], layout: Layout, hidden: int) -> None:
        super().__init__()
        self.members = [wiring.feature for wiring in wirings]
        drivers, plain, self.inertia = wirings[0].shape
        # What nothing drives gets no condition: a driver that is multiplied by 0.
        self.has_drivers = float(bool(drivers))
        self.count, self.plain_count = max(drivers, 1), plain
        self.ages = len(layout.condition)
        for name, places in (
            ("own", [w.feature for w in wirings]),
            ("drivers", [d for w in wirings for d in w.drivers or (w.feature,)]),
            ("plain", [d for w in wirings for d in w.plain]),
        ):
            self.register_buffer(name, torch.tensor(places, dtype=torch.long))
        for name, ranges in (
            ("levels", newest(layout.levels, layout.blocks)),
            ("past", layout.past),
            ("jump", newest((1, min(2, layout.blocks)), layout.blocks)),
            ("oldest", [range(min(2, layout.blocks))]),
        ):
            self.register_buffer(name, means(ranges, layout.blocks))
        jumps = torch.tensor([float(w.jumps) for w in wirings])
        states = torch.tensor([w.states * 2 for w in wirings])
        self.register_buffer("jumps", jumps[:, None, None])
        self.register_buffer("driven", states[:, None, :])
        self.own: Tensor
        self.drivers: Tensor
        self.plain: Tensor
        self.levels: Tensor
        self.past: Tensor
        self.jump: Tensor
        self.oldest: Tensor
        self.jumps: Tensor
        self.driven: Tensor
        inputs = self.count * (self.ages + len(layout.spreads)) + states.shape[1]
        if 0 < plain <= FEW:
            inputs += plain * (plain + 1) // 2 * self.ages
        if self.inertia:
            inputs += 1 + plain * self.ages
        change = 2 + len(layout.roughs) + len(layout.spreads)
        self.level = Head(len(wirings), inputs, len(layout.levels), hidden)
        self.change = Head(len(wirings), inputs + len(layout.past), change, hidden)

    def heads(self, seen: Seen, condition: Tensor) -> tuple[tuple[Head, Tensor, Tensor], ...]:
        """Both, with their condition and target (features of the group, n, …)."""
        own = seen.means.transpose(0, 1).index_select(0, self.own)
        rest = torch.cat((seen.rough, seen.spread), 2).transpose(0, 1).index_select(0, self.own)
        given = self._given(seen, condition, own)
        # Against its own past, so that a sensor that reads too high neither jumps nor spreads.
        past = own @ self.past
        before = past.mean(2, keepdim=True)
        known = (given, past - before) if self.has_drivers else (given, past)
        return (
            (self.level, given, own @ self.levels),
            (
                self.change,
                torch.cat(known, 2),
                torch.cat((own @ self.jump - before, rest), 2),
            ),
        )

    def errors(self, seen: Seen, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Signed errors and usual ones (features of the group, n, terms)."""
        found, sizes = [], []
        for head, given, target in self.heads(seen, condition):
            expected, usual = head(given)
            found.append(target - expected)
            sizes.append(usual)
        level, change = found
        judged = torch.cat((change[:, :, :2] * self.jumps, change[:, :, 2:]), 2)
        return torch.cat((level, judged), 2), torch.cat(sizes, 2)

    def parts(self, condition: Tensor, which: Tensor, count: int) -> Tensor:
        """What drivers tell (features of the group, n, drivers, parts)."""
        chosen = condition.index_select(0, which)
        return chosen.reshape(len(self.members), count, -1, condition.shape[2]).transpose(1, 2)

    def _given(self, seen: Seen, condition: Tensor, own: Tensor) -> Tensor:
        members = len(self.members)
        given = self.parts(condition, self.drivers, self.count) * self.has_drivers
        parts = [given.reshape(members, -1, self.count * condition.shape[2])]
        if self.plain_count:
            plain = self.parts(condition, self.plain, self.plain_count)[:, :, :, : self.ages]
            if self.plain_count <= FEW:
                parts += [
                    plain[:, :, i] * plain[:, :, j]
                    for i in range(self.plain_count)
                    for j in range(i, self.plain_count)
                ]
            if self.inertia:
                old = own @ self.oldest
                parts.append(old * plain.reshape(members, -1, self.plain_count * self.ages))
        if self.inertia:
            parts.append(own @ self.oldest)
        if self.driven.shape[2]:
            parts.append(seen.states * self.driven)
        return torch.cat(parts, 2)


class CompactModel(nn.Module):
    """Windows (n, features, time) to scores (n, features)."""

    def __init__(
        self,
        window: int,
        layout: Layout,
        wirings: Sequence[Wiring],
        figures: Figures,
        states: States,
        hidden: int,
    ) -> None:
        super().__init__()
        self.layout, self.wirings, self.hidden = layout, tuple(wirings), hidden
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
        shapes = sorted({wiring.shape for wiring in wirings})
        self.groups = nn.ModuleList(
            Group([w for w in wirings if w.shape == shape], layout, hidden) for shape in shapes
        )
        order = [member for group in self.all_groups() for member in group.members]
        self.order: Tensor
        self.register_buffer("order", torch.tensor(order, dtype=torch.long).argsort())
        self.main = states.main([wiring.drivers for wiring in wirings])
        self.limits: Tensor
        terms = len(layout.levels) + 2 + len(layout.roughs) + len(layout.spreads)
        self.register_buffer("limits", torch.ones(len(self.main) + 1, len(wirings), terms))

    def all_groups(self) -> list[Group]:
        """Features by the shape of their wiring."""
        return [group for group in self.groups if isinstance(group, Group)]

    def take(self, feature: int, single: Group) -> None:
        """Copy a feature's heads from a group that is of it alone."""
        group = next(each for each in self.all_groups() if feature in each.members)
        place = group.members.index(feature)
        for whole, part in ((group.level, single.level), (group.change, single.change)):
            for name, value in part.named_buffers():
                getattr(whole, name)[place] = value[0]

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

    def errors(self, seen: Seen) -> tuple[Tensor, Tensor]:
        """Signed errors, and the usual ones (features, n, terms)."""
        condition = self.condition(seen)
        found = [group.errors(seen, condition) for group in self.all_groups()]
        errors, usual = (torch.cat(each) for each in zip(*found, strict=True))
        return errors.index_select(0, self.order), usual.index_select(0, self.order)

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

    def limits_of(self, seen: Seen) -> Tensor:
        """Every term's limit in the regime of each window (n, features, terms)."""
        limits = self.regimes(seen) @ self.limits.flatten(1)
        return limits.reshape(-1, *self.limits.shape[1:])

    def beyond(self, seen: Seen) -> Tensor:
        """How far a feature is outside of all that was seen, over what is too far (n, features)."""
        last = seen.means[:, :, -1]
        outside = torch.maximum(last - self.high[:, 0], self.low[:, 0] - last)
        return torch.clamp(outside, min=0) / (BEYOND * (self.high - self.low)[:, 0])

    def forward(self, window: Tensor) -> Tensor:
        seen = self.see(*self.blocks(window))
        errors, usual = self.errors(seen)
        relative = (errors / usual).abs().transpose(0, 1)
        worst = (relative / self.limits_of(seen)).amax(2)
        return torch.maximum(worst, self.beyond(seen))

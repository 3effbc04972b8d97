"""Training of the compact detector: equal seeds and data give equal weights on one thread.

First all windows count alike and rare ones are forgiven; then every other window of a batch is one
of those that were the strangest to some term, so that starts, stops and gusts are learnt as well.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gustbed_core.errors import GustbedError
from gustbed_training.detectors.compact_blocks import Blocks
from gustbed_training.detectors.compact_model import (
    CompactModel,
    Figures,
    Group,
    Heads,
    Seen,
    States,
)
from gustbed_training.progress import Log

MOST_WINDOWS, FEWEST_WINDOWS = 40_000, 32
CHUNK = 1024
LARGEST_GRADIENT = 5.0
_LEARNING_RATE, _BATCH = 3e-3, 256
_FORGIVING, _STRICT = 4.0, 30.0
"""Degrees of freedom of Student's t: how little a window far off counts."""
_HARD = 400
"""One in so many windows is hard to a term."""
_RIDGE, _RIDGE_WINDOWS = 1e-4, 12_000
_LEAST_SPREAD, _LEAST_ROUGH, _LEAST = 0.1, 0.03, 1e-4
"""Of the usual roughness: below that, spread and roughness tell nothing; and of the deviation."""
_MOST_STATES = 8
"""Values that a mode takes at most; a measurement takes more."""
_RARE = 30.0
"""How many times as likely an unusual window is to be chosen."""


@dataclass(frozen=True)
class Chosen:
    """Windows to learn from: block means (n, features, blocks) and roughness (n, features, counts),
    in the features' units, and what states features were in."""

    means: Tensor
    rough: Tensor
    states: States


def choose(
    stretches: Sequence[NDArray[np.float32]], blocks: Blocks, seed: int, most: int = MOST_WINDOWS
) -> Chosen:
    """Half of them at random, half those in which much happens: rare, and hardest to know.

    Raises ``GustbedError`` if there are too few.
    """
    random = np.random.default_rng(seed)
    counts = [len(stretch) for stretch in stretches]
    if sum(counts) < FEWEST_WINDOWS:
        raise GustbedError(
            f"{sum(counts)} training windows are too few for the compact detector",
            f"give normal recordings of {FEWEST_WINDOWS} windows at least",
        )
    share = min(1.0, most / max(sum(counts), 1))
    means, rough = [], []
    values: list[set[float]] = [set() for _ in range(stretches[0].shape[1])]
    for stretch, count in zip(stretches, counts, strict=True):
        wanted = min(count, round(count * share) or 1) if count else 0
        picks = np.arange(count)
        _note_values(values, stretch)
        if wanted < count:
            picks = np.sort(random.choice(count, wanted, replace=False, p=_likely(stretch, blocks)))
        for first in range(0, len(picks), CHUNK):
            part = np.ascontiguousarray(stretch[picks[first : first + CHUNK]])
            cut, differences = blocks(torch.from_numpy(part))
            means.append(cut)
            rough.append(differences)
    return Chosen(torch.cat(means), torch.cat(rough), _states(values))


def _note_values(values: list[set[float]], stretch: NDArray[np.float32]) -> None:
    """Add the values that features take, until they are too many to be states."""
    for number, known in enumerate(values):
        if len(known) <= _MOST_STATES:
            known.update(np.unique(stretch[:, number, -1]).tolist()[: _MOST_STATES + 1])


def _states(values: Sequence[set[float]]) -> States:
    pairs = [
        (number, value)
        for number, known in enumerate(values)
        if 1 < len(known) <= _MOST_STATES
        for value in sorted(known)
    ]
    return States(tuple(number for number, _ in pairs), tuple(value for _, value in pairs))


def figures(chosen: Chosen) -> Figures:
    """Measure the windows."""
    means = chosen.means.double()
    mean = means.mean((0, 2))
    std = torch.maximum(means.std((0, 2)), 1e-6 * torch.clamp(mean.abs(), min=1.0))
    rough = chosen.rough[:, :, -1].double().median(0).values / std
    normal = (means - mean[:, None]) / std[:, None]
    low, high = normal.amin((0, 2)), normal.amax((0, 2))
    # What never changed has no range; a deviation of 1 is a change of a millionth then.
    high = torch.maximum(high, low + 1.0)
    floors = [torch.clamp(share * rough, min=_LEAST) for share in (_LEAST_SPREAD, _LEAST_ROUGH)]
    return Figures(*(value.float() for value in (mean, std, *floors, low, high)))


def train(model: CompactModel, chosen: Chosen, seed: int, epochs: int, log: Log) -> None:
    """Fit the heads in two stages of ``epochs`` each."""
    order = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        seen = model.see(chosen.means, chosen.rough)
        _start(model, _pick(seen, torch.randperm(len(seen.means), generator=order)))
    for number, freedom in enumerate((_FORGIVING, _STRICT)):
        _stage(model, seen, order, epochs, freedom, number, log)


def _likely(stretch: NDArray[np.float32], blocks: Blocks) -> NDArray[np.float64]:
    """Chance of every window: by what its liveliest feature does, one sample per block."""
    few = stretch[:, :, blocks.first + blocks.layout.length // 2 :: blocks.layout.length]
    spread = np.std(few, axis=2, dtype=np.float64)
    usual = np.std(few[:: max(1, len(few) // 500)], axis=(0, 2), dtype=np.float64)
    lively = (spread / np.maximum(usual, 1e-9)).max(axis=1)
    weight = np.clip(lively / max(float(np.median(lively)), 1e-9), 1 / _RARE, _RARE)
    chance: NDArray[np.float64] = 0.5 / len(weight) + 0.5 * weight / weight.sum()
    return chance


def _start(model: CompactModel, seen: Seen) -> None:
    """Begin with the best linear prediction, ridge regression in double precision."""
    some = _pick(seen, torch.arange(min(_RIDGE_WINDOWS, len(seen.means))))
    condition = model.condition(some)
    for group in model.all_groups():
        for head, (given, target, _) in _heads(group, some, condition):
            linear, bias = _ridge(given, target)
            head.linear.copy_(linear)
            head.bias.copy_(bias)
            error = target - given @ linear - bias
            head.usual_bias.copy_(torch.log(error.abs().mean(1, keepdim=True) + 1e-6))


def _ridge(given: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    given, target = given.double(), target.double()
    centre, middle = given.mean(1, keepdim=True), target.mean(1, keepdim=True)
    centred = given - centre
    product = centred.transpose(1, 2) @ centred / given.shape[1]
    product += _RIDGE * torch.eye(product.shape[1], dtype=torch.float64)
    linear = torch.linalg.solve(
        product, centred.transpose(1, 2) @ (target - middle) / given.shape[1]
    )
    return linear.float(), (middle - centre @ linear).float()


def _stage(
    model: CompactModel,
    seen: Seen,
    order: torch.Generator,
    epochs: int,
    freedom: float,
    number: int,
    log: Log,
) -> None:
    count = len(seen.means)
    rate = _LEARNING_RATE / (number + 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    steps = epochs * -(-count // _BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, max(steps, 2))
    hard: Tensor | None = None
    begun = time.monotonic()
    for epoch in range(epochs):
        if number and epoch % 2 == 0:
            hard = _hardest(model, seen)
        total = 0.0
        shuffled = torch.randperm(count, generator=order)
        for start in range(0, count, _BATCH):
            picked = shuffled[start : start + _BATCH]
            if hard is not None:
                again = torch.randint(len(hard), (_BATCH // 2,), generator=order)
                picked = torch.cat((picked[: _BATCH // 2], hard[again]))
            optimizer.zero_grad()
            loss = _loss(model, _pick(seen, picked), freedom)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(model.parameters(), LARGEST_GRADIENT)
            optimizer.step()
            schedule.step()
            total += loss.item() * len(picked)
        left = (time.monotonic() - begun) / (epoch + 1) * (epochs - epoch - 1)
        log(
            f"compact: stage {number + 1}/2, epoch {epoch + 1}/{epochs}, "
            f"loss {total / count:.4f}, {left:.0f} s left"
        )


def _loss(model: CompactModel, seen: Seen, freedom: float) -> Tensor:
    """Negative log likelihood of the errors under Student's t, up to a constant."""
    with torch.no_grad():
        condition = model.condition(seen)
    losses = []
    for group in model.all_groups():
        for head, (given, target, weight) in _heads(group, seen, condition):
            expected, usual = head(given)
            square = ((target - expected) * torch.exp(-usual)).square()
            likely = 0.5 * (freedom + 1) * torch.log1p(square / freedom) + usual
            losses.append((likely * weight).sum() / given.shape[1])
    return torch.stack(losses).sum() / len(model.mean)


@torch.no_grad()
def _hardest(model: CompactModel, seen: Seen) -> Tensor:
    """The windows that are among the worst of any term."""
    count = len(seen.means)
    parts = [
        model.errors(_pick(seen, torch.arange(first, min(first + CHUNK, count))))
        for first in range(0, count, CHUNK)
    ]
    errors = torch.cat(parts, 1).transpose(0, 1).reshape(count, -1)
    worst = torch.topk(errors, min(max(8, count // _HARD), count), dim=0).indices
    hardest: Tensor = torch.unique(worst)
    return hardest


def _heads(
    group: Group, seen: Seen, condition: Tensor
) -> list[tuple[Heads, tuple[Tensor, Tensor, Tensor]]]:
    return list(zip((group.level, group.change), group.terms(seen, condition), strict=True))


def _pick(seen: Seen, chosen: Tensor) -> Seen:
    states = seen.states[chosen] if len(seen.states) else seen.states
    return Seen(seen.means[chosen], seen.spread[chosen], seen.rough[chosen], states)

"""Training of the compact detector, in closed form: equal seeds and data give equal weights."""

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
    FINEST,
    WIDEST,
    CompactModel,
    Figures,
    Group,
    Head,
    States,
)
from gustbed_training.progress import Log

MOST_WINDOWS, FEWEST_WINDOWS = 40_000, 32
CHUNK = 1024
_RIDGE, _TINY = 1e-3, 1e-9
"""Of conditions in standard deviations, per window."""
_RIDGE_OF_USUAL, _RIDGE_OF_MANY = 1e-3, 1e-2
"""How large errors are may follow what a machine does, but no fine difference between drivers: on
another machine that is a hundred times as large. Where a type has many features, drivers say nearly
the same, as currents and a power do.
"""
_FREEDOM = 4.0
"""Degrees of freedom of Student's t: how little a window far off counts."""
_ROUNDS = 3
"""Of weighting anew; a fourth changes nothing that shows."""
_HEAVIEST = 50.0
"""Times the mean weight that a window may have."""
_FLAT = 1e-6
_OFTEN = 0.35
"""Added to the mean logarithm of errors: about the median error, and not a smaller one."""
_PROGRESS_EVERY = 5
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


def train(model: CompactModel, chosen: Chosen, seed: int, log: Log) -> None:
    """Fit every head of every feature, one feature after the other."""
    seen = model.see(chosen.means, chosen.rough)
    condition = model.condition(seen)
    generator = torch.Generator().manual_seed(seed)
    begun, total = time.monotonic(), len(model.wirings)
    for done, wiring in enumerate(model.wirings, start=1):
        single = Group([wiring], model.layout, model.hidden)
        for head, given, target in single.heads(seen, condition):
            _fit_head(head, given[0].double(), target[0].double(), generator)
        model.take(wiring.feature, single)
        if done == total or done % _PROGRESS_EVERY == 0:
            left = (time.monotonic() - begun) / done * (total - done)
            log(f"compact: {done}/{total} features, {left:.0f} s left")


def _likely(stretch: NDArray[np.float32], blocks: Blocks) -> NDArray[np.float64]:
    """Chance of every window: by what its liveliest feature does, one sample per block."""
    few = stretch[:, :, blocks.first + blocks.layout.length // 2 :: blocks.layout.length]
    spread = np.std(few, axis=2, dtype=np.float64)
    usual = np.std(few[:: max(1, len(few) // 500)], axis=(0, 2), dtype=np.float64)
    lively = (spread / np.maximum(usual, 1e-9)).max(axis=1)
    weight = np.clip(lively / max(float(np.median(lively)), 1e-9), 1 / _RARE, _RARE)
    chance: NDArray[np.float64] = 0.5 / len(weight) + 0.5 * weight / weight.sum()
    return chance


def _fit_head(head: Head, given: Tensor, target: Tensor, generator: torch.Generator) -> None:
    """Solve for one feature's expected values and usual errors, from (n, inputs) and (n, outputs).

    Weights are those of Student's t, over the usual error: what is rare is forgiven, what is
    precise counts more.
    """
    inputs, hidden = head.random.shape[1:]
    head.centre[0, 0] = given.mean(0)
    head.scale[0, 0] = torch.clamp(given.std(0), min=_FLAT)
    head.random[0] = torch.randn(inputs, hidden, generator=generator) / max(inputs, 1) ** 0.5
    head.random_bias[0, 0] = torch.randn(hidden, generator=generator)
    basis = head.basis(given.float()[None])[0].double()
    held = _RIDGE_OF_USUAL if hidden else _RIDGE_OF_MANY
    expected = _ridge(basis, target, _RIDGE)
    usual = _usual(basis, target - basis @ expected, held)
    for _ in range(_ROUNDS):
        size = _size(basis, usual)
        square = ((target - basis @ expected) / size).square()
        weight = (_FREEDOM + 1) / (_FREEDOM + square) / size.square()
        weight = torch.clamp(weight / weight.mean(0), max=_HEAVIEST)
        columns = [
            _ridge(basis, target[:, [i]], _RIDGE, weight[:, [i]]) for i in range(target.shape[1])
        ]
        expected = torch.cat(columns, 1)
        usual = _usual(basis, target - basis @ expected, held)
    head.expected[0], head.usual[0] = expected.float(), usual.float()


def _size(basis: Tensor, usual: Tensor) -> Tensor:
    return torch.exp(torch.clamp(basis @ usual, FINEST, WIDEST))


def _usual(basis: Tensor, error: Tensor, ridge: float) -> Tensor:
    """Coefficients of the logarithm of the usual error."""
    found = _ridge(basis, torch.log(error.abs() + _LEAST), ridge)
    found[0] += _OFTEN
    return found


def _ridge(basis: Tensor, target: Tensor, ridge: float, weight: Tensor | None = None) -> Tensor:
    """Coefficients (size, outputs); the first, of the constant, is hardly held back."""
    weighted = basis if weight is None else basis * weight
    product = weighted.T @ basis / len(basis)
    held = torch.full((len(product),), ridge, dtype=product.dtype)
    held[0] = _TINY
    product += torch.diag(held)
    found: Tensor = torch.linalg.solve(product, weighted.T @ target / len(basis))
    return found

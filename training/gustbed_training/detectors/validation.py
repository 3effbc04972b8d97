"""Which of several variants of a detector finds more, where nobody labelled a fault.

Synthetic faults are put into copies of windows that no weight was fitted to. That such a score
ranks detectors much as labelled faults would is found by Goswami et al., "Unsupervised Model
Selection for Time-series Anomaly Detection" (ICLR 2023, arXiv:2210.01078).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score  # type: ignore[import-untyped]
from torch import nn

from gustbed_training.detectors.limits import too_few
from gustbed_training.detectors.standardization import applied
from gustbed_training.progress import Log

FOLDS = 5
_PIECES = 5 * FOLDS
"""The windows in order are cut into so many pieces, of which every fifth is held back."""
_EDGE = 0.1
"""Share of a held-back piece that is left out at both of its ends: neighbouring windows overlap."""
_MOST = 1000
_SIZES = (0.5, 1.0, 2.0, 4.0)
"""Of synthetic faults, in standard deviations of their feature."""
_USUAL = 0.99
_SEED, _TINY = 20, 1e-9
Variant = TypeVar("Variant")


@dataclass(frozen=True)
class Validation:
    """Windows (n, features, time) to judge a variant by."""

    normal: NDArray[np.float32]
    faulty: NDArray[np.float32]

    def found(self, scorer: nn.Module) -> float:
        """Average precision of the largest score, each feature's over what is usual for it."""
        normal, faulty = applied(scorer, self.normal), applied(scorer, self.faulty)
        usual = np.maximum(np.quantile(normal, _USUAL, axis=0), _TINY)
        ratios = np.concatenate(((normal / usual).max(axis=1), (faulty / usual).max(axis=1)))
        labels = np.repeat((0, 1), (len(normal), len(faulty)))
        return float(average_precision_score(labels, ratios))


def validation(held: Sequence[NDArray[np.float32]]) -> Validation | None:
    """Of held-out normal stretches, evenly; None if they are too short to choose by: a choice that
    few windows like best is the one that fits them best. Nothing of it depends on a training's
    seed.
    """
    if too_few(held):
        return None
    counts = [len(stretch) for stretch in held]
    every = -(-sum(counts) // _MOST)
    # Where the last stretch left off, the next goes on: many short ones are thinned as one is.
    starts = [-sum(counts[:number]) % every for number in range(len(counts))]
    normal = np.concatenate(
        [np.ascontiguousarray(held[number][start::every]) for number, start in enumerate(starts)]
    )
    return Validation(normal, _with_faults(normal, np.random.default_rng(_SEED)))


def best_of(
    variants: Mapping[Variant, nn.Module], held: Validation | None, what: str, log: Log
) -> Variant:
    """The variant with the largest average precision, the earlier one of equals; the first if there
    is nothing to choose by.
    """
    if held is None:
        return next(iter(variants))
    values = {name: held.found(module) for name, module in variants.items()}
    best = max(values, key=lambda name: values[name])
    told = ", ".join(f"{name}: {value:.3f}" for name, value in values.items())
    log(f"{what} {best}; average precision on synthetic faults of {told}")
    return best


def held_back(count: int, fold: int = FOLDS // 2) -> NDArray[np.bool_]:
    """Which of so many windows in order are held back; the rest may be learnt from."""
    return _marked(count, fold, 0.0)


def apart(count: int, fold: int = FOLDS // 2) -> NDArray[np.bool_]:
    """Those of them that hardly overlap with windows that are learnt from."""
    return _marked(count, fold, _EDGE)


def _marked(count: int, fold: int, edge: float) -> NDArray[np.bool_]:
    held = np.zeros(count, dtype=np.bool_)
    for piece in np.array_split(np.arange(count), _PIECES)[fold::FOLDS]:
        cut = int(edge * len(piece))
        held[piece[cut : len(piece) - cut]] = True
    return held


def _with_faults(windows: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Copies, in each of which one feature is off, drifts away or is noisy up to its end."""
    faulty = windows.copy()
    count, _, time = windows.shape
    spread = windows.std(axis=(0, 2), dtype=np.float64)
    movable = np.flatnonzero(spread > _TINY)
    if not len(movable):
        return faulty
    for number in range(count):
        feature = int(rng.choice(movable))
        size = float(rng.choice(_SIZES)) * float(spread[feature])
        start = int(rng.integers(0, max(3 * time // 4, 1)))
        faulty[number, feature, start:] += _fault(number % 3, time - start, size, rng)
    return faulty


def _fault(shape: int, length: int, size: float, rng: np.random.Generator) -> NDArray[np.float32]:
    if shape == 0:
        change = np.full(length, float(rng.choice((-size, size))))
    elif shape == 1:
        change = np.linspace(0, float(rng.choice((-size, size))), length)
    else:
        change = rng.normal(0, size, length)
    return change.astype(np.float32)

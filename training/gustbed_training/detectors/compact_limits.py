"""How large each term's error gets in held-out normal data: what makes terms comparable.

Limits differ by operating regime: what is usual while a machine starts is not while it runs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from gustbed_core.errors import GustbedError
from gustbed_training.detectors.compact_model import CompactModel
from gustbed_training.detectors.thresholds import sustained

_BLOCK = 120
"""Verdicts per block: errors this far apart count as independent."""
_RATE = 3e-6
"""Share of the blocks whose peak may exceed a term's limit."""
_TAIL, _FEWEST_PEAKS = 0.02, 10
_FEWEST_BLOCKS = 100
"""A regime with fewer takes the limits of all."""
_SINGLE, _EVERY = 0.9995, 23
"""An event closes after normal verdicts in a row: hardly a single one may exceed the limit."""
_CHUNK = 1024
_FOLDS = 8
"""Of stretches, to tell how far new recordings go."""
_SMALLEST = 2.5
"""Usual errors: no rare regime has so few held-out windows that less would be a fault."""

Floats = NDArray[np.float32]


@dataclass
class _Errors:
    """Of one regime: the blocks' highest levels, and some single errors, (n, features, terms)."""

    peaks: list[Floats] = field(default_factory=list)
    single: list[Floats] = field(default_factory=list)


_Stretch = list[_Errors]
"""A stretch's, by regime."""


def set_limits(
    model: CompactModel, held: Sequence[NDArray[np.float32]], open_after: int
) -> NDArray[np.float64] | None:
    """Set every term's limits to what its errors seldom exceed ``open_after`` times in a row.

    Gives, by feature, how many times the limits new recordings come to: cross-validated, the limits
    of each fold of stretches set by the others. None if there are too few stretches to tell.
    Raises ``GustbedError`` without a window.
    """
    found = [
        _collected(len(model.limits), *term_errors(model, stretch), open_after)
        for stretch in held
        if len(stretch)
    ]
    if not found:
        raise GustbedError("no held-out window sets a limit", "give longer normal recordings")
    model.limits.copy_(torch.from_numpy(_limits_by_regime(found).astype(np.float32)))
    return _strayed(found) if len(found) >= _FOLDS else None


def _strayed(found: Sequence[_Stretch]) -> NDArray[np.float64]:
    """The largest level of each feature (features,), over limits that do not know its stretch."""
    largest = np.zeros(1)
    order = np.random.default_rng(0).permutation(len(found))
    for fold in range(_FOLDS):
        mine = set(order[fold::_FOLDS].tolist())
        limits = _limits_by_regime([each for i, each in enumerate(found) if i not in mine])
        for i in mine:
            for errors, limit in zip(found[i], limits, strict=True):
                for peak in errors.peaks:
                    largest = np.maximum(largest, (peak / limit).max(axis=1))
    return largest


def _limits_by_regime(found: Sequence[_Stretch]) -> NDArray[np.float64]:
    """(regimes, features, terms)."""
    regimes = [_together(each) for each in zip(*found, strict=True)]
    of_all = _limits(_together(regimes))
    # Halfway between: a regime's own data are fewer, and have not seen all that it can do.
    return np.stack([
        np.sqrt((_limits(each) if len(each.peaks) >= _FEWEST_BLOCKS else of_all) * of_all)
        for each in regimes
    ])  # fmt: skip


def _together(parts: Sequence[_Errors]) -> _Errors:
    return _Errors([p for e in parts for p in e.peaks], [s for e in parts for s in e.single])


@torch.no_grad()
def term_errors(
    model: CompactModel, windows: NDArray[np.float32]
) -> tuple[Floats, NDArray[np.intp]]:
    """Errors over the usual ones (n, features, terms), and the number of each window's regime."""
    parts, regimes = [], []
    for first in range(0, len(windows), _CHUNK):
        part = torch.from_numpy(np.ascontiguousarray(windows[first : first + _CHUNK]))
        seen = model.see(*model.blocks(part))
        found, usual = model.errors(seen)
        parts.append((found / usual).abs().transpose(0, 1).numpy())
        regimes.append(model.regimes(seen).argmax(1).numpy())
    return np.concatenate(parts), np.concatenate(regimes)


def _collected(count: int, errors: Floats, regimes: NDArray[np.intp], open_after: int) -> _Stretch:
    found = [_Errors() for _ in range(count)]
    level = sustained(errors, min(open_after, len(errors)))
    now = regimes[len(errors) - len(level) :]
    for first in range(0, len(level), _BLOCK):
        block, inside = level[first : first + _BLOCK], now[first : first + _BLOCK]
        for regime in np.unique(inside).tolist():
            found[regime].peaks.append(block[inside == regime].max(axis=0))
    for some, regime in zip(errors[::_EVERY], regimes[::_EVERY].tolist(), strict=True):
        found[regime].single.append(some)
    return found


def _limits(errors: _Errors) -> NDArray[np.float64]:
    """The level that a share ``_RATE`` of blocks exceeds, the tail taken to be exponential."""
    peaks = np.stack(errors.peaks)
    tail = min(max(_TAIL, _FEWEST_PEAKS / len(peaks)), 1.0)
    start = np.quantile(peaks, 1 - tail, axis=0)
    over = peaks > start
    excess = np.where(over, peaks - start, 0).sum(axis=0) / np.maximum(over.sum(axis=0), 1)
    limits = np.maximum(start + excess * np.log(tail / _RATE), peaks.max(axis=0))
    if errors.single:
        limits = np.maximum(limits, np.quantile(np.stack(errors.single), _SINGLE, axis=0))
    return np.asarray(np.maximum(limits, _SMALLEST), dtype=np.float64)

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
_SMALLEST = 2.5
"""Usual errors: no rare regime has so few held-out windows that less would be a fault."""

Floats = NDArray[np.float32]


@dataclass
class _Errors:
    """Of one regime: the blocks' highest levels, and some single errors, (n, features, terms)."""

    peaks: list[Floats] = field(default_factory=list)
    single: list[Floats] = field(default_factory=list)


def set_limits(model: CompactModel, held: Sequence[NDArray[np.float32]], open_after: int) -> None:
    """Set every term's limits to what its errors seldom exceed ``open_after`` times in a row.

    Raises ``GustbedError`` without a window.
    """
    found = [_Errors() for _ in range(len(model.limits))]
    for stretch in held:
        if len(stretch):
            _collect(found, *term_errors(model, stretch), open_after)
    together = _Errors([p for e in found for p in e.peaks], [s for e in found for s in e.single])
    if not together.peaks:
        raise GustbedError("no held-out window sets a limit", "give longer normal recordings")
    of_all = _limits(together)
    for regime, each in enumerate(found):
        own = _limits(each) if len(each.peaks) >= _FEWEST_BLOCKS else of_all
        # Halfway between: a regime's own data are fewer, and have not seen all that it can do.
        limits = np.sqrt(own * of_all)
        model.limits[regime] = torch.tensor(limits, dtype=torch.float32)


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


def _collect(
    found: list[_Errors], errors: Floats, regimes: NDArray[np.intp], open_after: int
) -> None:
    level = sustained(errors, min(open_after, len(errors)))
    now = regimes[len(errors) - len(level) :]
    for first in range(0, len(level), _BLOCK):
        block, inside = level[first : first + _BLOCK], now[first : first + _BLOCK]
        for regime in np.unique(inside).tolist():
            found[regime].peaks.append(block[inside == regime].max(axis=0))
    for some, regime in zip(errors[::_EVERY], regimes[::_EVERY].tolist(), strict=True):
        found[regime].single.append(some)


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

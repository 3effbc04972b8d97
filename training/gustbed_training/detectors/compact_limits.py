"""How large each term's error gets in held-out normal data: what makes terms comparable."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from gustbed_protocol.errors import GustbedError
from gustbed_training.detectors.compact_model import CompactModel

_BLOCK = 120
"""Verdicts per block: errors this far apart count as independent."""
_RATE = 3e-6
"""Blocks whose peak may exceed a term's limit."""
_TAIL, _FEWEST_PEAKS = 0.02, 10
_SINGLE, _EVERY = 0.9995, 23
"""An event closes after normal verdicts in a row: hardly a single one may exceed the limit."""
_CHUNK = 1024
_SMALLEST = 1e-3


def set_limits(model: CompactModel, held: Sequence[NDArray[np.float32]], open_after: int) -> None:
    """Set every term's limit to what its errors seldom exceed ``open_after`` times in a row.

    Raises ``GustbedError`` without a window.
    """
    peaks: list[NDArray[np.float32]] = []
    single: list[NDArray[np.float32]] = []
    for stretch in held:
        if not len(stretch):
            continue
        errors = term_errors(model, stretch)
        single.append(errors[::_EVERY])
        level = _sustained(errors, open_after)
        peaks += [level[i : i + _BLOCK].max(axis=0) for i in range(0, len(level), _BLOCK)]
    if not peaks:
        raise GustbedError("no held-out window sets a limit", "give longer normal recordings")
    limits = np.maximum(
        _rare(np.stack(peaks)), np.quantile(np.concatenate(single), _SINGLE, axis=0)
    )
    limits = np.maximum(limits, _SMALLEST)
    model.limits.copy_(torch.tensor(limits, dtype=torch.float32)[:, None, :])


@torch.no_grad()
def term_errors(model: CompactModel, windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Errors over the usual ones (n, features, terms)."""
    parts = []
    for first in range(0, len(windows), _CHUNK):
        part = torch.from_numpy(np.ascontiguousarray(windows[first : first + _CHUNK]))
        errors = model.errors(model.see(*model.blocks(part)))
        parts.append(errors.transpose(0, 1).numpy())
    found: NDArray[np.float32] = np.concatenate(parts)
    return found


def _sustained(errors: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """The level that so many neighbouring verdicts all reach, along the first axis."""
    count = min(count, len(errors))
    level = errors[: len(errors) - count + 1]
    for shift in range(1, count):
        level = np.minimum(level, errors[shift : shift + len(level)])
    return level


def _rare(peaks: NDArray[np.float32]) -> NDArray[np.float64]:
    """The level that a share ``_RATE`` of blocks exceeds, the tail taken to be exponential."""
    tail = min(max(_TAIL, _FEWEST_PEAKS / len(peaks)), 1.0)
    start = np.quantile(peaks, 1 - tail, axis=0)
    over = peaks > start
    excess = np.where(over, peaks - start, 0).sum(axis=0) / np.maximum(over.sum(axis=0), 1)
    rare = start + excess * np.log(tail / _RATE)
    return np.asarray(np.maximum(rare, peaks.max(axis=0)), dtype=np.float64)

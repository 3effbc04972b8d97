"""Whether two recordings hold the same data under two names, wholly or in part."""

import numpy as np
from numpy.typing import NDArray

_RUN = 16
"""Rows in a row that must agree, for single ones do by chance."""
_KEPT = 16
"""One run of so many is remembered, chosen by what it holds."""
_FEWEST = 16
_SAME = 0.5
"""So much of the smaller one must be in the other."""
_FACTOR = np.uint64(0x9E3779B97F4A7C15)

Runs = NDArray[np.uint64]


def runs_of(values: NDArray[np.float64]) -> tuple[Runs, NDArray[np.int64]]:
    """Fingerprints of runs of rows (rows, channels), each once, and the rows where they begin."""
    bits = np.ascontiguousarray(np.nan_to_num(values) + 0.0).view(np.uint64)
    rows = np.zeros(len(values), dtype=np.uint64)
    for column in bits.T:
        rows = _mixed(rows * _FACTOR + column)
    count = max(len(rows) - _RUN + 1, 0)
    runs = np.zeros(count, dtype=np.uint64)
    for offset in range(_RUN):
        runs = runs * _FACTOR + rows[offset : offset + count]
    found, first = np.unique(_mixed(runs), return_index=True)
    keep = found % np.uint64(_KEPT) == 0 if len(found) > _KEPT * _FEWEST else slice(None)
    return found[keep], first[keep]


def shared(one: Runs, other: Runs) -> Runs | None:
    """The runs that are in both, where that is no chance."""
    both = np.intersect1d(one, other, assume_unique=True)
    fewest = min(len(one), len(other))
    return both if len(both) >= max(_SAME * fewest, _FEWEST // 2) else None


def _mixed(numbers: Runs) -> Runs:
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))

"""Runs of flags, and intervals that touch."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray


def runs(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
    """First and last-plus-one index (k, 2) of each stretch of true flags."""
    padded = np.concatenate(([False], flags, [False]))
    return np.flatnonzero(padded[1:] != padded[:-1]).reshape(-1, 2)


def merged(spans: Iterable[tuple[float, float]]) -> int:
    """How many separate intervals remain when those that touch are taken as one."""
    count, until = 0, -np.inf
    for start, stop in sorted(spans):
        if start > until:
            count += 1
        until = max(until, stop)
    return count

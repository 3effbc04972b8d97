"""Captures that are extreme beside the others of their turbine, so that they do not teach.

A time that is declared normal may still hold a fault, and a model learns what it is shown. The
measure is the ratio of a model that knows the type, however wrong it is about this turbine: what it
is wrong about is in all captures of the turbine alike, and the regime is in the ratio's condition.
A capture is extreme if the logarithm of a feature's median ratio lies more than ``LIMIT`` robust
standard deviations (1.4826 times the median absolute deviation) above the turbine's median.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LIMIT = 4.0
LEAST_SCALE = 0.2
"""Robust standard deviation of a logarithm that is assumed at least: a fifth up or down."""
MOST = 0.1
"""Share of a turbine's captures that may be left out, the most extreme ones."""
FEWEST = 10
"""Captures of a turbine below which none is called extreme."""
_LEAST_RATIO = 1e-3

Levels = Callable[[NDArray[np.float32]], NDArray[np.floating]]
"""Samples (channels, samples) to the features' median ratios; empty if too short for a window."""


@dataclass(frozen=True)
class Trimmed:
    """Which captures to keep, and how many looked extreme."""

    keep: NDArray[np.bool_]
    extreme: int


def trim(ratios: NDArray[np.floating]) -> Trimmed:
    """One turbine's captures by their median ratios (captures, features)."""
    count = len(ratios)
    keep = np.ones(count, dtype=np.bool_)
    if count < FEWEST:
        return Trimmed(keep, 0)
    logs = np.log(np.maximum(ratios, _LEAST_RATIO))
    apart = logs - np.median(logs, axis=0)
    scale = np.maximum(1.4826 * np.median(np.abs(apart), axis=0), LEAST_SCALE)
    far = (apart / scale).max(axis=1)
    extreme = int(np.count_nonzero(far > LIMIT))
    most = int(MOST * count)
    if extreme:
        farthest = np.argsort(-far, kind="stable")[: min(extreme, most)]
        keep[farthest] = False
    return Trimmed(keep, extreme)

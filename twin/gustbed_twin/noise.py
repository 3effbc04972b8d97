"""Noise that depends on key, count and channel alone, however time and farm are cut."""

import numpy as np

from gustbed_twin.compiled import compiled

_SPREAD = 1.0 / 37837.2
"""One over the standard deviation of the sum of four 16-bit numbers."""


@compiled
def normal(key: np.uint64, count: int, channel: int) -> float:
    """A nearly normal number within ±3.46, a function of key, count and channel alone.

    Bits mixed by SplitMix64's finaliser; the sum of four 16-bit numbers is nearly normal.
    """
    z = key + np.uint64(count) * np.uint64(0x9E3779B97F4A7C15)
    z += np.uint64(channel) * np.uint64(0xD1342543DE82EF95)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    mask = np.uint64(0xFFFF)
    total = (z & mask) + ((z >> np.uint64(16)) & mask)
    total += ((z >> np.uint64(32)) & mask) + (z >> np.uint64(48))
    return (np.float64(total) - 131070.0) * _SPREAD

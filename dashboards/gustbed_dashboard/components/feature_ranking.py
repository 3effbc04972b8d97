"""Which few of many features to show."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

_OVERTAKE = 1.25


def peaks(ratios: Mapping[str, NDArray[np.floating]]) -> dict[str, float]:
    """The largest score of each feature, 0 where there is none."""
    return {
        name: float(np.nanmax(values, initial=0.0)) if len(values) else 0.0
        for name, values in ratios.items()
    }


def strongest(highest: Mapping[str, float], count: int, before: Sequence[str] = ()) -> list[str]:
    """The ``count`` names of the highest values, in the mapping's order.

    Names shown ``before`` stay until another is clearly higher, so that what an operator looks at
    does not hop about with the noise.
    """
    if len(highest) <= count:
        return list(highest)
    chosen = [name for name in before if name in highest][:count]
    others = sorted(set(highest) - set(chosen), key=lambda name: -highest[name])
    while len(chosen) < count:
        chosen.append(others.pop(0))
    for name in others:
        weakest = min(chosen, key=highest.__getitem__)
        if highest[name] <= max(highest[weakest] * _OVERTAKE, 1e-9):
            break
        chosen[chosen.index(weakest)] = name
    return [name for name in highest if name in chosen]

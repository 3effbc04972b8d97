"""Limits from a few held-out normal scores, where an extreme-value tail cannot be fitted."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

ENOUGH = 1200
"""Held-out verdicts from which on thresholds are fitted to the tail of their scores."""
FALSE_VERDICTS = 0.1
"""Share of normal verdicts that may violate, all features together, where data are that few."""
_TINY = 1e-9
_FEWEST = 1.5
"""Effective samples: fewer would say nothing at all."""


def too_few(held: Sequence[NDArray[np.floating]]) -> bool:
    """Whether held-out stretches, one row per verdict, are too short for a tail."""
    count = 0
    for each in held:
        count += len(each)
        if count >= ENOUGH:
            return False
    return True


def limits_from_few(held: Sequence[NDArray[np.floating]], own: float | None = None) -> list[float]:
    """Thresholds by feature from scores (n, features) of short stretches.

    ``own`` is the limit of a detector that knows its own. Else half of the false verdicts are
    shared by the features, and half go to the largest score of all, which is the narrower limit
    where a detector has but one score that it lays on features.
    """
    features = held[0].shape[1]
    if own is not None:
        return [own] * features
    together = prediction_limit([each.max(axis=1) for each in held], FALSE_VERDICTS / 2)
    share = FALSE_VERDICTS / 2 / features
    alone = [prediction_limit([each[:, i] for each in held], share) for i in range(features)]
    return [min(limit, together) for limit in alone]


def prediction_limit(scores: Sequence[NDArray[np.floating]], share: float) -> float:
    """What a new normal score exceeds with a probability of ``share``.

    The upper half of the logarithms is taken for normal: what lies below the median says nothing
    about the tail. Neighbours are alike, so that their effective number follows from their
    correlation time.
    """
    logs = [np.log(np.maximum(each, _TINY)) for each in scores]
    pooled = np.concatenate(logs)
    median = float(np.median(pooled))
    effective = max(_FEWEST, sum(effective_samples(each - pooled.mean()) for each in logs))
    above = float(np.sqrt(np.square(pooled[pooled >= median] - median).mean()))
    spread = above * np.sqrt((1 + 1 / effective) * effective / (effective - 1))
    quantile = float(stats.t.ppf(1 - share, effective - 1))
    return float(np.exp(min(median + quantile * spread, 80.0)))


def effective_samples(deviations: NDArray[np.floating]) -> float:
    """How many independent values a series is worth: its length over its correlation time."""
    count = len(deviations)
    power = float(np.square(deviations).mean())
    if count < 2 or power < _TINY**2:
        return float(count > 0)
    size = 1 << (2 * count - 1).bit_length()
    spectrum = np.abs(np.fft.rfft(deviations, size)) ** 2
    correlation = np.fft.irfft(spectrum, size)[:count] / (count * power)
    below = np.flatnonzero(correlation <= 0)
    until = int(below[0]) if len(below) else count
    return count / max(1.0, 1.0 + 2.0 * float(correlation[1:until].sum()))

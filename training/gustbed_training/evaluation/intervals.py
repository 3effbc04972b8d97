"""Intervals of 95 %: of a count, and of a mean over repeated training."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over ``n`` repetitions. Without a second one there are no bounds."""

    mean: float
    low: float | None
    high: float | None
    n: int


def poisson_interval(events: int) -> tuple[float, float]:
    """Exact bounds of the expected number of events (Garwood 1936), from the number seen."""
    from scipy.stats import chi2

    tail = (1 - CONFIDENCE) / 2
    low = float(chi2.ppf(tail, 2 * events)) / 2 if events else 0.0
    return low, float(chi2.ppf(1 - tail, 2 * events + 2)) / 2


def estimate(values: Sequence[float]) -> Estimate:
    """Mean of one value or more and its interval by Student's t."""
    from scipy.stats import t

    n, mean = len(values), float(np.mean(values))
    if n < 2:
        return Estimate(mean, None, None, n)
    error = float(np.std(values, ddof=1)) / n**0.5
    reach = float(t.ppf((1 + CONFIDENCE) / 2, n - 1)) * error
    return Estimate(mean, mean - reach, mean + reach, n)

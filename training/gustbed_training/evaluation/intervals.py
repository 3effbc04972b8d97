"""Intervals of 95 %: of counts, of what another training would give, and of resampled figures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over ``n`` trainings. Without a second one there is no ``std`` and are no bounds."""

    mean: float
    std: float | None
    n: int

    @property
    def further(self) -> tuple[float, float] | None:
        """Where one more training's figure lies (Student's t, prediction interval)."""
        return self._interval((1 + 1 / self.n) ** 0.5)

    @property
    def of_mean(self) -> tuple[float, float] | None:
        """Where the mean of ever more trainings lies (Student's t, confidence interval)."""
        return self._interval((1 / self.n) ** 0.5)

    def _interval(self, widths: float) -> tuple[float, float] | None:
        from scipy.stats import t

        if self.std is None:
            return None
        reach = float(t.ppf((1 + CONFIDENCE) / 2, self.n - 1)) * self.std * widths
        return self.mean - reach, self.mean + reach


def estimate(values: Sequence[float]) -> Estimate:
    """Of one value or more."""
    n = len(values)
    return Estimate(float(np.mean(values)), float(np.std(values, ddof=1)) if n > 1 else None, n)


Interval = tuple[float, float]


def poisson_interval(events: float) -> tuple[float, float]:
    """Exact bounds of the expected number of events (Garwood 1936), from the number seen."""
    from scipy.stats import chi2

    tail = (1 - CONFIDENCE) / 2
    low = float(chi2.ppf(tail, 2 * events)) / 2 if events else 0.0
    return low, float(chi2.ppf(1 - tail, 2 * events + 2)) / 2


def share_interval(found: float, of: float) -> Interval:
    """Exact bounds of a share (Clopper and Pearson 1934), from the counts seen."""
    from scipy.stats import beta

    tail = (1 - CONFIDENCE) / 2
    low = float(beta.ppf(tail, found, of - found + 1)) if found > 0 else 0.0
    return low, float(beta.ppf(1 - tail, found + 1, of - found)) if found < of else 1.0


def percentile_interval(values: Sequence[float]) -> Interval:
    """Of a bootstrap: what all but the outermost of its figures lie within."""
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(values, (tail, 1 - tail))
    return float(low), float(high)


def width(interval: Interval) -> float:
    """How far apart its bounds are."""
    return interval[1] - interval[0]

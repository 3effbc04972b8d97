"""Intervals of 95 %: of a count, and of what another training would give."""

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


def poisson_interval(events: int) -> tuple[float, float]:
    """Exact bounds of the expected number of events (Garwood 1936), from the number seen."""
    from scipy.stats import chi2

    tail = (1 - CONFIDENCE) / 2
    low = float(chi2.ppf(tail, 2 * events)) / 2 if events else 0.0
    return low, float(chi2.ppf(1 - tail, 2 * events + 2)) / 2

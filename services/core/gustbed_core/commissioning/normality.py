"""Whether what a turbine showed is normal operation of one machine of its type."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gustbed_core.commissioning.correction import Correction, Sums, added, posterior
from gustbed_core.commissioning.population import Population
from gustbed_core.errors import GustbedError

IMPLAUSIBLE = 2.8
"""Times as far off as machines of the type differ, root mean square over the period and the terms
of a head: one whose constant or sensor is at the end of its range is at 2.1 at most."""
STEP = 5.0
"""Standard deviations between two halves of a period."""
WIDEST = 8.0
"""How much wider than usual errors a turbine may be judged in half of all operation."""
_WEATHER = 0.5
"""Usual errors that the weather of an hour may be worth: no machine, nor any step, is told from
less. A limit is five times that at least."""


class NotNormalError(GustbedError):
    """A period that no correction may rest on. ``reason`` is a stable word."""

    def __init__(self, reason: str, detail: str, remedy: str) -> None:
        super().__init__(detail, remedy)
        self.reason = reason


@dataclass(frozen=True)
class Signs:
    """What a turbine's features are called, and how many verdicts open an event."""

    features: Sequence[str]
    open_after: int


def check_plausible(population: Population, fitted: Correction, told: Sums, signs: Signs) -> None:
    """Raises ``NotNormalError`` for a turbine that is further off than machines of the type are."""
    size = implausibility(population, fitted, told)
    worst = int(size.argmax())
    if not size[worst] <= IMPLAUSIBLE:
        raise NotNormalError(
            "implausible",
            f"{signs.features[worst]} is {size[worst]:.1f} times as far off as machines of this "
            "type differ: a sensor fault, or no machine of this type",
            "look at the sensor, or train a model on this machine's own recordings",
        )


def implausibility(population: Population, fitted: Correction, told: Sums) -> NDArray[np.float64]:
    """How far off each feature is in the operation that was seen, over how far machines of the type
    are in the same operation (features,).
    """
    off = fitted.mean - population.mean
    seen = told.moment / max(told.count, 1)
    heads = population.heads
    square = np.einsum("ftk,ftkl,ftl->ft", off, seen[:, heads], off)
    usual = np.einsum("fhkl,fhkl->fh", seen, population.covariance) + _WEATHER**2
    found = [
        # What is never judged is never off.
        mine.sum(axis=1) / np.maximum((mine > 0).sum(axis=1), 1) / usual[:, head]
        for head, mine in ((head, square[:, heads == head]) for head in range(usual.shape[1]))
    ]
    size: NDArray[np.float64] = np.sqrt(np.max(found, axis=0))
    return size


def check_steady(population: Population, segments: Sequence[Sums], signs: Signs) -> None:
    """Raises ``NotNormalError`` if the two halves of a period are of two machines."""
    first, second = (posterior(population, each) for each in segments)
    moment = added(segments).moment
    # The basis begins with 1: the first row of its moments is its mean.
    mean = moment[:, :, 0, :] / np.maximum(moment[:, :, 0, :1], 1e-30)
    heads = population.heads
    # At the mean usual error, too: what is off by a share of it is no step.
    mean *= np.sqrt(moment[:, :, 0, :1] / max(sum(each.count for each in segments), 1))
    off = (second.mean - first.mean).astype(np.float64)
    shift = np.abs(np.einsum("ftk,ftk->ft", off, mean[:, heads]))
    doubt = (first.covariance + second.covariance).astype(np.float64)
    spread = np.sqrt(np.einsum("fhk,fhkl,fhl->fh", mean, doubt, mean) + _WEATHER**2)[:, heads]
    size = (shift / spread).max(axis=1)
    worst = int(size.argmax())
    if not size[worst] <= STEP:
        raise NotNormalError(
            "step",
            f"{signs.features[worst]} changed within the period, by {size[worst]:.1f} standard "
            "deviations",
            "look for what changed, then start again",
        )


def check_seen_enough(population: Population, fitted: Correction, signs: Signs) -> None:
    """Raises ``NotNormalError`` if most operation would be judged far more widely than usual."""
    wide = widening(population, fitted)
    worst = int(wide.argmax())
    if not wide[worst] <= WIDEST:
        raise NotNormalError(
            "regimes",
            f"too little operation was seen: {signs.features[worst]} would be judged "
            f"{wide[worst]:.1f} times as widely as usual",
            "commission in more wind, or for longer",
        )


def widening(population: Population, correction: Correction) -> NDArray[np.float64]:
    """How much wider than usual errors each feature is judged in typical operation: the median of
    the population's typical windows, of the head that is judged most widely (features,).
    """
    typical = population.typical.astype(np.float64)
    half = np.einsum("nfhk,fhkl->nfhl", typical, correction.covariance.astype(np.float64))
    doubt = np.maximum(np.einsum("nfhl,nfhl->nfh", half, typical), 0)
    wide: NDArray[np.float64] = np.sqrt(1 + np.median(doubt, axis=0)).max(axis=1)
    return wide

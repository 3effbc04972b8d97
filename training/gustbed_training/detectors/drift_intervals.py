"""How far statistics of normal windows may wander: an interval for what comes after training.

Half the mean square difference of values ``lag`` apart (the variogram) tells noise from drift:
at the shortest lag without overlap it is noise, what it grows by up to half a stretch is drift.
Drift goes on after training as a random walk does. A few hundred samples hold two or three
independent pieces of drift, whence Student's distribution with that many degrees of freedom, and
a weak prior (moderated variances: Smyth 2004, doi:10.2202/1544-6115.1027). Several recordings
tell more: the spread of their means is drift that has happened. Of a single one that wanders, its
end tells better than its mean where it will go on.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]
_LAGS = (0.25, 0.35, 0.5)
"""Of a stretch."""
_OWN_DEGREES = 2.0
_ONWARD = 3.0
"""Drift after training over that of half a training stretch: a random walk, judged from the
training mean 0.4 stretches after the end."""
_RECENT = 0.25
"""Of a single stretch: its end, from which it wanders on."""
_TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Prior:
    """Drift (variance, in ``unit``) to expect, and its weight in degrees of freedom.

    A drift many times ``refuted`` times as large is taken for what it is: the prior gives way.
    """

    drift: float
    degrees: float
    refuted: float = np.inf


@dataclass(frozen=True)
class Interval:
    """``centre`` +- ``limit``, (statistics,), hold a new normal value as often as wanted."""

    centre: Array
    limit: Array


def interval(
    series: Sequence[Array], lag: int, prior: Prior, share: float, unit: Array | None = None
) -> Interval:
    """From series (time, statistics), one per recording; missing values are NaN.

    ``lag`` separates values that share no sample; ``share`` of a statistic's new normal values
    may lie outside. ``unit`` (statistics,) is the variance that the prior's drift is told in:
    of a single sample, for statistics that wander as their samples do; else of their own noise.
    """
    noise = variogram(series, lag) + _TINY
    drift, degrees = _drift(series, lag, noise, prior, noise if unit is None else unit)
    spread = noise + drift
    pieces = sum(np.isfinite(each).all(axis=1).sum() for each in series) / lag
    # Satterthwaite: degrees of a sum of two estimated variances.
    degrees = spread**2 / (noise**2 / pieces + drift**2 / degrees)
    centre = _centre(series, recent=unit is not None)
    return Interval(centre, np.sqrt(spread) * stats.t.ppf(1 - share / 2, degrees))


def variogram(series: Sequence[Array], lag: int) -> Array:
    """Half the mean square difference of values ``lag`` apart."""
    difference = differences(series, lag)
    half: Array = np.square(difference).mean(axis=0) / 2
    return half


def differences(series: Sequence[Array], lag: int) -> Array:
    """Of values ``lag`` apart, (pairs, statistics); pairs with a missing value are left out."""
    every = np.concatenate([each[lag:] - each[:-lag] for each in series])
    known: Array = every[np.isfinite(every).all(axis=1)]
    return known


def longest(series: Sequence[Array]) -> int:
    """Length of the longest series."""
    return max(len(each) for each in series)


def _centre(series: Sequence[Array], *, recent: bool) -> Array:
    """Where new values are looked for; ``recent`` for what wanders on from a single stretch."""
    every = np.concatenate(series)
    if recent and len(series) == 1:
        known = every[np.isfinite(every).all(axis=1)]
        every = known[-max(1, int(_RECENT * len(known))) :]
    centre: Array = np.nanmean(every, axis=0)
    return centre


def _drift(
    series: Sequence[Array], lag: int, noise: Array, prior: Prior, unit: Array
) -> tuple[Array, Array | float]:
    """Variance by which values wander, and its degrees of freedom."""
    length = longest(series)
    growth = []
    for part in _LAGS:
        apart = max(lag, int(part * length))
        growth.append(np.maximum(variogram(series, apart) - noise, 0) * 0.5 / part)
    own = np.mean(growth, axis=0) / unit
    weight = prior.degrees / (1 + np.square(own / (prior.refuted * prior.drift)))
    mixed = (_OWN_DEGREES * own + weight * prior.drift) / (_OWN_DEGREES + weight)
    drift, degrees = _ONWARD * mixed * unit, _OWN_DEGREES + weight
    means = [np.nanmean(each, axis=0) for each in series if 4 * len(each) >= length]
    if len(means) < 2:
        return drift, degrees
    others = len(means) - 1
    between = np.var(means, axis=0, ddof=1) * (1 + 1 / len(means))
    drift = (_OWN_DEGREES * drift + others * between) / (_OWN_DEGREES + others)
    return drift, degrees + others

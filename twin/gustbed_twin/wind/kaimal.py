"""The Kaimal spectrum of IEC 61400-1 as sums of first-order processes.

So the wind can be made sample by sample.

With x = f L / V, the longitudinal spectrum over its variance is 4 (L/V) / (1 + 6 x)^(5/3). A few
processes with logarithmically spaced time constants come within some per cent of it over four
decades. The slowest is what the whole site feels together; the others are each place's own, drawn
from one noise through the minimum-phase filter that has their joint spectrum.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from gustbed_twin.filters import Floats

LENGTH_SCALE_M = 340.2
"""8.1 times IEC's turbulence scale of 42 m, for hubs at 60 m and above."""
_TIMES = np.array([1.6, 0.5, 0.16, 0.05, 0.016, 0.005, 0.0016])
"""Time constants over L/V."""
SHARED = 1
"""How many of the slowest processes the site shares."""


@dataclass(frozen=True, slots=True)
class Shaping:
    """Unit variance in all: the site's share (``site_kept``, ``site_gain``) and a place's own."""

    site_kept: float
    site_gain: float
    kept: Floats
    gain: Floats


def kaimal(frequency: Any, mean: float, spread: float) -> Floats:
    """One-sided spectrum (m²/s) at frequencies in Hz for mean wind and standard deviation."""
    scale = LENGTH_SCALE_M / mean
    return np.asarray(4.0 * spread**2 * scale / (1.0 + 6.0 * frequency * scale) ** (5.0 / 3.0))


@lru_cache(maxsize=16)
def shaping(mean: float, rate_hz: float) -> Shaping:
    """Filters for a mean wind (m/s) and a rate."""
    scale, dt = LENGTH_SCALE_M / mean, 1.0 / rate_hz
    weights = _weights()
    times = _TIMES * scale
    site_kept = float(np.exp(-dt / times[0]))
    residues = _minimum_phase(weights[SHARED:], times[SHARED:])
    kept = np.exp(-dt / times[SHARED:])
    gain = residues * (1.0 - kept)
    variance = (np.outer(gain, gain) / (1.0 - np.outer(kept, kept))).sum()
    return Shaping(
        site_kept,
        float(np.sqrt(weights[0] * (1.0 - site_kept**2))),
        kept,
        gain * np.sqrt(weights[SHARED:].sum() / variance),
    )


def _weights() -> Floats:
    """Shares of the variance, fitted to the spectrum in relative terms, none below 0."""
    x = np.geomspace(0.02, 60.0, 80)
    wanted = 4.0 / (1.0 + 6.0 * x) ** (5.0 / 3.0)
    rows = 4.0 * _TIMES / (1.0 + (2.0 * np.pi * x[:, None] * _TIMES) ** 2) / wanted[:, None]
    weights = np.full(len(_TIMES), 1.0 / len(_TIMES))
    # Multiplicative updates keep the weights positive; 4,000 of them are more than they need.
    square, target = rows.T @ rows, rows.sum(axis=0)
    for _ in range(4000):
        weights = weights * target / (square @ weights)
    return np.asarray(weights / weights.sum())


def _minimum_phase(weights: Floats, times: Floats) -> Floats:
    """Gains of parallel first-order lags, driven by one noise, with the sum's spectrum."""
    # In u = s², the sum's numerator is Σ w T Π(1 - u T²); its roots are the filter's zeros.
    numerator = np.zeros(len(times))
    for k, weight in enumerate(weights):
        others = np.poly1d([1.0])
        for j, time in enumerate(times):
            if j != k:
                others *= np.poly1d([-(time**2), 1.0])
        numerator = numerator + weight * times[k] * others.coeffs
    zeros = np.sqrt(np.abs(np.real(np.roots(numerator))))
    poles = 1.0 / times
    gains = np.empty(len(times))
    for k, pole in enumerate(poles):
        above = np.prod(1.0 - pole / zeros)
        below = np.prod([1.0 - pole / other for j, other in enumerate(poles) if j != k])
        gains[k] = above / below
    return gains

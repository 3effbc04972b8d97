"""The wind that a counting anemometer has measured, sample by sample, and what it cannot have seen.

A count of whole sixteenths of a revolution per second says what the wind was on average. What it
was in between is estimated: cumulative counts through a smoothing spline, which is the expectation
of a wind that walks at random and is counted with that resolution (Wahba, Spline Models for
Observational Data, 1990, ch. 1).
"""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import make_smoothing_spline

from gustbed_core.errors import GustbedError
from gustbed_twin.filters import Floats
from gustbed_twin.sensors.miniature import PULSES_PER_REVOLUTION

COUNT_VARIANCE = 1.0 / (12.0 * PULSES_PER_REVOLUTION**2)
"""Of a cumulative count (rev²): what is left out is anything up to a pulse."""
HIDDEN_WALK, HIDDEN_COUNT = 0.128, 0.85
"""Variance of the wind about the spline, over the walk's per second and over the count's: by
simulation of walks that are counted so."""
_LEAST_WALK = 1e-4
_FEWEST = 5


@dataclass(frozen=True, slots=True)
class MeasuredWind:
    """``speed`` rev/s by sample, of whole windows of a count; ``hidden`` is the variance
    ((rev/s)²) of what the count cannot have seen; both (samples,).
    """

    speed: Floats
    hidden: Floats


def count_phase(readings: Floats, rate_hz: int) -> int:
    """At which sample, modulo the rate, the counts of (channels, samples) are renewed.

    Raises ``GustbedError`` if none ever changes.
    """
    changed = np.flatnonzero((np.diff(readings, axis=-1) != 0.0).any(axis=0)) + 1
    if changed.size == 0:
        raise GustbedError(
            "the counts of rotor and wind never change", "give recordings of a turbine that turns"
        )
    return int(np.bincount(changed % rate_hz, minlength=rate_hz).argmax())


def measured_wind(counts: Floats, rate_hz: int) -> MeasuredWind:
    """The wind behind the counts (rev/s) of consecutive seconds.

    Raises ``GustbedError`` for fewer than five.
    """
    seconds = len(counts)
    if seconds < _FEWEST:
        raise GustbedError(f"{seconds} s of counts", f"give {_FEWEST} s at least")
    walk = 1.5 * (float(np.var(np.diff(counts))) - 6.0 * COUNT_VARIANCE)
    walk = max(walk, _LEAST_WALK)
    turns = np.concatenate(([0.0], np.cumsum(counts)))
    curve = make_smoothing_spline(np.arange(seconds + 1.0), turns, lam=COUNT_VARIANCE / walk)
    at = curve(np.arange(seconds * rate_hz + 1) / rate_hz)
    speed = np.maximum(np.diff(at) * rate_hz, 0.0)
    hidden = HIDDEN_WALK * walk + HIDDEN_COUNT * COUNT_VARIANCE
    return MeasuredWind(speed, np.full(len(speed), hidden))

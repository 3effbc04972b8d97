"""The site's wind and weather: mean over the day, shared turbulence, direction, gusts, warmth."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gustbed_twin.compiled import compiled
from gustbed_twin.filters import Floats
from gustbed_twin.noise import normal
from gustbed_twin.records import SITE_SAMPLE, Records
from gustbed_twin.wind.kaimal import Shaping, shaping
from gustbed_twin.wind.request import Event, Wind

TURBULENCE, TURNING, WARMTH = range(3)
"""The site's processes."""
DAY_S = 86_400.0
WARMEST_S = 15 * 3600.0
"""Wind and warmth peak at this time of the day; the run starts at midnight."""
DIRECTION_S, AMBIENT_S = 900.0, 7200.0
EOG_S = 10.5
SITE_KEY = 0x5EED


@dataclass(frozen=True, slots=True)
class Conditions:
    """``mean`` m/s at hub height; ``turbulence`` is standard deviation over mean; ``diurnal`` the
    day's swing over the mean; ``shear`` the power law's exponent; temperatures in degC."""

    mean: float = 10.0
    turbulence: float = 0.10
    diurnal: float = 0.0
    direction: float = 270.0
    direction_spread: float = 4.0
    shear: float = 0.14
    ambient: float = 12.0
    ambient_swing: float = 3.0
    events: tuple[Event, ...] = ()


USUAL = Conditions()
STEADY = Conditions(turbulence=0.0, direction_spread=0.0, shear=0.0, ambient_swing=0.0)
"""Uniform wind that does not change: what steady figures are published for."""


def conditions_of(wind: Wind, usual: Conditions) -> Conditions:
    """What is asked of the wind over what is usual."""
    given: dict[str, Any] = wind.given
    return replace(usual, **given)


@dataclass(frozen=True, slots=True)
class SiteAir:
    """The site's processes; ``state``, ``kept`` and ``gain`` are (3,): turbulence, direction,
    warmth."""

    state: Floats
    kept: Floats
    gain: Floats
    key: np.uint64
    filters: Shaping


def start_site(seed: int, conditions: Conditions, rate_hz: int) -> SiteAir:
    """The air before the first sample."""
    key = turbine_keys(seed, [SITE_KEY])[0]
    state = np.array([normal(key, -1, channel) for channel in range(3)])
    filters = shaping(conditions.mean, rate_hz)
    state[TURBULENCE] *= filters.site_gain / math.sqrt(1.0 - filters.site_kept**2)
    dt = 1.0 / rate_hz
    kept = np.array([filters.site_kept, math.exp(-dt / DIRECTION_S), math.exp(-dt / AMBIENT_S)])
    gain = np.sqrt(1.0 - kept**2)
    gain[TURBULENCE] = filters.site_gain
    return SiteAir(state, kept, gain, key, filters)


def advance_site(
    air: SiteAir, conditions: Conditions, first: int, samples: int, rate_hz: int, hub_share: float
) -> tuple[SiteAir, Records]:
    """The air after ``samples`` samples, and a ``SiteSample`` of each."""
    state, rows = air.state.copy(), np.empty((3, samples))
    _run_site(state, air.kept, air.gain, air.key, first, rows)
    t = (first + np.arange(samples)) / rate_hz
    day = np.cos(2.0 * np.pi * (t - WARMEST_S) / DAY_S)
    site = np.zeros(samples, SITE_SAMPLE)
    site["mean"] = conditions.mean * (1.0 + conditions.diurnal * day)
    site["shared"] = rows[TURBULENCE]
    site["direction"] = conditions.direction + conditions.direction_spread * rows[TURNING]
    site["ambient"] = conditions.ambient + conditions.ambient_swing * (day + 0.3 * rows[WARMTH])
    for event in conditions.events:
        _apply(event, conditions, t, site)
    site["mean"] = np.maximum(site["mean"] * hub_share, 0.0)
    site["spread"] = conditions.turbulence * site["mean"]
    return SiteAir(state, air.kept, air.gain, air.key, air.filters), site


def rotor_share(shear: float, radius_m: float, hub_m: float) -> float:
    """Rotor-equivalent wind over hub wind for a power law: the cubic mean over the disc."""
    height = np.linspace(-0.999, 0.999, 401)
    chord = np.sqrt(1.0 - height**2)
    cubed = (1.0 + height * radius_m / hub_m) ** (3.0 * shear)
    return float(((cubed * chord).sum() / chord.sum()) ** (1.0 / 3.0))


def extreme_gust(mean: float, turbulence: float, reference: float = 50.0) -> float:
    """IEC 61400-1's extreme operating gust (m/s) for a hub wind; class I by ``reference``."""
    yearly = 0.8 * 1.4 * reference
    return min(1.35 * (yearly - mean), 3.3 * turbulence * mean / (1.0 + 0.1 * 126.0 / 42.0))


def turbine_keys(seed: int, indices: Any) -> NDArray[np.uint64]:
    """A key for each turbine's noise, a function of seed and number alone."""
    return np.array(
        [
            np.random.SeedSequence(seed, spawn_key=(7, int(index))).generate_state(1, np.uint64)[0]
            for index in indices
        ],
        dtype=np.uint64,
    )


def _apply(event: Event, conditions: Conditions, t: Floats, site: Records) -> None:
    since = t - event.at
    if event.kind == "eog":
        size = event.size or extreme_gust(conditions.mean, conditions.turbulence)
        inside = (since >= 0.0) & (since <= EOG_S)
        shape = np.sin(3.0 * np.pi * since / EOG_S) * (1.0 - np.cos(2.0 * np.pi * since / EOG_S))
        site["gust"] -= np.where(inside, 0.37 * size * shape, 0.0)
        return
    share = np.clip(since / max(event.over, 1e-9), 0.0, 1.0)
    site["mean" if event.kind == "ramp" else "direction"] += event.size * share


@compiled
def _run_site(
    state: Floats, kept: Floats, gain: Floats, key: np.uint64, first: int, rows: Floats
) -> None:
    for sample in range(rows.shape[1]):
        for process in range(rows.shape[0]):
            noise = normal(key, first + sample, process)
            state[process] = kept[process] * state[process] + gain[process] * noise
            rows[process, sample] = state[process]

"""Seeded wind: slow turbulence shared by the site, turbulence of each place, and gusts.

Speeds are in revolutions per second of the anemometer, as in the reference record.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gustbed_twin.filters import Floats, bounded, first_order, innovation, memory
from gustbed_twin.random_streams import SiteStream, normals, site_stream

SITE_TURBULENCE_S = 25.0
PLACE_TURBULENCE_S = 6.0
SITE_DIRECTION_S = 900.0
PLACE_DIRECTION_S = 60.0
SITE_SHARE = 0.75
"""How much of the turbulence all turbines feel together; the squares of the shares add to 1."""
PLACE_SHARE = (1.0 - SITE_SHARE**2) ** 0.5
SITE_DIRECTION_RAD = 0.5
PLACE_DIRECTION_RAD = 0.05
TURBULENCE_LIMIT = 2.8
"""Turbulence stays within this many standard deviations: a normal day has no storm."""
TURBULENCE_SCALE = 1.12
"""Makes up for what the limit takes from the standard deviation."""

GUST_PAUSE_S = (30.0, 90.0)
"""Shortest pause between gusts, and the mean of what is added to it."""
GUST_LENGTH_S = (6.0, 14.0)
GUST_STRENGTH = (0.08, 0.25)
"""Peak of a gust over the mean wind."""
GUST_TRAVEL_S = 8.0
"""How long a gust takes to cross the site, at most."""


@dataclass(frozen=True, slots=True)
class WindConfig:
    """``mean`` in anemometer rev/s; ``turbulence`` is standard deviation over mean."""

    mean: float = 2.15
    turbulence: float = 0.15


@dataclass(frozen=True, slots=True)
class Gust:
    """A rise and fall of the wind; times in samples, strength relative to the mean wind."""

    start: float
    length: float
    strength: float


@dataclass(frozen=True, slots=True)
class SiteWind:
    """What all turbines share. ``state`` holds turbulence and direction, unit variance."""

    state: Floats
    heading: float
    gusts: tuple[Gust, ...]
    turbulence_stream: np.random.Generator
    gust_stream: np.random.Generator


@dataclass(frozen=True, slots=True)
class SiteWindBlock:
    """Shared turbulence (unit variance), direction (rad) and the gusts of a block; (samples,)."""

    turbulence: Floats
    direction: Floats
    gusts: tuple[Gust, ...]


def start_site_wind(seed: int, rate_hz: int) -> SiteWind:
    """The site's wind before its first sample."""
    stream = site_stream(seed, SiteStream.TURBULENCE)
    gust_stream = site_stream(seed, SiteStream.GUSTS)
    heading = float(stream.uniform(-np.pi, np.pi))
    state = stream.standard_normal((2, 1))
    return SiteWind(state, heading, (_next_gust(0.0, gust_stream, rate_hz),), stream, gust_stream)


def advance_site_wind(
    wind: SiteWind, first: int, samples: int, rate_hz: int
) -> tuple[SiteWind, SiteWindBlock]:
    """Blow for ``samples`` samples, of which the first has number ``first``."""
    kept = memory(np.array([[SITE_TURBULENCE_S], [SITE_DIRECTION_S]]), 1.0 / rate_hz)
    noise = normals([wind.turbulence_stream], samples, 2).transpose(1, 0, 2)
    rows = first_order(wind.state, kept, noise * innovation(kept))
    reach = GUST_TRAVEL_S * rate_hz
    gusts = [gust for gust in wind.gusts if gust.start + gust.length + reach >= first]
    # The last gust always lies ahead, so the list is never empty.
    while gusts[-1].start < first + samples:
        after = gusts[-1].start + gusts[-1].length
        gusts.append(_next_gust(after, wind.gust_stream, rate_hz))
    block = SiteWindBlock(
        turbulence=rows[:, 0, 0],
        direction=wind.heading + SITE_DIRECTION_RAD * rows[:, 1, 0],
        gusts=tuple(gusts),
    )
    return replace(wind, state=rows[-1].copy(), gusts=block.gusts), block


def wind_speed(
    config: WindConfig, site: SiteWindBlock, place: Floats, exposure: Floats, gusts: Floats
) -> Floats:
    """Wind at every turbine, shape (samples, turbines), never below 0.

    ``place`` is the turbines' own turbulence (unit variance), ``exposure`` a factor per turbine.
    """
    shared = SITE_SHARE * site.turbulence[:, None]
    turbulence = TURBULENCE_SCALE * (shared + PLACE_SHARE * place)
    relative = 1.0 + config.turbulence * bounded(turbulence, TURBULENCE_LIMIT) + gusts
    return np.maximum(config.mean * exposure * relative, 0.0)


def gust_shape(
    gusts: tuple[Gust, ...], first: int, samples: int, delays: NDArray[np.int64]
) -> Floats:
    """Sum of the gusts relative to the mean wind, (samples, turbines): each 1 - cos in time."""
    total = np.zeros((samples, len(delays)))
    for gust in gusts:
        if gust.start >= first + samples:
            continue
        since = np.arange(first, first + samples)[:, None] - delays - gust.start
        phase = np.clip(since / gust.length, 0.0, 1.0)
        total += 0.5 * gust.strength * (1.0 - np.cos(2.0 * np.pi * phase))
    return total


def _next_gust(after: float, stream: np.random.Generator, rate_hz: int) -> Gust:
    shortest, mean_extra = GUST_PAUSE_S
    pause = shortest + float(stream.exponential(mean_extra))
    length = float(stream.uniform(*GUST_LENGTH_S))
    strength = float(stream.uniform(*GUST_STRENGTH))
    return Gust(after + pause * rate_hz, length * rate_hz, strength)

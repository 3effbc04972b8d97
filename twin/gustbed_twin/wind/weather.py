"""The site's slow weather, as its sensor gives it: a new value every 10 s."""

from dataclasses import dataclass, replace

import numpy as np

from gustbed_twin.filters import Floats, innovation, memory
from gustbed_twin.random_streams import SiteStream, site_stream

REFRESH_S = 10
_TIME_CONSTANTS_S = np.array([7200.0, 5400.0, 14400.0, 3600.0])
_MEANS = np.array([17.0, 60.0, 1013.0, 0.9])
_SPREADS = np.array([2.0, 6.0, 4.0, 0.05])
AMBIENT, HUMIDITY, PRESSURE, GAS = range(4)


@dataclass(frozen=True, slots=True)
class Weather:
    """Temperature (degC), humidity (%RH), pressure (hPa), gas (100 kohm), as deviations."""

    tick: int
    state: Floats
    stream: np.random.Generator


def start_weather(seed: int) -> Weather:
    """The weather before the first sample."""
    stream = site_stream(seed, SiteStream.WEATHER)
    return Weather(0, stream.standard_normal(len(_MEANS)), stream)


def advance_weather(
    weather: Weather, first: int, samples: int, rate_hz: int
) -> tuple[Weather, Floats]:
    """Return the held readings, shape (4, samples)."""
    kept = memory(_TIME_CONSTANTS_S, REFRESH_S)
    ticks = np.arange(first, first + samples) // (REFRESH_S * rate_hz)
    state, tick = weather.state, weather.tick
    history = [state]
    while tick < ticks[-1]:
        state = kept * state + innovation(kept) * weather.stream.standard_normal(len(state))
        tick += 1
        history.append(state)
    values = _MEANS + _SPREADS * np.clip(np.array(history), -2.5, 2.5)
    return replace(weather, tick=tick, state=state), values[ticks - weather.tick].T

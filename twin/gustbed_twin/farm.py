"""The farm: any set of turbines, advanced together, block by block."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gustbed_core.violations import Violation
from gustbed_twin import sensors, turbine
from gustbed_twin.faults import KINDS, Faults
from gustbed_twin.filters import Floats
from gustbed_twin.streams import normals, turbine_stream
from gustbed_twin.turbine_types import MiniMachine, usual_miniature
from gustbed_twin.weather import AMBIENT, Weather, advance_weather, start_weather
from gustbed_twin.wind import SiteWind, WindConfig, advance_site_wind, start_site_wind


@dataclass(frozen=True, slots=True)
class Moment:
    """Everything of a farm that changes, besides the number of its sample."""

    streams: tuple[np.random.Generator, ...]
    wind: SiteWind
    weather: Weather
    state: turbine.State
    counters: sensors.Counters
    faults: Faults


class Farm:
    """Simulated turbines.

    ``indices`` are the turbines' numbers in the whole farm, from 0: a turbine's stream depends on
    the seed, its number, its faults and the machine, and on nothing else.
    """

    def __init__(
        self,
        seed: int,
        indices: Sequence[int],
        config: WindConfig,
        rate_hz: int = 20,
        machine: MiniMachine | None = None,
    ) -> None:
        self.machine = machine or usual_miniature()
        self.seed = seed
        self.indices = tuple(indices)
        self.rate_hz = rate_hz
        self.sample = 0
        self.config = config
        streams = [turbine_stream(seed, index) for index in indices]
        self._traits = turbine.make_traits(streams, rate_hz, self.machine)
        wind = start_site_wind(seed, rate_hz)
        weather = start_weather(seed)
        _, readings = advance_weather(weather, 0, 1, rate_hz)
        state, speed = turbine.start_state(
            streams, self._traits, config, wind, float(readings[AMBIENT, 0])
        )
        counters = sensors.start_counters(state, speed, rate_hz)
        faults = Faults.none(len(self.indices))
        self.moment = Moment(tuple(streams), wind, weather, state, counters, faults)

    @property
    def faults(self) -> Faults:
        """The faults as they stand."""
        return self.moment.faults

    def advance(self, samples: int) -> Floats:
        """Run for ``samples`` samples: (turbines, channels, samples), in order of ``CHANNELS``."""
        first, rate, now = self.sample, self.rate_hz, self.moment
        wind, site = advance_site_wind(now.wind, first, samples, rate)
        weather, readings = advance_weather(now.weather, first, samples, rate)
        noise = normals(now.streams, samples, turbine.NOISES)
        around = turbine.Surroundings(
            config=self.config,
            site=site,
            ambient=readings[AMBIENT],
            severity=now.faults.severity(first, samples),
            noise=noise,
            first=first,
            rate_hz=rate,
        )
        state, truth = turbine.advance(now.state, self._traits, around)
        counters, values = sensors.read(
            now.counters, truth, self._traits, readings, noise, first, rate
        )
        self.moment = replace(now, wind=wind, weather=weather, state=state, counters=counters)
        self.sample += samples
        return values

    def inject(self, position: int, kind: Violation, severity: float, ramp_s: float) -> None:
        """Let a fault grow to ``severity`` (0 to 1) over ``ramp_s`` seconds, from the next sample.

        ``position`` counts this farm's turbines from 0.
        """
        length = round(ramp_s * self.rate_hz)
        faults = self.moment.faults.ramp(kind, position, severity, length, self.sample)
        self.moment = replace(self.moment, faults=faults)

    def clear(self, position: int, kind: Violation | None, ramp_s: float) -> None:
        """Mend one kind of fault, or all, over ``ramp_s`` seconds."""
        for each in KINDS if kind is None else (kind,):
            self.inject(position, each, 0.0, ramp_s)

    def severities(self, first: int, samples: int) -> Floats:
        """Severity by kind for past or coming samples: (turbines, kinds, samples)."""
        return np.ascontiguousarray(self.moment.faults.severity(first, samples).transpose(2, 0, 1))

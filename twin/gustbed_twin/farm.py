"""The farm: any set of turbines, advanced together, block by block."""

from collections.abc import Sequence

import numpy as np

from gustbed_protocol.violations import Violation
from gustbed_twin import sensors, turbine
from gustbed_twin.faults import KINDS, Faults
from gustbed_twin.filters import Floats
from gustbed_twin.streams import normals, turbine_stream
from gustbed_twin.weather import AMBIENT, advance_weather, start_weather
from gustbed_twin.wind import WindConfig, advance_site_wind, start_site_wind


class Farm:
    """Simulated turbines.

    ``indices`` are the turbines' numbers in the whole farm, from 0: a turbine's stream depends on
    the seed, its number and its faults, and on nothing else.
    """

    def __init__(
        self, seed: int, indices: Sequence[int], config: WindConfig, rate_hz: int = 20
    ) -> None:
        self.rate_hz = rate_hz
        self.sample = 0
        self._config = config
        self._faults = Faults.none(len(indices))
        self._streams = [turbine_stream(seed, index) for index in indices]
        self._traits = turbine.make_traits(self._streams, rate_hz)
        self._wind = start_site_wind(seed, rate_hz)
        self._weather = start_weather(seed)
        _, readings = advance_weather(self._weather, 0, 1, rate_hz)
        self._state, speed = turbine.start_state(
            self._streams, self._traits, config, self._wind, float(readings[AMBIENT, 0])
        )
        self._counters = sensors.start_counters(self._state, speed, rate_hz)

    @property
    def faults(self) -> Faults:
        """The faults as they stand."""
        return self._faults

    def advance(self, samples: int) -> Floats:
        """Run for ``samples`` samples: (turbines, channels, samples), in order of ``CHANNELS``."""
        first, rate = self.sample, self.rate_hz
        self._wind, site = advance_site_wind(self._wind, first, samples, rate)
        self._weather, readings = advance_weather(self._weather, first, samples, rate)
        noise = normals(self._streams, samples, turbine.NOISES)
        around = turbine.Surroundings(
            config=self._config,
            site=site,
            ambient=readings[AMBIENT],
            severity=self._faults.severity(first, samples),
            noise=noise,
            first=first,
            rate_hz=rate,
        )
        self._state, truth = turbine.advance(self._state, self._traits, around)
        self._counters, values = sensors.read(
            self._counters, truth, self._traits, readings, noise, first, rate
        )
        self.sample += samples
        return values

    def inject(self, position: int, kind: Violation, severity: float, ramp_s: float) -> None:
        """Let a fault grow to ``severity`` (0 to 1) over ``ramp_s`` seconds, from the next sample.

        ``position`` counts this farm's turbines from 0.
        """
        length = round(ramp_s * self.rate_hz)
        self._faults = self._faults.ramp(kind, position, severity, length, self.sample)

    def clear(self, position: int, kind: Violation | None, ramp_s: float) -> None:
        """Mend one kind of fault, or all, over ``ramp_s`` seconds."""
        for each in KINDS if kind is None else (kind,):
            self.inject(position, each, 0.0, ramp_s)

    def severities(self, first: int, samples: int) -> Floats:
        """Severity by kind for past or coming samples: (turbines, kinds, samples)."""
        return np.ascontiguousarray(self._faults.severity(first, samples).transpose(2, 0, 1))

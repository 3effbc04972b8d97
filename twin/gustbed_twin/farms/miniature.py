"""A farm of miniatures: any set of turbines, advanced together, block by block."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import msgspec
import numpy as np

from gustbed_core.errors import GustbedError
from gustbed_core.turbine_state import Reported
from gustbed_core.turbine_types import TurbineType
from gustbed_twin.farms.farm import FarmState, Observation
from gustbed_twin.faults.kinds import FaultKind
from gustbed_twin.faults.miniature import CATALOGUE, KINDS, Faults
from gustbed_twin.filters import Floats
from gustbed_twin.random_streams import normals, turbine_stream
from gustbed_twin.sensors import miniature as sensors
from gustbed_twin.turbine import miniature as turbine
from gustbed_twin.turbine.miniature_type import QUANTITIES, MiniatureType
from gustbed_twin.wind.miniature import (
    Gust,
    SiteWind,
    WindConfig,
    advance_site_wind,
    start_site_wind,
)
from gustbed_twin.wind.request import Wind
from gustbed_twin.wind.weather import AMBIENT, Weather, advance_weather, start_weather

FASTEST_WIND = 10.0
"""Anemometer rev/s."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Everything of a farm that changes, besides the number of its sample."""

    streams: tuple[np.random.Generator, ...]
    wind: SiteWind
    weather: Weather
    state: turbine.State
    counters: sensors.Counters
    faults: Faults


def wind_config(miniature: MiniatureType, wind: Wind) -> WindConfig:
    """What is asked of the wind over the type's own. Raises ``GustbedError``."""
    usual = WindConfig(miniature.physics.wind_mean_rps, miniature.physics.turbulence)
    return changed_wind(miniature.turbine_type.name, usual, wind)


def changed_wind(type_name: str, now: WindConfig, wind: Wind) -> WindConfig:
    """A wind with what is asked for. Raises ``GustbedError`` for what miniatures do not know."""
    known = [field.name for field in fields(WindConfig)]
    unknown = next((name for name in wind.given if name not in known), None)
    if unknown is not None:
        raise GustbedError(
            f"wind.{unknown}: not for type {type_name}", f"one of {', '.join(known)}"
        )
    if wind.mean is not None and wind.mean > FASTEST_WIND:
        raise GustbedError(f"wind.mean {wind.mean:g}", f"at most {FASTEST_WIND:g} rev/s")
    given: dict[str, Any] = wind.given
    return replace(now, **given)


class MiniatureFarm:
    """Simulated miniatures; a ``Farm``.

    A turbine's stream depends on the seed, its number, its faults, its type and the variation, and
    on nothing else. ``machines`` are the constants of each, ``traits`` what else is its own.
    """

    faults: Mapping[str, FaultKind] = CATALOGUE

    def __init__(
        self,
        miniature: MiniatureType,
        seed: int,
        indices: Sequence[int],
        conditions: WindConfig,
        rate_hz: int,
        variation: float = 0.0,
    ) -> None:
        self.miniature = miniature
        self.seed = seed
        self.variation = variation
        self.indices = tuple(indices)
        self.rate_hz = rate_hz
        self.sample = 0
        self.blind = False
        self.conditions = conditions
        self._whole = miniature.rows == tuple(range(len(QUANTITIES)))
        streams = [turbine_stream(seed, index) for index in indices]
        self.machines = turbine.make_machines(
            miniature.physics.machine, seed, self.indices, variation
        )
        self.traits = turbine.make_traits(streams, rate_hz, self.machines)
        self._gauges = sensors.make_gauges(miniature, self.machines.anemometer)
        wind = start_site_wind(seed, rate_hz)
        weather = start_weather(seed)
        _, readings = advance_weather(weather, 0, 1, rate_hz)
        state, speed = turbine.start_state(
            streams, self.traits, conditions, wind, float(readings[AMBIENT, 0])
        )
        counters = sensors.start_counters(state, speed, self._gauges, rate_hz)
        faults = Faults.none(len(self.indices))
        self.moment = Moment(tuple(streams), wind, weather, state, counters, faults)

    @property
    def turbine_type(self) -> TurbineType:
        """Of all turbines."""
        return self.miniature.turbine_type

    def advance(self, samples: int) -> Floats:
        """Run for ``samples`` samples: (turbines, channels, samples), in the order of the type."""
        first, rate, now = self.sample, self.rate_hz, self.moment
        wind, site = advance_site_wind(now.wind, first, samples, rate)
        weather, readings = advance_weather(now.weather, first, samples, rate)
        noise = normals(now.streams, samples, turbine.NOISES)
        around = turbine.Surroundings(
            config=self.conditions,
            site=site,
            ambient=readings[AMBIENT],
            severity=now.faults.severity(first, samples),
            noise=noise,
            first=first,
            rate_hz=rate,
        )
        state, truth = turbine.advance(now.state, self.traits, around)
        counters, values = sensors.read(
            now.counters, truth, self.traits, self._gauges, readings, noise, first, rate
        )
        self.moment = replace(now, wind=wind, weather=weather, state=state, counters=counters)
        self.sample += samples
        return values if self._whole else values[:, self.miniature.rows]

    def inject(
        self, position: int, kind: str, severity: float, ramp_s: float, _signal: str = ""
    ) -> None:
        """Let a fault grow to ``severity`` (0 to 1) over ``ramp_s`` seconds, from the next sample.

        ``position`` counts this farm's turbines from 0.
        """
        length = round(ramp_s * self.rate_hz)
        faults = self.moment.faults.ramp(kind, position, severity, length, self.sample)
        self.moment = replace(self.moment, faults=faults)

    def clear(self, position: int, kind: str | None, ramp_s: float) -> None:
        """Mend one kind of fault, or all, over ``ramp_s`` seconds."""
        for each in KINDS if kind is None else (kind,):
            self.inject(position, each, 0.0, ramp_s)

    def severities(self, first: int, samples: int) -> Floats:
        """Severity by kind for past or coming samples: (turbines, kinds, samples)."""
        return np.ascontiguousarray(self.moment.faults.severity(first, samples).transpose(2, 0, 1))

    def fault_signals(self, _position: int, kind: str) -> list[str]:
        """The channels that a fault of a turbine moves."""
        return list(CATALOGUE[kind].signals(self.turbine_type))

    def control(self, _position: int, action: str, _value: float | None = None) -> str:
        """A miniature takes no commands."""
        return f"this turbine takes no {action}"

    def report_numbers(self) -> None:
        """A miniature reports nothing of itself."""

    def reported(self, _position: int, turbine: str) -> Reported:
        """Raises ``GustbedError``: a miniature reports nothing of itself."""
        raise GustbedError(f"{turbine}: reports nothing")

    def change_wind(self, wind: Wind) -> None:
        """Go on in another wind. Raises ``GustbedError``."""
        self.conditions = changed_wind(self.turbine_type.name, self.conditions, wind)

    def observe(self) -> Observation:
        """How the turbines stand now; they have no power that the physics knows."""
        state = self.moment.state
        modes = ("running",) * len(self.indices)
        return Observation(None, state.rotor * 60.0, state.gearbox, modes)

    def fork(self) -> "MiniatureFarm":
        """A copy that can be run on without touching this one."""
        other = copy.copy(self)
        other.moment = copy.deepcopy(self.moment)
        return other

    def state(self) -> FarmState:
        """The farm as of now. Its arrays are replaced as it runs on, never written to."""
        now = self.moment
        streams = (*now.streams, now.wind.turbulence_stream, now.wind.gust_stream)
        head = {
            "seed": self.seed,
            "variation": self.variation,
            "indices": list(self.indices),
            "rate_hz": self.rate_hz,
            "sample": self.sample,
            "wind": asdict(self.conditions),
            "heading": now.wind.heading,
            "gusts": [asdict(gust) for gust in now.wind.gusts],
            "weather_tick": now.weather.tick,
            "streams": [each.bit_generator.state for each in (*streams, now.weather.stream)],
        }
        parts: dict[str, Any] = {"state": now.state, "counters": now.counters, "faults": now.faults}
        arrays = {
            f"{part}_{field.name}": getattr(value, field.name)
            for part, value in parts.items()
            for field in fields(value)
        }
        return FarmState(head, {**arrays, "site": now.wind.state, "weather": now.weather.state})

    @classmethod
    def restored(cls, miniature: MiniatureType, state: FarmState) -> "MiniatureFarm":
        """A farm that goes on from a state. Raises ``ValueError``, ``KeyError``, ``TypeError``."""
        head = state.head
        wind = msgspec.convert(head["wind"], WindConfig)
        farm = cls(
            miniature, head["seed"], head["indices"], wind, head["rate_hz"],
            head.get("variation", 0.0),
        )  # fmt: skip
        farm.sample = int(head["sample"])
        farm.moment = _moment(farm.moment, state)
        return farm


def _moment(new: Moment, stored: FarmState) -> Moment:
    head, data, wind, weather = stored.head, stored.arrays, new.wind, new.weather
    streams = (*new.streams, wind.turbulence_stream, wind.gust_stream, weather.stream)
    for stream, state in zip(streams, head["streams"], strict=True):
        stream.bit_generator.state = state
    return replace(
        new,
        wind=replace(
            wind,
            state=data["site"],
            heading=float(head["heading"]),
            gusts=tuple(msgspec.convert(head["gusts"], list[Gust])),
        ),
        weather=replace(weather, tick=int(head["weather_tick"]), state=data["weather"]),
        state=_part(turbine.State, "state", data, new.state),
        counters=_part(sensors.Counters, "counters", data, new.counters),
        faults=_part(Faults, "faults", data, new.faults),
    )


def _part(kind: Any, name: str, data: Mapping[str, Any], like: Any) -> Any:
    found = {}
    for field in fields(kind):
        array, wanted = data[f"{name}_{field.name}"], getattr(like, field.name)
        if array.shape != wanted.shape:
            raise ValueError(f"{name}_{field.name} has shape {array.shape}, not {wanted.shape}")
        found[field.name] = np.ascontiguousarray(array)
    return kind(**found)

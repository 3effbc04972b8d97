"""A farm of variable-speed machines, advanced together, block by block."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace

import msgspec
import numpy as np

from gustbed_core.turbine_state import Reported
from gustbed_core.turbine_types import TurbineType
from gustbed_twin.farms.farm import FarmState, Observation
from gustbed_twin.farms.machines import NO_LIMIT_W, grouped, make_machines, start_turbines
from gustbed_twin.farms.step import advance_block
from gustbed_twin.faults.kinds import FaultKind
from gustbed_twin.faults.ramps import Ramps
from gustbed_twin.faults.sensor_faults import SensorFaults
from gustbed_twin.faults.variable_speed import CATALOGUE, KINDS
from gustbed_twin.filters import Floats
from gustbed_twin.records import (
    NO_TRIP,
    PHYSICAL,
    QUANTITIES,
    RAMP,
    STATE,
    TRIPPED,
    WAITING,
    Air,
    Mode,
    Records,
    Trip,
    WakeTable,
    make_turbines,
)
from gustbed_twin.turbine.commands import refusal
from gustbed_twin.turbine.model import TurbineModel, prepare_model
from gustbed_twin.turbine.variable_speed import VariableSpeedType
from gustbed_twin.wind.request import Wind
from gustbed_twin.wind.site import (
    Conditions,
    SiteAir,
    advance_site,
    conditions_of,
    rotor_share,
    start_site,
    turbine_keys,
)

NO_WAKES = WakeTable(np.zeros((0, 0, 0)))

_REPORTED = ("mode", "hold", "trip", "limit", "yaw_offset", "pitch_offset")
_ARRAYS = ("poles", "degrees", "quantities", "held", "shelter", "exposure")
_LAYOUT = [list(names or ()) for names in (STATE.names, QUANTITIES, RAMP.names)]
"""Fields of the arrays in a state; another release may have others."""


class VariableSpeedFarm:
    """Simulated variable-speed machines; a ``Farm``.

    ``exposure`` is a factor on the wind by turbine; ``machines`` are the turbines' own models, or
    one that all share.
    """

    faults: Mapping[str, FaultKind] = CATALOGUE

    def __init__(
        self,
        model: TurbineModel,
        seed: int,
        indices: Sequence[int],
        conditions: Conditions,
        *,
        exposure: Floats | None = None,
        wakes: WakeTable = NO_WAKES,
        standing: bool = False,
        variation: float = 0.0,
    ) -> None:
        self.model = model
        self.variation = variation
        self.seed = seed
        self.indices = tuple(indices)
        self.conditions = conditions
        self.sample = 0
        self.blind = False
        self.rate_hz = model.rate_hz
        count = len(self.indices)
        exposure = np.ones(count) if exposure is None else np.asarray(exposure, float)
        self.wakes = wakes._replace(share=np.ascontiguousarray(wakes.share))
        self.ramps = Ramps.none(count)
        self.air: SiteAir = start_site(seed, conditions, model.rate_hz)
        self._keys = turbine_keys(seed, self.indices)
        self.sensor_faults = self._no_sensor_faults()
        poles = np.zeros((count, len(self.air.filters.kept)))
        self.machines = make_machines(model, seed, self.indices, variation)
        self.turbines = start_turbines(
            self.machines, conditions, exposure, poles, self._keys, standing=standing
        )
        geometry = model.variable_speed.physics.geometry
        self._hub_share = rotor_share(
            conditions.shear, geometry.swept_radius_m, geometry.hub_height_m
        )

    @property
    def turbine_type(self) -> TurbineType:
        """Of all turbines."""
        return self.model.variable_speed.turbine_type

    def advance(self, samples: int) -> Floats:
        """Run for ``samples`` samples: (turbines, channels, samples)."""
        self.air, site = advance_site(
            self.air, self.conditions, self.sample, samples, self.rate_hz, self._hub_share
        )
        return self.advance_in(site)

    def advance_in(self, site: Records) -> Floats:
        """Run on in air that is given, a ``SiteSample`` each: (turbines, channels, samples)."""
        samples = len(site)
        channels = 0 if self.blind else len(self.model.arrays.sensors)
        out = np.empty((len(self.indices), channels, samples))
        air = Air(site, self.air.filters.kept, self.air.filters.gain)
        for rows, machine in grouped(self.machines):
            arrays = machine.arrays
            if self.blind:
                arrays = arrays._replace(fast=arrays.fast[:0], slow=arrays.slow[:0])
            turbines, ramps = self.turbines.rows(rows), self.ramps.records[rows]
            share = np.ascontiguousarray(self.wakes.share[:, :, rows])
            wakes = self.wakes._replace(share=share)
            advance_block(turbines, ramps, arrays, air, wakes, self.sample, out[rows])
        if not self.blind:
            self.sensor_faults.apply(out, self.sample)
        self.sample += samples
        return out

    def held_block(self, samples: int) -> Floats:
        """The present readings repeated, in a block's shape; nothing advances."""
        return np.repeat(self.turbines.held[:, :, None], samples, axis=2)

    def state_bytes(self) -> int:
        """Memory that the turbines' state takes."""
        t = self.turbines
        parts = (t.state, t.poles, t.degrees, t.truth, t.held, t.shelter, t.keys)
        return sum(part.nbytes for part in (*parts, self.ramps.records))

    def truth(self, name: str) -> Floats:
        """A true quantity of every turbine, before sensors, at the last sample."""
        return np.asarray(self.turbines.truth[name]).copy()

    def modes(self) -> list[Mode]:
        """What every machine is doing."""
        return [Mode(int(mode)) for mode in self.turbines.state["mode"]]

    def inject(
        self, position: int, kind: str, severity: float, ramp_s: float, signal: str = ""
    ) -> None:
        """Let a fault grow to ``severity`` over ``ramp_s`` seconds, from the next sample.

        ``signal`` names the channel of a sensor's fault.
        """
        length = round(ramp_s * self.rate_hz)
        if kind in PHYSICAL:
            self.ramps.set(position, kind, severity, length, self.sample)
            return
        names = self.turbine_type.channel_names
        for name in CATALOGUE[kind].moved(self.turbine_type, signal):
            channel = names.index(name)
            self.sensor_faults.set(position, kind, channel, severity, length, self.sample)

    def clear(self, position: int, kind: str | None, ramp_s: float) -> None:
        """Mend one kind of fault, or all, over ``ramp_s`` seconds."""
        for each in KINDS if kind is None else (kind,):
            if each in PHYSICAL:
                self.inject(position, each, 0.0, ramp_s)
            for channel in self.sensor_faults.channels(position, each):
                length = round(ramp_s * self.rate_hz)
                self.sensor_faults.set(position, each, channel, 0.0, length, self.sample)

    def fault_signals(self, position: int, kind: str) -> list[str]:
        """The channels that a fault of a turbine moves."""
        names, moved = self.turbine_type.channel_names, self.sensor_faults.channels(position, kind)
        return [names[each] for each in moved] or list(CATALOGUE[kind].signals(self.turbine_type))

    def severities(self, first: int, samples: int) -> Floats:
        """Severity by kind of ``KINDS``, as felt: (turbines, kinds, samples).

        The machine feels its faults once a second, a sensor its own at once.
        """
        numbers = np.arange(first, first + samples)
        seconds, where = np.unique(numbers // self.rate_hz, return_inverse=True)
        felt = np.stack([self.ramps.at(int(s) * self.rate_hz) for s in seconds], axis=2)[
            :, :, where
        ]
        out = np.zeros((len(self.indices), len(KINDS), samples))
        for row, kind in enumerate(KINDS):
            if kind in PHYSICAL:
                out[:, row] = felt[:, PHYSICAL.index(kind)]
            else:
                out[:, row] = self.sensor_faults.severity(
                    len(self.indices), kind, numbers.astype(float)
                )
        return out

    def control(self, position: int, action: str, value: float | None = None) -> str:
        """Act on a command; what it refuses, and why, or nothing."""
        refused = refusal(action, value)
        if refused:
            return refused
        state = self.turbines.state[position : position + 1]
        if action in ("stop", "start"):
            state["hold"] = 1.0 if action == "stop" else 0.0
        elif action == "reset":
            if state["mode"][0] not in (TRIPPED, WAITING) and state["trip"][0] > NO_TRIP:
                return "still coming to a stop: reset when it is tripped"
            state["trip"] = NO_TRIP
        elif action == "curtail":
            state["limit"] = value * 1e3 if value else NO_LIMIT_W
        else:
            state[action] = value
        return ""

    def report_numbers(self) -> Floats:
        """What turbines report, as numbers."""
        return np.column_stack([self.turbines.state[name] for name in _REPORTED])

    def reported(self, position: int, turbine: str) -> Reported:
        """What a turbine says of itself."""
        state = self.turbines.state[position]
        limit = float(state["limit"])
        return Reported(
            turbine=turbine,
            type=self.turbine_type.name,
            mode=Mode(int(state["mode"])).name.lower(),
            run=not state["hold"] > 0.0,
            trip=Trip(int(state["trip"])).name.lower(),
            power_limit_kw=0.0 if limit >= NO_LIMIT_W else limit / 1e3,
            yaw_offset_deg=float(state["yaw_offset"]),
            pitch_offset_deg=float(state["pitch_offset"]),
        )

    def change_wind(self, wind: Wind) -> None:
        """Go on in another wind."""
        self.conditions = conditions_of(wind, self.conditions)

    def observe(self) -> Observation:
        """How the turbines stand now."""
        made = self.turbines.state["energy_generator"]
        efficiency = np.array([each.parameters["efficiency"] for each in self.machines])
        return Observation(
            made * efficiency / 3.6e6,
            self.truth("rotor_speed"),
            self.truth("gearbox_oil"),
            tuple(mode.name.lower() for mode in self.modes()),
        )

    def trips(self) -> list[Trip]:
        """Why each machine tripped."""
        return [Trip(int(trip)) for trip in self.turbines.state["trip"]]

    def fork(self) -> "VariableSpeedFarm":
        """A copy that can be run on without touching this one."""
        other = copy.copy(self)
        other.turbines = self.turbines.copied()
        other.ramps = copy.deepcopy(self.ramps)
        other.sensor_faults = self._no_sensor_faults()
        other.sensor_faults.restore(self.sensor_faults.dump())
        other.air = replace(self.air, state=self.air.state.copy())
        return other

    def state(self) -> FarmState:
        """The farm as of now, which what comes later does not touch."""
        head = {
            "layout": _LAYOUT,
            "mean_wind": self.model.mean_wind,
            "seed": self.seed,
            "variation": self.variation,
            "indices": list(self.indices),
            "sample": self.sample,
            "conditions": msgspec.to_builtins(self.conditions),
            "sensor_faults": self.sensor_faults.dump(),
            "wakes": [self.wakes.first, self.wakes.spacing],
        }
        arrays = {name: getattr(self.turbines, name).copy() for name in ("state", *_ARRAYS)}
        arrays["wakes"], arrays["site"] = self.wakes.share, self.air.state
        return FarmState(head, {**arrays, "ramps": self.ramps.records.copy()})

    @classmethod
    def restored(cls, variable_speed: VariableSpeedType, state: FarmState) -> "VariableSpeedFarm":
        """A farm that goes on from a state. Raises ``ValueError``, ``KeyError``, ``TypeError``."""
        head, data = state.head, state.arrays
        if head["layout"] != _LAYOUT:
            raise ValueError("its state has other fields")
        farm = cls(
            prepare_model(variable_speed, head["mean_wind"]), head["seed"], head["indices"],
            msgspec.convert(head["conditions"], Conditions),
            wakes=WakeTable(data["wakes"], *head["wakes"]), variation=head.get("variation", 0.0),
        )  # fmt: skip
        farm.sample = int(head["sample"])
        farm.air = replace(farm.air, state=data["site"])
        farm.ramps = Ramps(data["ramps"].astype(RAMP))
        farm.sensor_faults.restore(head["sensor_faults"])
        farm.turbines = make_turbines(
            state=np.ascontiguousarray(data["state"]).astype(STATE),
            keys=farm.turbines.keys,
            **{name: np.ascontiguousarray(data[name]) for name in _ARRAYS},
        )
        return farm

    def _no_sensor_faults(self) -> SensorFaults:
        periods = self.model.arrays.sensors["period"]
        return SensorFaults(self.turbine_type.channels, periods, self._keys)

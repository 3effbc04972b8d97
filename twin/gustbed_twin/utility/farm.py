"""A farm of utility-scale machines, advanced together, block by block."""

import copy
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gustbed_twin.filters import Floats
from gustbed_twin.utility.faults import KINDS, channels_of
from gustbed_twin.utility.machine import Machine
from gustbed_twin.utility.overlay import SensorFaults
from gustbed_twin.utility.ramps import Ramps
from gustbed_twin.utility.records import (
    NODES,
    PHYSICAL,
    QUANTITIES,
    RUNNING,
    STATE,
    WAITING,
    Air,
    Mode,
    Trip,
    Turbines,
    WakeTable,
    make_turbines,
)
from gustbed_twin.utility.site import (
    Conditions,
    SiteAir,
    advance_site,
    rotor_share,
    start_site,
    turbine_keys,
)
from gustbed_twin.utility.step import advance_block

NO_WAKES = WakeTable(np.zeros((0, 0, 0)))
NO_LIMIT_W = 1e12
LIMITS = {"curtail": (0.0, 1e6), "yaw_offset": (-45.0, 45.0), "pitch_offset": (-5.0, 30.0)}
"""Values that commands take: kW, degrees, degrees."""


class UtilityFarm:
    """Simulated turbines; ``indices`` are their numbers in the whole farm, from 0.

    ``exposure`` is a factor on the wind by turbine.
    """

    def __init__(
        self,
        machine: Machine,
        seed: int,
        indices: Sequence[int],
        conditions: Conditions,
        *,
        exposure: Floats | None = None,
        wakes: WakeTable = NO_WAKES,
        standing: bool = False,
    ) -> None:
        self.machine = machine
        self.seed = seed
        self.indices = tuple(indices)
        self.conditions = conditions
        self.sample = 0
        self.blind = False
        """Whether to leave the sensors out, for what-if."""
        count = len(self.indices)
        exposure = np.ones(count) if exposure is None else np.asarray(exposure, float)
        self.wakes = wakes._replace(share=np.ascontiguousarray(wakes.share))
        self.ramps = Ramps.none(count)
        self.air: SiteAir = start_site(seed, conditions, machine.rate_hz)
        self._keys = turbine_keys(seed, self.indices)
        self.overlay = self._no_sensor_faults()
        poles = np.zeros((count, len(self.air.filters.kept)))
        self.turbines = _start(machine, conditions, exposure, poles, self._keys, standing=standing)
        geometry = machine.kind.geometry
        self._hub_share = rotor_share(
            conditions.shear, geometry.swept_radius_m, geometry.hub_height_m
        )

    @property
    def rate_hz(self) -> int:
        """Samples per second."""
        return self.machine.rate_hz

    def advance(self, samples: int) -> Floats:
        """Run for ``samples`` samples: (turbines, channels, samples)."""
        self.air, site = advance_site(
            self.air, self.conditions, self.sample, samples, self.rate_hz, self._hub_share
        )
        model = self.machine.arrays
        if self.blind:
            model = model._replace(fast=model.fast[:0], slow=model.slow[:0])
        channels = 0 if self.blind else len(self.machine.channels)
        out = np.empty((len(self.indices), channels, samples))
        air = Air(site, self.air.filters.kept, self.air.filters.gain)
        advance_block(self.turbines, self.ramps.records, model, air, self.wakes, self.sample, out)
        if not self.blind:
            self.overlay.apply(out, self.sample)
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
        for name in channels_of(kind, signal):
            if name in self.machine.channels:
                channel = self.machine.channels.index(name)
                self.overlay.set(position, kind, channel, severity, length, self.sample)

    def clear(self, position: int, kind: str | None, ramp_s: float) -> None:
        """Mend one kind of fault, or all, over ``ramp_s`` seconds."""
        for each in KINDS if kind is None else (kind,):
            if each in PHYSICAL:
                self.inject(position, each, 0.0, ramp_s)
            for channel in self.overlay.channels(position, each):
                length = round(ramp_s * self.rate_hz)
                self.overlay.set(position, each, channel, 0.0, length, self.sample)

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
                out[:, row] = self.overlay.severity(len(self.indices), kind, numbers.astype(float))
        return out

    def control(self, position: int, action: str, value: float | None = None) -> str:
        """Act on a command; what it refuses, and why, or nothing."""
        state = self.turbines.state[position : position + 1]
        if action in ("stop", "start"):
            state["hold"] = 1.0 if action == "stop" else 0.0
        elif action == "reset":
            if state["mode"][0] not in (Mode.TRIPPED, Mode.WAITING) and state["trip"][0] > 0.0:
                return "still coming to a stop: reset when it is tripped"
            state["trip"] = 0.0
        elif value is None:
            return f"{action} needs a value"
        elif action not in LIMITS:
            return f"no command {action!r}"
        elif not LIMITS[action][0] <= value <= LIMITS[action][1]:
            return f"{action} {value:g} is not from {LIMITS[action][0]:g} to {LIMITS[action][1]:g}"
        elif action == "curtail":
            state["limit"] = value * 1e3 if value > 0.0 else NO_LIMIT_W
        else:
            state[action] = value
        return ""

    def trips(self) -> list[Trip]:
        """Why each machine tripped."""
        return [Trip(int(trip)) for trip in self.turbines.state["trip"]]

    def fork(self) -> "UtilityFarm":
        """A copy that can be run on without touching this one."""
        other = copy.copy(self)
        other.turbines = self.turbines.copied()
        other.ramps = copy.deepcopy(self.ramps)
        other.overlay = self._no_sensor_faults()
        other.overlay.restore(self.overlay.dump())
        other.air = replace(self.air, state=self.air.state.copy())
        return other

    def _no_sensor_faults(self) -> SensorFaults:
        kind, periods = self.machine.kind, self.machine.arrays.sensors["period"]
        return SensorFaults(kind.sensors, periods, self._keys)


def _start(
    machine: Machine, conditions: Conditions, exposure: Floats, poles: Floats,
    keys: NDArray[np.uint64], *, standing: bool,
) -> Turbines:  # fmt: skip
    count, p = len(exposure), machine.parameters
    wind = conditions.mean * exposure
    state = np.zeros(count, STATE)
    state["limit"] = NO_LIMIT_W
    state["reference"] = p["reference_speed"]
    state["wind_average"] = state["rotor_wind"] = wind
    state["nacelle"] = state["direction"] = conditions.direction % 360.0
    state["pitch"] = state["demand"] = p["pitch_max"]
    limits = machine.kind.limits
    runs = (wind >= limits.cut_in_ms) & (wind <= limits.cut_out_ms) & (not standing)
    state["mode"] = np.where(runs, RUNNING, WAITING)
    for row in np.flatnonzero(runs):
        speed, pitch, torque = operating_point(machine, float(wind[row]))
        gain = 1.0 / (1.0 + np.radians(pitch) / p["pitch_kk"])
        state["rotor"][row] = state["generator"][row] = speed
        state["filtered"][row] = speed * p["ratio"]
        state["pitch"][row] = state["demand"][row] = pitch
        state["integral"][row] = np.radians(pitch) / (gain * p["pitch_ki"])
        state["torque"][row] = torque
        state["twist"][row] = torque * p["ratio"] / p["stiffness"]
        state["power"][row] = torque * speed * p["ratio"] * p["efficiency"]
        ratio = speed * p["radius"] / wind[row]
        ct = machine.surface.at(machine.surface.ct, ratio, pitch)
        state["thrust"][row] = p["half_rho_area"] * wind[row] ** 2 * ct
    state["sway"] = state["thrust"] / p["tower_stiffness"]
    state["second_power"] = state["power"]
    load = state["power"] / (p["rated_power"] * p["efficiency"])
    speed_share = np.minimum(state["generator"] * p["ratio"] / p["reference_speed"], 1.0)
    degrees = np.empty((count, len(NODES)))
    for node, (nacelle, idle, loaded, _) in enumerate(machine.arrays.nodes):
        around = degrees[:, 0] if nacelle else conditions.ambient
        degrees[:, node] = around + idle * (0.3 + 0.7 * speed_share) + loaded * load
    quantities = np.zeros((count, len(QUANTITIES)))
    held = np.zeros((count, len(machine.channels)))
    return make_turbines(state, poles, degrees, quantities, held, np.ones(count), exposure, keys)


def operating_point(machine: Machine, wind: float) -> tuple[float, float, float]:
    """Near the steady rotor speed (rad/s), pitch (deg) and torque (N·m) at a wind."""
    p, surface = machine.parameters, machine.surface
    low = machine.kind.pitch_control.min_deg
    ratios = np.arange(3.0, 14.0, 0.25)
    best = float(ratios[np.argmax([surface.cp(ratio, low) for ratio in ratios])])
    fastest, slowest = p["reference_speed"] / p["ratio"], p["cut_in_speed"] / p["ratio"]
    speed = float(np.clip(best * wind / p["radius"], slowest, fastest))
    ratio = speed * p["radius"] / wind
    available = p["half_rho_area"] * wind**3
    if available * surface.cp(ratio, low) <= p["shaft_power"]:
        torque = max(available * surface.cp(ratio, low), 0.0) / (speed * p["ratio"])
        return speed, low, float(torque)
    pitches = np.linspace(low, 30.0, 301)
    powers = [available * surface.cp(ratio, pitch) for pitch in pitches]
    pitch = float(pitches[np.argmin(np.abs(np.array(powers) - p["shaft_power"]))])
    return speed, pitch, float(p["shaft_power"] / (speed * p["ratio"]))

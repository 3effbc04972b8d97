"""The loop over turbines and samples, compiled: wind in, sensor readings out."""

import math

import numpy as np

from gustbed_twin.compiled import compiled
from gustbed_twin.faults import sizes
from gustbed_twin.filters import Floats
from gustbed_twin.noise import normal
from gustbed_twin.records import (
    Air,
    ModelArrays,
    Parameters,
    Quantities,
    Records,
    Severities,
    SiteSample,
    State,
    Turbines,
    WakeTable,
)
from gustbed_twin.sensors.variable_speed import read_sensors
from gustbed_twin.turbine.dynamics import (
    aerodynamics,
    control_pitch,
    control_torque,
    sway_tower,
    turn_shaft,
)
from gustbed_twin.turbine.supervision import tick

RPM_PER_RAD_S = 30.0 / math.pi
TURBULENCE_CHANNEL = 1_000_003


@compiled
def severity_now(begin: int, length: int, start: float, target: float, now: int) -> float:
    """Severity of one fault at a sample, between its ramp's ends."""
    if now < begin:
        return start
    if length <= 0 or now >= begin + length:
        return target
    return start + (target - start) * ((now - begin) / length)


@compiled
def feel_faults(ramps: Records, severities: Floats, now: int) -> None:
    """Write the present severity of each of one turbine's faults."""
    for kind in range(ramps.shape[0]):
        ramp = ramps[kind]
        severities[kind] = severity_now(ramp.begin, ramp.length, ramp.start, ramp.target, now)


@compiled
def advance_machine(
    s: State, p: Parameters, shaft: Records, tower: Records, coefficients: Records, wind: float,
    severity: Severities, truth: Quantities,
) -> None:  # fmt: skip
    """One turbine, one step: ``wind`` (m/s) at the nacelle; writes the fast truths."""
    s.rotor_wind += p.rotor_gain * (wind - s.rotor_wind)
    felt = max(s.rotor_wind * s.facing, 0.0)
    torque = aerodynamics(s, p, coefficients, felt, severity.icing)
    control_torque(s, p, 1.0 - sizes.DIP_DEPTH * severity.grid_dip)
    pressure = min(
        (sizes.PRESSURE_BAR - sizes.LEAK_BAR * severity.hydraulic_leak) / sizes.PITCH_BAR, 1.0
    )
    able = (
        (1.0 - severity.pitch_stuck) * (1.0 - sizes.SLOWEST_PITCH * severity.pitch_slow) * pressure
    )
    control_pitch(s, p, able)
    wear = sizes.WEAR_FRICTION * severity.gearbox_bearing
    turn_shaft(s, p, shaft, torque, wear * p.shaft_power / p.rated_speed * p.ratio)
    acceleration = sway_tower(s, p, tower)
    s.power = p.efficiency * s.torque * s.generator * p.ratio
    s.second_power += (s.power - s.second_power) / p.rate
    swing = (
        sizes.IMBALANCE_SOUND
        + sizes.IMBALANCE_FAULT * severity.blade_imbalance
        + sizes.IMBALANCE_ICE * severity.icing
    )
    truth.wind_speed = wind
    truth.rotor_speed = s.rotor * RPM_PER_RAD_S
    truth.generator_speed = s.generator * p.ratio * RPM_PER_RAD_S
    truth.pitch = s.pitch
    truth.pitch_demand = s.demand
    truth.active_power = s.power * 1e-3
    truth.tower_acceleration = acceleration
    truth.side_acceleration = swing * s.rotor * s.rotor * math.sin(s.azimuth)
    truth.rotor_torque = torque


@compiled
def local_wind(
    shared: float, poles: Floats, kept: Floats, gain: Floats, key: np.uint64, now: int
) -> float:
    """A place's own turbulence, unit variance together with the site's share (``kaimal``)."""
    noise = normal(key, now, TURBULENCE_CHANNEL)
    total = shared
    for pole in range(kept.shape[0]):
        poles[pole] = kept[pole] * poles[pole] + gain[pole] * noise
        total += poles[pole]
    return float(total)


@compiled
def wake_at(wakes: WakeTable, turbine: int, direction: float, speed: float) -> float:
    """Share of the free wind that a turbine gets, bilinear in FLORIS's states."""
    share = wakes.share
    directions, speeds = share.shape[0], share.shape[1]
    x = (direction % 360.0) * (directions / 360.0)
    i = int(x) % directions
    u, j = x - math.floor(x), (i + 1) % directions
    y = min(max((speed - wakes.first) / wakes.spacing, 0.0), speeds - 1.0)
    k = min(int(y), speeds - 2) if speeds > 1 else 0
    v, after = y - k, min(k + 1, speeds - 1)
    low = share[i, k, turbine] * (1.0 - v) + share[i, after, turbine] * v
    high = share[j, k, turbine] * (1.0 - v) + share[j, after, turbine] * v
    return float(low * (1.0 - u) + high * u)


@compiled
def advance_turbine(
    turbines: Turbines, turbine: int, ramps: Records, model: ModelArrays, air: Air,
    wakes: WakeTable, first: int, out: Floats,
) -> None:  # fmt: skip
    """Advance one turbine by a block."""
    # Taken apart once: a tuple that goes into a function is copied at each call.
    p: Parameters = model.parameters[0]
    shaft, tower, coefficients = model.shaft, model.tower, model.coefficients
    sensors, fast, slow = model.sensors, model.fast, model.slow
    sites, kept, gain = air.samples, air.kept, air.gain
    rate, samples = int(p.rate), sites.shape[0]
    s: State = turbines.state[turbine]
    truth: Quantities = turbines.truth[turbine]
    quantities, held = turbines.quantities[turbine], turbines.held[turbine]
    severity: Severities = turbines.severity[turbine]
    severities, poles = turbines.severities[turbine], turbines.poles[turbine]
    key, exposure = turbines.keys[turbine], turbines.exposure[turbine]
    feel_faults(ramps, severities, first - first % rate)
    for sample in range(samples):
        now = first + sample
        second = now % rate == 0
        site: SiteSample = sites[sample]
        mean = site.mean * exposure
        if second:
            feel_faults(ramps, severities, now)
            if wakes.share.shape[0] > 0:
                turbines.shelter[turbine] = wake_at(wakes, turbine, site.direction, mean)
        turbulence = local_wind(site.shared, poles, kept, gain, key, now)
        sheltered = mean * turbines.shelter[turbine]
        wind = max(sheltered + site.spread * turbulence + site.gust, 0.0)
        if second:
            tick(s, p, model.nodes, turbines.degrees[turbine], truth, quantities, severity, site,
                 wind)  # fmt: skip
        advance_machine(s, p, shaft, tower, coefficients, wind, severity, truth)
        if second:
            truth.thrust_coefficient = s.thrust / (p.half_rho_area * max(wind * wind, 0.01))
            read_sensors(sensors, quantities, held, key, now, slow)
        read_sensors(sensors, quantities, held, key, now, fast)
        for channel in fast:
            out[channel, sample] = held[channel]
        if second or sample == 0:
            # What is read once a second is written once a second, until the next.
            until = min(samples, sample + rate - now % rate)
            for channel in slow:
                out[channel, sample:until] = held[channel]


@compiled
def advance_block(
    turbines: Turbines, ramps: Records, model: ModelArrays, air: Air, wakes: WakeTable,
    first: int, out: Floats,
) -> None:  # fmt: skip
    """Advance all turbines by a block; ``ramps`` is (turbines, ``PHYSICAL``)."""
    for turbine in range(turbines.state.shape[0]):
        advance_turbine(turbines, turbine, ramps[turbine], model, air, wakes, first, out[turbine])

"""The loop over turbines and samples, compiled: wind in, sensor readings out."""

import math
from typing import Any

import numpy as np

from gustbed_twin.utility.compiled import compiled
from gustbed_twin.utility.kernel import (
    DIP,
    DIP_DEPTH,
    ICING,
    IMBALANCE,
    LEAK,
    LEAK_BAR,
    PITCH_BAR,
    PRESSURE_BAR,
    SLOW,
    STUCK,
    WEAR,
    WEAR_FRICTION,
    aerodynamics,
    control_pitch,
    control_torque,
    sway_tower,
    turn_shaft,
)
from gustbed_twin.utility.supervision import severity_now, tick

IMBALANCE_SOUND, IMBALANCE_FAULT, IMBALANCE_ICE = 0.01, 0.25, 0.12
"""Side-side acceleration (m/s²) per rotor speed squared (rad²/s²)."""
TURBULENCE_CHANNEL = 1_000_003
_SPREAD = 1.0 / 37837.2
"""One over the standard deviation of the sum of four 16-bit numbers."""


@compiled
def normal(key: Any, count: int, channel: int) -> Any:
    """A nearly normal number within ±3.46, a function of key, count and channel alone."""
    z = key + np.uint64(count) * np.uint64(0x9E3779B97F4A7C15)
    z += np.uint64(channel) * np.uint64(0xD1342543DE82EF95)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    mask = np.uint64(0xFFFF)
    total = (z & mask) + ((z >> np.uint64(16)) & mask)
    total += ((z >> np.uint64(32)) & mask) + (z >> np.uint64(48))
    return (np.float64(total) - 131070.0) * _SPREAD


@compiled
def advance_one(
    s: Any, p: Any, shaft: Any, tower: Any, tables: Any, wind: float, severity: Any,
    truth: Any,
) -> None:  # fmt: skip
    """One turbine, one step: ``wind`` (m/s) at the nacelle; writes the fast truths."""
    s.rotor_wind += p.rotor_gain * (wind - s.rotor_wind)
    felt = max(s.rotor_wind * s.facing, 0.0)
    torque = aerodynamics(s, p, tables, felt, severity[ICING])
    voltage = 1.0 - DIP_DEPTH * severity[DIP]
    control_torque(s, p, voltage)
    pressure = min((PRESSURE_BAR - LEAK_BAR * severity[LEAK]) / PITCH_BAR, 1.0)
    able = (1.0 - severity[STUCK]) * (1.0 - 0.95 * severity[SLOW]) * pressure
    control_pitch(s, p, able)
    friction = WEAR_FRICTION * severity[WEAR] * p.t_power / p.t_rated * p.ratio
    turn_shaft(s, p, shaft, torque, friction)
    acceleration = sway_tower(s, p, tower)
    s.power = p.efficiency * s.torque * s.generator * p.ratio
    s.second_power += (s.power - s.second_power) / p.rate
    swing = (
        IMBALANCE_SOUND + IMBALANCE_FAULT * severity[IMBALANCE] + IMBALANCE_ICE * severity[ICING]
    )
    truth[0] = wind
    truth[4] = s.rotor * 9.549296585513721
    truth[5] = s.generator * p.ratio * 9.549296585513721
    truth[6] = s.pitch
    truth[7] = s.demand
    truth[8] = s.power * 1e-3
    truth[12] = acceleration
    truth[13] = swing * s.rotor * s.rotor * math.sin(s.azimuth)
    truth[19] = torque


@compiled
def read_sensors(
    of: Any, period: Any, figures: Any, truth: Any, held: Any, key: Any, now: int, which: Any
) -> None:
    """Read those of the sensors ``which`` that are due: noise, resolution, range."""
    for channel in which:
        if period[channel] > 1 and now % period[channel] != 0:
            continue
        value = truth[of[channel]]
        if figures[channel, 0] > 0.0:
            value += figures[channel, 0] * normal(key, now, channel)
        value = np.rint(value * figures[channel, 1]) / figures[channel, 1]
        held[channel] = min(max(value, figures[channel, 2]), figures[channel, 3])


@compiled
def local_wind(gust: Any, poles: Any, kept: Any, gain: Any, key: Any, now: int) -> Any:
    """A place's own turbulence, unit variance together with the site's share."""
    noise = normal(key, now, TURBULENCE_CHANNEL)
    total = gust
    for pole in range(kept.shape[0]):
        poles[pole] = kept[pole] * poles[pole] + gain[pole] * noise
        total += poles[pole]
    return total


@compiled
def wake_at(wakes: Any, axes: Any, turbine: int, direction: float, speed: float) -> Any:
    """Share of the free wind that a turbine gets, from the table (directions, speeds, turbines)."""
    directions, speeds = wakes.shape[0], wakes.shape[1]
    x = (direction % 360.0) * (directions / 360.0)
    i = int(x) % directions
    u, j = x - math.floor(x), (i + 1) % directions
    y = min(max((speed - axes[0]) / axes[1], 0.0), speeds - 1.0)
    k = min(int(y), speeds - 2) if speeds > 1 else 0
    v, after = y - k, min(k + 1, speeds - 1)
    low = wakes[i, k, turbine] * (1.0 - v) + wakes[i, after, turbine] * v
    high = wakes[j, k, turbine] * (1.0 - v) + wakes[j, after, turbine] * v
    return low * (1.0 - u) + high * u


@compiled
def run_block(
    state: Any, poles: Any, degrees: Any, truth: Any, held: Any, keys: Any, exposure: Any,
    shelter: Any, ramps: Any, times: Any, parameters: Any, shaft: Any, tower: Any, nodes: Any,
    tables: Any, of: Any, period: Any, figures: Any, fast: Any, slow: Any, kept: Any,
    gain: Any, site: Any, wakes: Any, axes: Any, first: int, out: Any,
) -> None:  # fmt: skip
    """Advance all turbines by a block; ``site`` is (mean, spread, shared, direction, ambient)."""
    p = parameters[0]
    rate = int(p.rate)
    samples, kinds = site.shape[1], ramps.shape[2]
    severity = np.zeros(kinds)
    for turbine in range(state.shape[0]):
        s = state[turbine]
        key = keys[turbine]
        for kind in range(kinds):
            severity[kind] = severity_now(
                times[turbine, 0, kind], times[turbine, 1, kind], ramps[turbine, 0, kind],
                ramps[turbine, 1, kind], first - first % rate,
            )  # fmt: skip
        for sample in range(samples):
            now = first + sample
            second = now % rate == 0
            mean = site[0, sample] * exposure[turbine]
            if second:
                for kind in range(kinds):
                    severity[kind] = severity_now(
                        times[turbine, 0, kind], times[turbine, 1, kind],
                        ramps[turbine, 0, kind], ramps[turbine, 1, kind], now,
                    )  # fmt: skip
                if wakes.shape[0] > 0:
                    shelter[turbine] = wake_at(wakes, axes, turbine, site[3, sample], mean)
            gust = local_wind(site[2, sample], poles[turbine], kept, gain, key, now)
            wind = max(mean * shelter[turbine] + site[1, sample] * gust + site[5, sample], 0.0)
            if second:
                tick(s, p, nodes, degrees[turbine], truth[turbine], severity, site[4, sample],
                     wind, site[3, sample])  # fmt: skip
            advance_one(s, p, shaft, tower, tables, wind, severity, truth[turbine])
            if second:
                truth[turbine, 18] = s.thrust / (p.area_density * max(wind * wind, 0.01))
                read_sensors(of, period, figures, truth[turbine], held[turbine], key, now, slow)
            read_sensors(of, period, figures, truth[turbine], held[turbine], key, now, fast)
            for channel in fast:
                out[turbine, channel, sample] = held[turbine, channel]
            if second or sample == 0:
                # What is read once a second is written once a second, until the next.
                until = min(samples, sample + rate - now % rate)
                for channel in slow:
                    out[turbine, channel, sample:until] = held[turbine, channel]

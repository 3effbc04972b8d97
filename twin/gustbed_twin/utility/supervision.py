"""What a machine decides once a second, compiled: start, stop, trip, yaw; and how warm it gets."""

import math
from typing import Any

from gustbed_twin.utility.compiled import compiled
from gustbed_twin.utility.kernel import (
    BEARING,
    CONVERTER,
    DIP,
    DIP_DEPTH,
    LEAK,
    LEAK_BAR,
    MISALIGNED,
    MISALIGNED_DEG,
    PRESSURE_BAR,
    RUNNING,
    STARTING,
    STOPPED,
    STOPPING,
    TRIPPED,
    WAITING,
    WEAR,
    WINDING,
)

CALM_MARGIN, STORM_MARGIN = 0.05, 0.01
"""How far (m/s) the averaged wind passes cut-in and cut-out before the machine stops."""
YAW_DONE_DEG = 0.5
BEARING_K, OIL_K, WINDING_K, HYDRAULIC_K = 40.0, 12.0, 60.0, 25.0
"""What faults of severity 1 add at full load or speed."""
VIBRATION, VIBRATION_LOAD, VIBRATION_WEAR, VIBRATION_BEARING = 0.6, 1.8, 6.0, 4.0
FIRST_NODE = 20
"""Where the temperatures begin among the truths."""


@compiled
def wrapped(angle: float) -> Any:
    """An angle in degrees from -180 to 180."""
    return (angle + 180.0) % 360.0 - 180.0


@compiled
def severity_now(begin: Any, length: Any, start: Any, target: Any, now: int) -> Any:
    """Severity of one fault at a sample, between its ramp's ends."""
    if now < begin:
        return start
    if length <= 0 or now >= begin + length:
        return target
    return start + (target - start) * ((now - begin) / length)


@compiled
def supervise(s: Any, p: Any, wind: float, severity: Any) -> None:
    """Trip, stop, start: the machine's states."""
    s.wind_average += p.wind_gain * (wind - s.wind_average)
    average = s.wind_average
    if s.trip == 0.0:
        if s.generator * p.ratio > p.overspeed:
            s.trip = 1.0
        elif severity[CONVERTER] > 0.5:
            s.trip = 2.0
        elif 1.0 - DIP_DEPTH * severity[DIP] < p.ride:
            s.trip = 3.0
    blocked = s.trip > 0.0 or s.hold > 0.0
    calm, storm = average < p.cut_in - CALM_MARGIN, average > p.cut_out + STORM_MARGIN
    if storm:
        s.high_wind = 1.0
    if s.mode == STARTING or s.mode == RUNNING:
        if blocked or calm or storm:
            s.mode = STOPPING
        elif s.mode == STARTING and s.generator * p.ratio >= p.t_cut_in:
            s.mode = RUNNING
    elif s.mode == STOPPING and s.generator * p.ratio < 0.3 * p.t_cut_in:
        s.mode = WAITING
    if s.mode == WAITING or s.mode >= STOPPED:
        s.mode = WAITING
        if s.trip > 0.0:
            s.mode = TRIPPED
        elif s.hold > 0.0:
            s.mode = STOPPED
        else:
            highest = p.restart if s.high_wind > 0.0 else p.cut_out
            if p.cut_in - 1e-9 <= average <= highest:
                s.mode = STARTING
                s.high_wind = 0.0


@compiled
def follow_wind(s: Any, p: Any, direction: float, severity: Any) -> Any:
    """Yaw slowly after the averaged vane; returns what the vane reads (deg)."""
    s.direction = direction
    vane = wrapped(direction - s.nacelle + MISALIGNED_DEG * severity[MISALIGNED])
    s.vane_average += p.yaw_gain * (vane - s.vane_average)
    error = s.vane_average - s.yaw_offset
    if abs(error) > p.yaw_band:
        s.yawing = 1.0
    if s.yawing > 0.0:
        error = vane - s.yaw_offset
        step = min(max(error, -p.yaw_rate), p.yaw_rate)
        s.nacelle = (s.nacelle + step) % 360.0
        s.vane_average -= step
        if abs(error) < YAW_DONE_DEG:
            s.yawing = 0.0
    s.facing = math.cos(math.radians(direction - s.nacelle))
    return vane


@compiled
def warm(s: Any, p: Any, nodes: Any, degrees: Any, ambient: float, severity: Any) -> None:
    """Temperatures (degC) move towards what load, speed and faults ask for."""
    load = max(s.second_power, 0.0) / (p.rated_w * p.efficiency)
    speed = s.generator * p.ratio / p.p_ref
    for node in range(nodes.shape[0]):
        around = degrees[0] if nodes[node, 0] > 0.0 else ambient
        rise = nodes[node, 1] * (0.3 + 0.7 * min(speed, 1.0)) + nodes[node, 2] * load
        if node == 2:
            rise += OIL_K * severity[WEAR] * speed
        elif node == 3:
            rise += BEARING_K * severity[WEAR] * speed
        elif node == 4:
            rise += BEARING_K * severity[BEARING] * speed
        elif node == 6:
            rise += WINDING_K * severity[WINDING] * load
        elif node == 9:
            rise += HYDRAULIC_K * severity[LEAK]
        degrees[node] += nodes[node, 3] * (around + rise - degrees[node])


@compiled
def tick(
    s: Any, p: Any, nodes: Any, degrees: Any, truth: Any, severity: Any, ambient: float,
    wind: float, direction: float,
) -> None:  # fmt: skip
    """Once a second: decide, yaw, warm up; write the slow truths."""
    supervise(s, p, wind, severity)
    vane = follow_wind(s, p, direction, severity)
    warm(s, p, nodes, degrees, ambient, severity)
    power = s.second_power
    voltage = p.volts * (1.0 - DIP_DEPTH * severity[DIP])
    load = max(power, 0.0) / (p.rated_w * p.efficiency)
    speed = s.generator * p.ratio / p.p_ref
    truth[1] = direction % 360.0
    truth[2] = vane
    truth[3] = s.nacelle
    truth[9] = power * p.tan_phi * 1e-3
    truth[10] = voltage
    truth[11] = power / p.cos_phi / (1.7320508075688772 * max(voltage, 1.0))
    truth[14] = speed * (
        VIBRATION
        + VIBRATION_LOAD * load
        + VIBRATION_WEAR * severity[WEAR]
        + VIBRATION_BEARING * severity[BEARING]
    )
    truth[15] = PRESSURE_BAR - LEAK_BAR * severity[LEAK]
    truth[16] = ambient
    truth[17] = s.mode
    for node in range(nodes.shape[0]):
        truth[FIRST_NODE + node] = degrees[node]

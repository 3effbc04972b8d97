"""What a machine decides once a second, compiled: start, stop, trip, yaw; and how warm it gets.

Gustbed's own: NREL/TP-500-38060 defines the limits (cut-in, cut-out, yaw rate) and no supervision.
Thermal, electrical and vibration figures are typical of machines of this size, not published.
"""

import math

from gustbed_twin.compiled import compiled
from gustbed_twin.faults import sizes
from gustbed_twin.filters import Floats
from gustbed_twin.records import (
    CONVERTER_TRIP,
    FIRST_NODE,
    GRID_TRIP,
    NO_TRIP,
    NODES,
    OVERSPEED_TRIP,
    RUNNING,
    STARTING,
    STOPPED,
    STOPPING,
    TRIPPED,
    WAITING,
    Parameters,
    Quantities,
    Records,
    Severities,
    SiteSample,
    State,
)

CALM_MARGIN, STORM_MARGIN = 0.05, 0.01
"""How far (m/s) the averaged wind passes cut-in and cut-out before the machine stops."""
YAW_DONE_DEG = 0.5
NACELLE = NODES.index("nacelle")
OIL, BEARING = NODES.index("gearbox_oil"), NODES.index("gearbox_bearing")
DRIVE_END, STATOR = NODES.index("generator_bearing_de"), NODES.index("generator_stator")
HYDRAULIC = NODES.index("hydraulic_oil")
SQRT_3 = math.sqrt(3.0)


@compiled
def wrapped(angle: float) -> float:
    """An angle in degrees from -180 to 180."""
    return (angle + 180.0) % 360.0 - 180.0


@compiled
def trip_if_needed(s: State, p: Parameters, severity: Severities) -> None:
    """Trip on overspeed, an open converter or a deep dip of the grid."""
    if s.trip != NO_TRIP:
        return
    if s.generator * p.ratio > p.overspeed:
        s.trip = OVERSPEED_TRIP
    elif severity.converter_trip > 0.5:
        s.trip = CONVERTER_TRIP
    elif 1.0 - sizes.DIP_DEPTH * severity.grid_dip < p.ride_through:
        s.trip = GRID_TRIP


@compiled
def supervise(s: State, p: Parameters, wind: float, severity: Severities) -> None:
    """Trip, stop, start: the machine's states."""
    s.wind_average += p.wind_gain * (wind - s.wind_average)
    average = s.wind_average
    trip_if_needed(s, p, severity)
    blocked = s.trip > NO_TRIP or s.hold > 0.0
    calm, storm = average < p.cut_in_wind - CALM_MARGIN, average > p.cut_out_wind + STORM_MARGIN
    if storm:
        s.high_wind = 1.0
    if s.mode == STARTING or s.mode == RUNNING:
        if blocked or calm or storm:
            s.mode = STOPPING
        elif s.mode == STARTING and s.generator * p.ratio >= p.cut_in_speed:
            s.mode = RUNNING
    elif s.mode == STOPPING and s.generator * p.ratio < 0.3 * p.cut_in_speed:
        s.mode = WAITING
    if s.mode == WAITING or s.mode >= STOPPED:
        s.mode = WAITING
        if s.trip > NO_TRIP:
            s.mode = TRIPPED
        elif s.hold > 0.0:
            s.mode = STOPPED
        else:
            highest = p.restart_wind if s.high_wind > 0.0 else p.cut_out_wind
            if p.cut_in_wind - 1e-9 <= average <= highest:
                s.mode = STARTING
                s.high_wind = 0.0


@compiled
def follow_wind(s: State, p: Parameters, direction: float, misaligned: float) -> float:
    """Yaw slowly after the averaged vane; returns what the vane reads (deg)."""
    s.direction = direction
    vane = wrapped(direction - s.nacelle + sizes.MISALIGNED_DEG * misaligned)
    s.vane_average += p.vane_gain * (vane - s.vane_average)
    error = s.vane_average - s.yaw_offset
    if abs(error) > p.yaw_deadband:
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
def warm(
    nodes: Records, degrees: Floats, ambient: float, load: float, speed: float,
    severity: Severities,
) -> None:  # fmt: skip
    """Temperatures (degC) move towards what load, speed (shares) and faults ask for."""
    for number in range(nodes.shape[0]):
        node = nodes[number]
        around = degrees[NACELLE] if node.in_nacelle else ambient
        rise = node.idle * (0.3 + 0.7 * min(speed, 1.0)) + node.load * load
        if number == OIL:
            rise += sizes.OIL_K * severity.gearbox_bearing * speed
        elif number == BEARING:
            rise += sizes.BEARING_K * severity.gearbox_bearing * speed
        elif number == DRIVE_END:
            rise += sizes.BEARING_K * severity.generator_bearing * speed
        elif number == STATOR:
            rise += sizes.WINDING_K * severity.winding_overheating * load
        elif number == HYDRAULIC:
            rise += sizes.HYDRAULIC_K * severity.hydraulic_leak
        degrees[number] += node.gain * (around + rise - degrees[number])


@compiled
def tick(
    s: State, p: Parameters, nodes: Records, degrees: Floats, truth: Quantities,
    quantities: Floats, severity: Severities, site: SiteSample, wind: float,
) -> None:  # fmt: skip
    """Once a second: decide, yaw, warm up; write the slow truths."""
    supervise(s, p, wind, severity)
    vane = follow_wind(s, p, site.direction, severity.yaw_misalignment)
    power = s.second_power
    load = max(power, 0.0) / (p.rated_power * p.efficiency)
    speed = s.generator * p.ratio / p.reference_speed
    warm(nodes, degrees, site.ambient, load, speed, severity)
    voltage = p.line_voltage * (1.0 - sizes.DIP_DEPTH * severity.grid_dip)
    truth.wind_direction = site.direction % 360.0
    truth.vane = vane
    truth.nacelle_direction = s.nacelle
    truth.reactive_power = power * p.tan_phi * 1e-3
    truth.voltage = voltage
    truth.current = power / p.cos_phi / (SQRT_3 * max(voltage, 1.0))
    truth.vibration = speed * (
        sizes.VIBRATION
        + sizes.VIBRATION_LOAD * load
        + sizes.VIBRATION_WEAR * severity.gearbox_bearing
        + sizes.VIBRATION_BEARING * severity.generator_bearing
    )
    truth.hydraulic_pressure = sizes.PRESSURE_BAR - sizes.LEAK_BAR * severity.hydraulic_leak
    truth.ambient = site.ambient
    truth.mode = s.mode
    for node in range(nodes.shape[0]):
        quantities[FIRST_NODE + node] = degrees[node]

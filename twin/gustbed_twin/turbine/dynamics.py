"""The step of a variable-speed machine, compiled: aerodynamics, control, drivetrain, tower.

Every function works on one turbine's ``State`` and the type's ``Parameters``. Speeds in rad/s on
the low-speed shaft unless named otherwise, angles in degrees.

Source of the control and the drivetrain: Jonkman et al., Definition of a 5-MW Reference Wind
Turbine, NREL/TP-500-38060 (2009). What it does not define (start and stop, faults) is Gustbed's
own, with figures typical of machines of this size.
"""

import math

from gustbed_twin.compiled import compiled
from gustbed_twin.records import (
    NO_TRIP,
    RUNNING,
    STARTING,
    STOPPED,
    STOPPING,
    Parameters,
    Records,
    ShaftRow,
    State,
)

ICING_TORQUE, ICING_THRUST = 0.35, 0.1
"""Shares of torque and thrust that ice takes at severity 1."""
SPEED_UP = 1.5
"""How fast (rad/s², high-speed shaft) a start asks for more speed."""
START_AHEAD, START_KP, START_KI = 8.0, 1.0, 0.4
"""How far (rad/s) the speed asked for runs ahead; degrees per rad/s, and per second."""
AZIMUTH, TWIST, ROTOR, GENERATOR = range(4)
"""Rows of the drivetrain's step."""
SWAY, SWAY_SPEED = range(2)
"""Rows of the tower's step."""
TIP_SPEEDS_PER_UNIT, FIRST_PITCH_DEG = 4.0, -5.0
"""The grid of ``rotor_table``: rows per tip-speed ratio, pitch of the first column."""
HIGHEST_TIP_SPEED = 20.0


@compiled
def look_up(tables: Records, tip_speed: float, pitch: float) -> tuple[float, float]:
    """Torque and thrust coefficient, bilinear on the grid of ``rotor_table``."""
    x = min(max(tip_speed * TIP_SPEEDS_PER_UNIT, 0.0), tables.shape[0] - 1.001)
    y = min(max(pitch - FIRST_PITCH_DEG, 0.0), tables.shape[1] - 1.001)
    i, j = int(x), int(y)
    u, v = x - i, y - j
    a, b, c, d = (1.0 - u) * (1.0 - v), (1.0 - u) * v, u * (1.0 - v), u * v
    torque = a * tables[i, j].torque + b * tables[i, j + 1].torque
    torque += c * tables[i + 1, j].torque + d * tables[i + 1, j + 1].torque
    thrust = a * tables[i, j].thrust + b * tables[i, j + 1].thrust
    thrust += c * tables[i + 1, j].thrust + d * tables[i + 1, j + 1].thrust
    return torque, thrust


@compiled
def aerodynamics(s: State, p: Parameters, tables: Records, wind: float, ice: float) -> float:
    """Torque (N·m); leaves the thrust (N) in ``s``. ``wind`` is what the rotor feels.

    Quasi-steady: torque ½ρAR·Cq·v², thrust ½ρA·Ct·v², with coefficients of NREL/ROSCO's table,
    scaled to the steady states of NREL/turbine-models (``rotor_table``).
    """
    relative = max(wind - s.sway_speed, 0.1)
    tip = s.rotor * p.radius
    # Beyond the table's last tip-speed ratio the blades' speed, not the wind, sets the forces.
    relative = max(relative, tip / HIGHEST_TIP_SPEED)
    square = relative * relative
    lift, thrust = look_up(tables, tip / relative, s.pitch)
    s.thrust = p.half_rho_area * square * thrust * (1.0 - ICING_THRUST * ice)
    if lift > 0.0:
        lift *= 1.0 - ICING_TORQUE * ice
    return p.half_rho_area_radius * square * lift


@compiled
def wanted_torque(s: State, p: Parameters, voltage: float) -> float:
    """Generator torque (N·m, high-speed shaft) that the control asks for, regions 1 to 3.

    The baseline controller of NREL/TP-500-38060, with a limit of power and of voltage.
    """
    speed = s.filtered
    if s.mode != RUNNING and s.mode != STOPPING:
        return 0.0
    if speed <= p.cut_in_speed or s.trip > NO_TRIP:
        return 0.0
    slope = p.region25_slope * (speed - p.synchronous_speed)
    pitched = s.pitch - s.pitch_offset >= p.region3_pitch
    if speed >= p.rated_speed or (s.mode == RUNNING and pitched):
        torque = p.shaft_power / speed
    elif speed < p.region2_speed:
        torque = p.region15_slope * (speed - p.cut_in_speed)
    else:
        torque = max(p.region2_gain * speed * speed, slope)
    if pitched and speed < p.region2_speed:
        torque = min(torque, p.region15_slope * (speed - p.cut_in_speed))
    highest = min(s.limit / p.efficiency, 1.1 * p.shaft_power * voltage) / speed
    return min(torque, min(highest, p.max_torque))


@compiled
def control_torque(s: State, p: Parameters, voltage: float) -> None:
    """Move the generator's torque towards what is wanted, no faster than it may."""
    s.filtered += p.speed_filter_gain * (s.generator * p.ratio - s.filtered)
    wanted = wanted_torque(s, p, voltage)
    reach = p.torque_rate * p.dt
    s.torque += min(max(wanted - s.torque, -reach), reach)
    if s.trip > NO_TRIP:
        s.torque = 0.0


@compiled
def ask_running(s: State, p: Parameters) -> None:
    """PI with gain scheduling on the filtered speed: NREL/TP-500-38060, blade-pitch controller."""
    # The speed asked for rises slowly, lest a start in strong wind overshoots.
    s.reference = min(s.reference + SPEED_UP * p.dt, p.reference_speed)
    gain = 1.0 / (1.0 + math.radians(s.pitch) / p.pitch_kk)
    error = s.filtered - s.reference
    highest = math.radians(p.pitch_max) / (gain * p.pitch_ki)
    lowest = math.radians(p.pitch_min) / (gain * p.pitch_ki)
    s.integral = min(max(s.integral + error * p.dt, lowest), highest)
    asked = math.degrees(gain * (p.pitch_kp * error + p.pitch_ki * s.integral))
    s.demand = min(max(asked, p.pitch_min) + s.pitch_offset, p.pitch_max)


@compiled
def ask_starting(s: State, p: Parameters) -> None:
    """Out of feather as far as the rotor's acceleration allows; ends where running goes on.

    Gustbed's own: the report defines no start.
    """
    s.reference = min(s.reference + SPEED_UP * p.dt, s.filtered + START_AHEAD)
    error = s.filtered - s.reference
    # A slow rotor turns best at a pitch far from fine.
    lowest = p.pitch_min + p.pitch_start * (1.0 - min(s.filtered / p.cut_in_speed, 1.0))
    s.start = min(max(s.start + START_KI * error * p.dt, lowest), p.pitch_max)
    s.demand = min(max(s.start + START_KP * error, lowest), p.pitch_max)
    angle = math.radians(s.pitch)
    s.integral = angle * (1.0 + angle / p.pitch_kk) / p.pitch_ki


@compiled
def control_pitch(s: State, p: Parameters, able: float) -> None:
    """Move the pitch towards what the state asks for, no faster than it can. ``able``: 0 to 1."""
    rate = p.pitch_rate
    if s.mode == RUNNING:
        ask_running(s, p)
    elif s.mode == STARTING:
        ask_starting(s, p)
    else:
        s.reference, s.start, s.demand = s.filtered, p.pitch_max, p.pitch_max
        if s.trip == NO_TRIP:
            rate = p.pitch_stop_rate
    reach = rate * able * p.dt
    s.pitch += min(max(s.demand - s.pitch, -reach), reach)


@compiled
def after_step(
    row: ShaftRow, twist: float, rotor: float, generator: float, net: float, load: float
) -> float:
    """One quantity of the drivetrain after a step."""
    free = row.twist * twist + row.rotor * rotor + row.generator * generator
    return free + row.aerodynamic * net + row.load * load


@compiled
def turn_shaft(s: State, p: Parameters, shaft: Records, torque: float, friction: float) -> None:
    """One exact step of the two-mass drivetrain; keeps account of energy (J).

    Two inertias, a spring and a damper: NREL/TP-500-38060, drivetrain properties.
    """
    brake = 0.0
    if s.mode >= STOPPED or (s.mode == STOPPING and s.trip > NO_TRIP):
        brake = p.brake_torque
    held = (friction + brake) * min(max(s.rotor * 20.0, -1.0), 1.0)
    load = s.torque * p.ratio
    net = torque - held
    twist, rotor, generator = s.twist, s.rotor, s.generator
    turned = after_step(shaft[AZIMUTH], twist, rotor, generator, net, load)
    s.twist = after_step(shaft[TWIST], twist, rotor, generator, net, load)
    s.rotor = after_step(shaft[ROTOR], twist, rotor, generator, net, load)
    s.generator = after_step(shaft[GENERATOR], twist, rotor, generator, net, load)
    s.azimuth += turned
    if s.azimuth > 2.0 * math.pi:
        s.azimuth -= 2.0 * math.pi
    before, after = rotor - generator, s.rotor - s.generator
    s.energy_aero += torque * turned
    s.energy_generator += load * (turned - (s.twist - twist))
    s.energy_friction += held * turned
    slip = (before * before + before * after + after * after) / 3.0
    s.energy_damping += p.damping * slip * p.dt


@compiled
def sway_tower(s: State, p: Parameters, tower: Records) -> float:
    """One exact step of the tower's first fore-aft mode; returns its acceleration (m/s²).

    A mass, a spring and a damper: NREL/TP-500-38060, tower properties.
    """
    place, speed = s.sway, s.sway_speed
    row = tower[SWAY]
    s.sway = row.sway * place + row.speed * speed + row.thrust * s.thrust
    row = tower[SWAY_SPEED]
    s.sway_speed = row.sway * place + row.speed * speed + row.thrust * s.thrust
    return (s.sway_speed - speed) / p.dt

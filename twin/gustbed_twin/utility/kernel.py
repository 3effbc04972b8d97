"""The step of a utility-scale machine, compiled: aerodynamics, control, drivetrain, tower.

Every function works on one turbine's record ``s`` (``STATE``) and the type's record ``p``
(``PARAMETERS``). Speeds in rad/s on the low-speed shaft unless named otherwise, angles in degrees.
"""

import math
from typing import Any

import numpy as np

from gustbed_twin.utility.compiled import compiled

_NAMES = (
    "azimuth twist rotor generator pitch demand integral torque filtered wind_average "
    "rotor_wind sway sway_speed nacelle vane_average yawing hold trip limit yaw_offset "
    "pitch_offset high_wind mode energy_aero energy_generator energy_damping energy_friction "
    "thrust power second_power direction reference start facing"
)
STATE = np.dtype([(name, np.float64) for name in _NAMES.split()])
WAITING, STARTING, RUNNING, STOPPING, STOPPED, TRIPPED = 0.0, 1.0, 2.0, 3.0, 4.0, 5.0
WEAR, BEARING, WINDING, STUCK, SLOW, MISALIGNED, IMBALANCE, ICING = range(8)
LEAK, CONVERTER, DIP = range(8, 11)

MISALIGNED_DEG = 25.0
ICING_TORQUE, ICING_THRUST = 0.35, 0.1
WEAR_FRICTION = 0.0003
"""Friction of a worn bearing over rated torque."""
DIP_DEPTH = 0.95
SPEED_UP = 1.5
"""How fast (rad/s², high-speed shaft) a start asks for more speed."""
START_AHEAD, START_KP, START_KI = 8.0, 1.0, 0.4
"""How far (rad/s) the speed asked for runs ahead; degrees per rad/s, and per second."""
LEAK_BAR, PRESSURE_BAR, PITCH_BAR = 130.0, 200.0, 160.0
"""Below the last, the pitch slows down in proportion."""


@compiled
def look_up(tables: Any, tip_speed: float, pitch: float) -> Any:
    """Torque and thrust coefficient, bilinear on the grid of ``rotor_table``."""
    x = min(max(tip_speed * 4.0, 0.0), tables.shape[0] - 1.001)
    y = min(max(pitch + 5.0, 0.0), tables.shape[1] - 1.001)
    i, j = int(x), int(y)
    u, v = x - i, y - j
    a, b, c, d = (1.0 - u) * (1.0 - v), (1.0 - u) * v, u * (1.0 - v), u * v
    torque = a * tables[i, j, 0] + b * tables[i, j + 1, 0]
    torque += c * tables[i + 1, j, 0] + d * tables[i + 1, j + 1, 0]
    thrust = a * tables[i, j, 1] + b * tables[i, j + 1, 1]
    thrust += c * tables[i + 1, j, 1] + d * tables[i + 1, j + 1, 1]
    return torque, thrust


@compiled
def aerodynamics(s: Any, p: Any, tables: Any, wind: float, ice: float) -> Any:
    """Torque (N·m); leaves the thrust (N) in ``s``. ``wind`` is what the rotor feels."""
    relative = max(wind - s.sway_speed, 0.1)
    tip = s.rotor * p.radius
    # Beyond the table's last tip-speed ratio the blades' speed, not the wind, sets the forces.
    relative = max(relative, tip / 20.0)
    square = relative * relative
    lift, thrust = look_up(tables, tip / relative, s.pitch)
    s.thrust = p.area_density * square * thrust * (1.0 - ICING_THRUST * ice)
    if lift > 0.0:
        lift *= 1.0 - ICING_TORQUE * ice
    return p.torque_density * square * lift


@compiled
def wanted_torque(s: Any, p: Any, voltage: float) -> Any:
    """Generator torque (N·m, high-speed shaft) that the control asks for, regions 1 to 3."""
    speed = s.filtered
    if s.mode != RUNNING and s.mode != STOPPING:
        return 0.0
    if speed <= p.t_cut_in or s.trip > 0.0:
        return 0.0
    slope = p.t_slope25 * (speed - p.t_sync)
    if speed >= p.t_rated or (s.mode == RUNNING and s.pitch - s.pitch_offset >= p.t_pitch3):
        torque = p.t_power / speed
    elif speed < p.t_region2:
        torque = p.t_slope15 * (speed - p.t_cut_in)
    else:
        torque = max(p.t_gain * speed * speed, slope)
    if s.pitch - s.pitch_offset >= p.t_pitch3 and speed < p.t_region2:
        torque = min(torque, p.t_slope15 * (speed - p.t_cut_in))
    highest = min(s.limit / p.efficiency, 1.1 * p.t_power * voltage) / speed
    return min(torque, min(highest, p.t_max))


@compiled
def control_torque(s: Any, p: Any, voltage: float) -> None:
    """Move the generator's torque towards what is wanted, no faster than it may."""
    s.filtered += p.filter_gain * (s.generator * p.ratio - s.filtered)
    wanted = wanted_torque(s, p, voltage)
    reach = p.t_rate * p.dt
    s.torque += min(max(wanted - s.torque, -reach), reach)
    if s.trip > 0.0:
        s.torque = 0.0


@compiled
def ask_running(s: Any, p: Any) -> None:
    """PI with gain scheduling on the filtered speed."""
    # The speed asked for rises slowly, lest a start in strong wind overshoots.
    s.reference = min(s.reference + SPEED_UP * p.dt, p.p_ref)
    gain = 1.0 / (1.0 + math.radians(s.pitch) / p.p_kk)
    error = s.filtered - s.reference
    highest = math.radians(p.p_max) / (gain * p.p_ki)
    lowest = math.radians(p.p_min) / (gain * p.p_ki)
    s.integral = min(max(s.integral + error * p.dt, lowest), highest)
    asked = math.degrees(gain * (p.p_kp * error + p.p_ki * s.integral))
    s.demand = min(max(asked, p.p_min) + s.pitch_offset, p.p_max)


@compiled
def ask_starting(s: Any, p: Any) -> None:
    """Out of feather as far as the rotor's acceleration allows; ends where running goes on."""
    s.reference = min(s.reference + SPEED_UP * p.dt, s.filtered + START_AHEAD)
    error = s.filtered - s.reference
    # A slow rotor turns best at a pitch far from fine.
    lowest = p.p_min + p.p_start * (1.0 - min(s.filtered / p.t_cut_in, 1.0))
    s.start = min(max(s.start + START_KI * error * p.dt, lowest), p.p_max)
    s.demand = min(max(s.start + START_KP * error, lowest), p.p_max)
    angle = math.radians(s.pitch)
    s.integral = angle * (1.0 + angle / p.p_kk) / p.p_ki


@compiled
def control_pitch(s: Any, p: Any, able: float) -> None:
    """Move the pitch towards what the state asks for, no faster than it can. ``able``: 0 to 1."""
    rate = p.p_rate
    if s.mode == RUNNING:
        ask_running(s, p)
    elif s.mode == STARTING:
        ask_starting(s, p)
    else:
        s.reference, s.start, s.demand = s.filtered, p.p_max, p.p_max
        if s.trip == 0.0:
            rate = p.p_stop
    reach = rate * able * p.dt
    s.pitch += min(max(s.demand - s.pitch, -reach), reach)


@compiled
def row(
    m: Any, i: int, twist: float, rotor: float, generator: float, net: float, load: float
) -> Any:
    """One row of the shaft's step."""
    free = m[i, 1] * twist + m[i, 2] * rotor + m[i, 3] * generator
    return free + m[i, 4] * net + m[i, 5] * load


@compiled
def turn_shaft(s: Any, p: Any, m: Any, torque: float, friction: float) -> None:
    """One exact step of the two-mass drivetrain; keeps account of energy (J)."""
    brake = 0.0
    if s.mode >= STOPPED or (s.mode == STOPPING and s.trip > 0.0):
        brake = p.brake
    held = (friction + brake) * min(max(s.rotor * 20.0, -1.0), 1.0)
    load = s.torque * p.ratio
    net = torque - held
    twist, rotor, generator = s.twist, s.rotor, s.generator
    turned = row(m, 0, twist, rotor, generator, net, load)
    s.twist = row(m, 1, twist, rotor, generator, net, load)
    s.rotor = row(m, 2, twist, rotor, generator, net, load)
    s.generator = row(m, 3, twist, rotor, generator, net, load)
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
def sway_tower(s: Any, p: Any, m: Any) -> Any:
    """One exact step of the tower's first mode; returns its acceleration (m/s²)."""
    place, speed = s.sway, s.sway_speed
    s.sway = m[0, 0] * place + m[0, 1] * speed + m[0, 2] * s.thrust
    s.sway_speed = m[1, 0] * place + m[1, 1] * speed + m[1, 2] * s.thrust
    return (s.sway_speed - speed) / p.dt

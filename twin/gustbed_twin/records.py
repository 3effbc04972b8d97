"""The named state of variable-speed machines: records that both Numba and mypy know by field.

A record is a class of annotated fields. ``dtype_of`` makes the structured dtype that arrays of it
have; a compiled function that takes one says so in its signature and reads fields by name.
"""

from enum import IntEnum
from typing import Any, NamedTuple, get_type_hints

import numpy as np
from numpy.typing import NDArray

from gustbed_twin.filters import Floats

Records = NDArray[np.void]
"""An array of one of the records below."""
Integers = NDArray[np.int64]
_SCALARS: dict[type, Any] = {float: np.float64, int: np.int64, bool: np.bool_}


def dtype_of(record: type) -> np.dtype[np.void]:
    """The structured dtype of a record class, its fields in their order."""
    hints = get_type_hints(record)
    return np.dtype([(name, _SCALARS[kind]) for name, kind in hints.items()], align=True)


class State:
    """One machine's changing state.

    Speeds are rad/s of the low-speed shaft (``filtered`` and ``reference``: of the high-speed
    shaft), angles deg (``azimuth`` and ``twist``: rad), torque N·m of the high-speed shaft,
    ``limit`` and powers W, energies J, ``thrust`` N, ``sway`` m and m/s. ``mode`` is a ``Mode``,
    ``trip`` a ``Trip``; ``yawing``, ``hold`` and ``high_wind`` are 1 for yes.
    """

    azimuth: float
    twist: float
    rotor: float
    generator: float
    pitch: float
    demand: float
    integral: float
    torque: float
    filtered: float
    wind_average: float
    rotor_wind: float
    sway: float
    sway_speed: float
    nacelle: float
    vane_average: float
    yawing: float
    hold: float
    trip: float
    limit: float
    yaw_offset: float
    pitch_offset: float
    high_wind: float
    mode: float
    energy_aero: float
    energy_generator: float
    energy_damping: float
    energy_friction: float
    thrust: float
    power: float
    second_power: float
    direction: float
    reference: float
    start: float
    facing: float


class Quantities:
    """What can be measured, before sensors read it; a channel's ``of`` is one of these fields.

    Speeds rpm, angles deg, powers kW and kvar, V, A, m/s², mm/s, bar; temperatures (degC) last.
    """

    wind_speed: float
    wind_direction: float
    vane: float
    nacelle_direction: float
    rotor_speed: float
    generator_speed: float
    pitch: float
    pitch_demand: float
    active_power: float
    reactive_power: float
    voltage: float
    current: float
    tower_acceleration: float
    side_acceleration: float
    vibration: float
    hydraulic_pressure: float
    ambient: float
    mode: float
    thrust_coefficient: float
    rotor_torque: float
    nacelle: float
    hub: float
    gearbox_oil: float
    gearbox_bearing: float
    generator_bearing_de: float
    generator_bearing_nde: float
    generator_stator: float
    converter: float
    transformer: float
    hydraulic_oil: float


class Severities:
    """Severity, 0 to 1, of each fault that acts on the machine itself."""

    gearbox_bearing: float
    generator_bearing: float
    winding_overheating: float
    pitch_stuck: float
    pitch_slow: float
    yaw_misalignment: float
    blade_imbalance: float
    icing: float
    hydraulic_leak: float
    converter_trip: float
    grid_dip: float


class Ramp:
    """One fault's severity over time: from ``start`` to ``target``; times in samples."""

    begin: int
    length: int
    start: float
    target: float


class Parameters:
    """A type's constants, made ready for the step.

    Speeds of the torque and pitch control are rad/s of the high-speed shaft, inertias and
    stiffness refer to the low-speed shaft, gains are shares per step (``vane_gain`` and
    ``wind_gain``: per second). ``half_rho_area`` is ½ρA, kg/m.
    """

    dt: float
    rate: float
    radius: float
    half_rho_area: float
    half_rho_area_radius: float
    rotor_inertia: float
    generator_inertia: float
    stiffness: float
    damping: float
    ratio: float
    efficiency: float
    brake_torque: float
    cut_in_speed: float
    region2_speed: float
    rated_speed: float
    synchronous_speed: float
    region15_slope: float
    region25_slope: float
    region2_gain: float
    shaft_power: float
    max_torque: float
    torque_rate: float
    region3_pitch: float
    speed_filter_gain: float
    reference_speed: float
    pitch_kp: float
    pitch_ki: float
    pitch_kk: float
    pitch_min: float
    pitch_max: float
    pitch_rate: float
    pitch_start: float
    pitch_stop_rate: float
    cut_in_wind: float
    cut_out_wind: float
    restart_wind: float
    rated_power: float
    overspeed: float
    yaw_deadband: float
    yaw_rate: float
    vane_gain: float
    wind_gain: float
    rotor_gain: float
    line_voltage: float
    tan_phi: float
    cos_phi: float
    ride_through: float
    tower_stiffness: float


class ShaftRow:
    """What one quantity of the drivetrain is after a step: its weights on all of them before."""

    azimuth: float
    twist: float
    rotor: float
    generator: float
    aerodynamic: float
    load: float


class TowerRow:
    """The same of the tower's first mode."""

    sway: float
    speed: float
    thrust: float


class Coefficients:
    """Torque and thrust coefficient at one tip-speed ratio and pitch."""

    torque: float
    thrust: float


class Node:
    """A part that warms up: K over what is around it, idle and added at full load; gain per s."""

    in_nacelle: bool
    idle: float
    load: float
    gain: float


class Sensor:
    """A channel: which quantity it reads, every how many steps, and how well.

    ``per_unit`` is one over the resolution; ``gain`` and ``offset`` are the sensor's own errors.
    """

    of: int
    period: int
    gain: float
    offset: float
    noise: float
    per_unit: float
    low: float
    high: float


class SiteSample:
    """The site's air at one sample: m/s (``shared`` turbulence: unit variance), deg, degC."""

    mean: float
    spread: float
    shared: float
    direction: float
    ambient: float
    gust: float


STATE, QUANTITY, SEVERITY = dtype_of(State), dtype_of(Quantities), dtype_of(Severities)
RAMP, PARAMETERS, NODE, SENSOR = map(dtype_of, (Ramp, Parameters, Node, Sensor))
SHAFT_ROW, TOWER_ROW = dtype_of(ShaftRow), dtype_of(TowerRow)
COEFFICIENTS, SITE_SAMPLE = dtype_of(Coefficients), dtype_of(SiteSample)

QUANTITIES: tuple[str, ...] = QUANTITY.names or ()
FIRST_NODE: int = QUANTITIES.index("nacelle")
NODES: tuple[str, ...] = QUANTITIES[FIRST_NODE:]
"""The parts whose temperature is followed."""
PHYSICAL: tuple[str, ...] = SEVERITY.names or ()
"""Faults that act on the machine itself."""


class Turbines(NamedTuple):
    """Everything of the turbines that the step reads and changes; first axis (turbines,).

    ``quantities`` and ``severities`` are ``truth`` and ``severity`` seen as plain numbers.
    """

    state: Records
    poles: Floats
    degrees: Floats
    truth: Records
    quantities: Floats
    held: Floats
    shelter: Floats
    severity: Records
    severities: Floats
    exposure: Floats
    keys: NDArray[np.uint64]

    def rows(self, which: slice) -> "Turbines":
        """Some of them, of which everything is shared."""
        return Turbines._make(part[which] for part in self)

    def copied(self) -> "Turbines":
        """The same, of which nothing is shared."""
        return make_turbines(
            self.state.copy(), self.poles.copy(), self.degrees.copy(), self.quantities.copy(),
            self.held.copy(), self.shelter.copy(), self.exposure.copy(), self.keys,
        )  # fmt: skip


class ModelArrays(NamedTuple):
    """A type made ready to compute with: one ``Parameters``, step matrices, tables, sensors.

    ``fast`` and ``slow`` are the channels read more often than once a second, and the others.
    ``coefficients`` is (tip-speed ratios, pitches).
    """

    parameters: Records
    shaft: Records
    tower: Records
    nodes: Records
    coefficients: Records
    sensors: Records
    fast: Integers
    slow: Integers


class Air(NamedTuple):
    """The site's samples of a block, and the filters of each place's own turbulence."""

    samples: Records
    kept: Floats
    gain: Floats


class WakeTable(NamedTuple):
    """``share`` of the free wind, (directions, speeds, turbines); first speed and spacing, m/s."""

    share: Floats
    first: float = 3.0
    spacing: float = 1.0


def make_turbines(
    state: Records, poles: Floats, degrees: Floats, quantities: Floats, held: Floats,
    shelter: Floats, exposure: Floats, keys: NDArray[np.uint64],
) -> Turbines:  # fmt: skip
    """Put arrays together; ``quantities`` is (turbines, ``QUANTITIES``)."""
    severities = np.zeros((len(state), len(PHYSICAL)))
    return Turbines(
        state, poles, degrees, quantities.view(QUANTITY)[:, 0], quantities, held, shelter,
        severities.view(SEVERITY)[:, 0], severities, exposure, keys,
    )  # fmt: skip


class Mode(IntEnum):
    """What the machine is doing."""

    WAITING = 0
    STARTING = 1
    RUNNING = 2
    STOPPING = 3
    STOPPED = 4
    TRIPPED = 5


class Trip(IntEnum):
    """Why a machine tripped; it stays so until reset."""

    NONE = 0
    OVERSPEED = 1
    CONVERTER = 2
    GRID = 3


WAITING, STARTING, RUNNING, STOPPING, STOPPED, TRIPPED = (float(mode) for mode in Mode)
NO_TRIP, OVERSPEED_TRIP, CONVERTER_TRIP, GRID_TRIP = (float(trip) for trip in Trip)

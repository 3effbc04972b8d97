"""The miniature turbine: rotor, generator, nacelle and gearbox, vectorised over turbines."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import msgspec
import numpy as np
from numpy.typing import NDArray

from gustbed_core import event_kinds
from gustbed_twin.faults import miniature as faults
from gustbed_twin.filters import Floats, accumulate, bounded, first_order, innovation, memory
from gustbed_twin.turbine.miniature_type import Machine
from gustbed_twin.turbine.variation import factors
from gustbed_twin.wind import miniature as wind

RIPPLE = 0.05
RIPPLE_PER_REVOLUTION = 6.0
VOLTAGE_NOISE = 1.0
VOLTAGE_NOISE_SHARE = 0.03

SWAY_ROLL_S, SWAY_PITCH_S = 0.8, 1.0
SWAY_ROLL_RAD, SWAY_PITCH_RAD = 0.006, 0.004
THRUST_PITCH_RAD = 0.0006
"""Nacelle leaning back per wind speed squared."""
IMBALANCE_RAD = 0.0012
"""Wobble at rotor frequency per rotor speed squared."""
ATTITUDE_NOISE_RAD = (0.008, 0.008, 0.006)
YAW_LAG_S = 20.0

ACCELERATION_NOISE_G = 0.008
IMBALANCE_G = 0.003
GEARBOX_S = 600.0
GEARBOX_IDLE_DEG, GEARBOX_DEG = 8.0, 4.0
"""Rise over ambient at rest, and what rotor speed squared adds."""

PLACE_WIND, PLACE_DIRECTION, SWAY_ROLL, SWAY_PITCH, HUNTING, DRAG = range(6)
_TIME_CONSTANTS_S = np.array(
    [
        wind.PLACE_TURBULENCE_S,
        wind.PLACE_DIRECTION_S,
        SWAY_ROLL_S,
        SWAY_PITCH_S,
        faults.HUNTING_S,
        faults.DRAG_BUILDUP_S,
    ]
)
PROCESSES = 5
"""Processes that noise drives; the last filter, the drag, follows the fault's severity."""
ATTITUDE, ACCELERATION = slice(5, 8), slice(8, 11)
VOLTAGE, THERMOMETER = 11, 12
NOISES = 13


@dataclass(frozen=True, slots=True)
class Machines:
    """The constants of every machine, as ``Machine`` has them; arrays (turbines,).

    ``anemometer`` is what its anemometer counts over the wind's own revolutions.
    """

    lift: Floats
    friction: Floats
    load: Floats
    inertia: Floats
    volts_per_rps: Floats
    anemometer: Floats


@dataclass(frozen=True, slots=True)
class Traits:
    """What makes each machine differ from the others; arrays (turbines,)."""

    machine: Machines
    exposure: Floats
    efficiency: Floats
    generator: Floats
    imbalance: Floats
    imbalance_phase: Floats
    mount_roll: Floats
    mount_pitch: Floats
    gust_delay: NDArray[np.int64]
    count_offset: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class State:
    """Everything that the next sample needs; arrays end in (turbines,).

    ``processes`` are the slow processes, ``rotor`` is rev/s, ``turns`` and ``wind_turns`` count
    revolutions, ``shake_turns`` periods of a loose nacelle; ``yaw`` rad, ``gearbox`` degC.
    """

    processes: Floats
    rotor: Floats
    turns: Floats
    wind_turns: Floats
    shake_turns: Floats
    yaw: Floats
    gearbox: Floats


@dataclass(frozen=True, slots=True)
class Truth:
    """What really happens, before sensors read it; arrays (samples, turbines) or (3, ...)."""

    wind: Floats
    rotor: Floats
    turns: Floats
    wind_turns: Floats
    voltage: Floats
    attitude: Floats
    acceleration: Floats
    gearbox: Floats


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What acts on the turbines during a block."""

    config: wind.WindConfig
    site: wind.SiteWindBlock
    ambient: Floats
    severity: Floats
    noise: Floats
    first: int
    rate_hz: int


def make_machines(
    machine: Machine, seed: int, indices: Sequence[int], variation: float
) -> Machines:
    """Machines of a type, each constant of each times a factor of its own in 1 ± ``variation``."""
    names = [field.name for field in fields(Machines)]
    drawn = np.array([factors(seed, index, variation, len(names)) for index in indices])
    usual = {**msgspec.structs.asdict(machine), "anemometer": 1.0}
    columns = drawn.reshape(-1, len(names)).T
    return Machines(**{name: usual[name] * row for name, row in zip(names, columns, strict=True)})


def make_traits(streams: Sequence[np.random.Generator], rate_hz: int, machine: Machines) -> Traits:
    """Draw each machine's own properties from its own stream."""
    drawn = np.array([stream.uniform(-1.0, 1.0, 9) for stream in streams]).reshape(-1, 9).T
    return Traits(
        machine=machine,
        exposure=1.0 + 0.02 * drawn[0],
        efficiency=1.0 + 0.01 * drawn[1],
        generator=1.0 + 0.01 * drawn[2],
        imbalance=IMBALANCE_RAD * (1.0 + 0.3 * drawn[3]),
        imbalance_phase=np.pi * drawn[4],
        mount_roll=-0.008 + 0.003 * drawn[5],
        mount_pitch=-0.0015 + 0.003 * drawn[6],
        gust_delay=_whole(0.5 * (1.0 + drawn[7]) * wind.GUST_TRAVEL_S * rate_hz),
        count_offset=_whole(0.5 * (1.0 + drawn[8]) * rate_hz) % rate_hz,
    )


def start_state(
    streams: Sequence[np.random.Generator],
    traits: Traits,
    config: wind.WindConfig,
    site: wind.SiteWind,
    ambient: float,
) -> tuple[State, Floats]:
    """A farm that has been turning for a while, and the wind that turned it."""
    drawn = np.array([stream.standard_normal(PROCESSES) for stream in streams])
    processes = np.zeros((len(_TIME_CONSTANTS_S), len(streams)))
    processes[:PROCESSES] = drawn.reshape(-1, PROCESSES).T
    block = wind.SiteWindBlock(
        site.state[0], site.heading + wind.SITE_DIRECTION_RAD * site.state[1], ()
    )
    speed = wind.wind_speed(config, block, processes[None, PLACE_WIND], traits.exposure, _ZERO)[0]
    rotor = settled_rotor(speed, traits.machine, traits.efficiency)
    none = np.zeros(len(streams))
    state = State(
        processes=processes,
        rotor=rotor,
        turns=none,
        wind_turns=none,
        shake_turns=none,
        yaw=block.direction + wind.PLACE_DIRECTION_RAD * processes[PLACE_DIRECTION],
        gearbox=ambient + GEARBOX_IDLE_DEG + GEARBOX_DEG * rotor * rotor,
    )
    return state, speed


def settled_rotor(speed: Floats, machine: Machines, efficiency: Floats) -> Floats:
    """Rotor rev/s at which the torques balance; 0 below cut-in."""
    drive = np.maximum(machine.lift * efficiency * speed * speed - machine.friction, 0.0)
    return drive / (speed + machine.load)


def advance(state: State, traits: Traits, around: Surroundings) -> tuple[State, Truth]:
    """Run all turbines through one block."""
    dt = 1.0 / around.rate_hz
    samples = around.noise.shape[1]
    rows = _processes(state, around, dt)
    gusts = wind.gust_shape(around.site.gusts, around.first, samples, traits.gust_delay)
    speed = wind.wind_speed(around.config, around.site, rows[:, PLACE_WIND], traits.exposure, gusts)
    left = faults.drive_left(rows[:, DRAG], rows[:, HUNTING])
    settled = settled_rotor(speed, traits.machine, traits.efficiency) * left
    rotor = spin(state.rotor, speed, settled, traits.machine, dt)
    turns = accumulate(state.turns, rotor * dt)
    wind_turns = accumulate(state.wind_turns, speed * dt)
    shake_turns = accumulate(state.shake_turns, faults.shake_frequency(rotor) * dt)
    slow = _yaw_and_gearbox(state, around, rows[:, PLACE_DIRECTION], rotor, dt)
    wobble = 2.0 * np.pi * (turns - np.floor(turns)) + traits.imbalance_phase
    shaken = faults.of_kind(around.severity, event_kinds.VIBRATION)
    truth = Truth(
        wind=speed,
        rotor=rotor,
        turns=turns,
        wind_turns=wind_turns,
        voltage=_voltage(rotor, turns, traits, around),
        attitude=_attitude(rows, speed, rotor, wobble, slow[:, 0], traits, around)
        + faults.shake(shaken, shake_turns, rotor, around.noise[ATTITUDE]),
        acceleration=_acceleration(rotor, wobble, shaken, around.noise[ACCELERATION]),
        gearbox=slow[:, 1],
    )
    after = State(
        processes=rows[-1].copy(),
        rotor=rotor[-1].copy(),
        turns=turns[-1].copy(),
        wind_turns=wind_turns[-1].copy(),
        shake_turns=shake_turns[-1].copy(),
        yaw=slow[-1, 0].copy(),
        gearbox=slow[-1, 1].copy(),
    )
    return after, truth


_ZERO = np.zeros(1)


def _whole(values: Floats) -> NDArray[np.int64]:
    return np.floor(values).astype(np.int64)


def _processes(state: State, around: Surroundings, dt: float) -> Floats:
    kept = memory(_TIME_CONSTANTS_S, dt)[:, None]
    samples, turbines = around.noise.shape[1:]
    inputs = np.empty((samples, len(_TIME_CONSTANTS_S), turbines))
    inputs[:, :PROCESSES] = around.noise[:PROCESSES].transpose(1, 0, 2)
    inputs[:, :PROCESSES] *= innovation(kept[:PROCESSES])
    inputs[:, DRAG] = faults.of_kind(around.severity, event_kinds.ROTATION) * (1.0 - kept[DRAG])
    return first_order(state.processes, kept, inputs)


def spin(rotor: Floats, speed: Floats, settled: Floats, machine: Machines, dt: float) -> Floats:
    """Rotor rev/s (samples, turbines) that follow what they would settle at, from ``rotor`` on."""
    gain = np.minimum(dt / machine.inertia * (speed + machine.load), 1.0)
    return first_order_varying(rotor, 1.0 - gain, gain * settled)


def first_order_varying(state: Floats, kept: Floats, inputs: Floats) -> Floats:
    """Like ``first_order``, with a memory that changes from sample to sample."""
    rows = np.empty(inputs.shape)
    current = state
    for row, keep, term in zip(rows, kept, inputs, strict=True):
        np.multiply(current, keep, out=row)
        row += term
        current = row
    return rows


def _yaw_and_gearbox(
    state: State, around: Surroundings, place_direction: Floats, rotor: Floats, dt: float
) -> Floats:
    kept = memory(np.array([YAW_LAG_S, GEARBOX_S]), dt)[:, None]
    inputs = np.empty((len(rotor), 2, rotor.shape[1]))
    inputs[:, 0] = around.site.direction[:, None] + wind.PLACE_DIRECTION_RAD * place_direction
    inputs[:, 1] = around.ambient[:, None] + GEARBOX_IDLE_DEG + GEARBOX_DEG * rotor * rotor
    inputs *= 1.0 - kept
    return first_order(np.stack((state.yaw, state.gearbox)), kept, inputs)


def _voltage(rotor: Floats, turns: Floats, traits: Traits, around: Surroundings) -> Floats:
    pulses = RIPPLE_PER_REVOLUTION * turns
    ripple = 1.0 + RIPPLE * np.sin(2.0 * np.pi * (pulses - np.floor(pulses)))
    steady = traits.machine.volts_per_rps * traits.generator * rotor
    noise = around.noise[VOLTAGE]
    left = faults.voltage_left(faults.of_kind(around.severity, event_kinds.VOLTAGE), noise)
    spread = VOLTAGE_NOISE + VOLTAGE_NOISE_SHARE * steady
    voltage: Floats = steady * ripple * left + spread * noise
    return voltage


def _attitude(
    rows: Floats,
    speed: Floats,
    rotor: Floats,
    wobble: Floats,
    yaw: Floats,
    traits: Traits,
    around: Surroundings,
) -> Floats:
    swing = traits.imbalance * bounded(rotor * rotor, 6.0)
    sway_roll = SWAY_ROLL_RAD * bounded(rows[:, SWAY_ROLL], 3.0)
    sway_pitch = SWAY_PITCH_RAD * bounded(rows[:, SWAY_PITCH], 3.0)
    angles = np.array(ATTITUDE_NOISE_RAD)[:, None, None] * around.noise[ATTITUDE]
    angles[0] += traits.mount_roll + sway_roll + swing * np.sin(wobble)
    lean = THRUST_PITCH_RAD * speed * speed
    angles[1] += traits.mount_pitch + lean + sway_pitch + swing * np.cos(wobble)
    angles[2] += yaw
    return angles


def _acceleration(rotor: Floats, wobble: Floats, shaken: Floats, noise: Floats) -> Floats:
    level = ACCELERATION_NOISE_G + faults.SHAKE_ACCELERATION_G * shaken
    movement = level * noise
    swing = IMBALANCE_G * rotor * rotor + faults.SHAKE_ACCELERATION_G * shaken
    movement[0] += swing * np.cos(wobble)
    movement[1] += swing * np.sin(wobble)
    return movement

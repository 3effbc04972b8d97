"""Fits a miniature: torque balance and generator, from counts of wind and rotor and the voltage.

The anemometer's gain cannot be told from the machine's constants: in counted wind w = g·v the
torque balance has the same form with lift/g, friction·g, load·g and inertia·g. So the gain is held
at the type's, and the constants are those of the wind as counted.
"""

from dataclasses import dataclass

import msgspec
import numpy as np

from gustbed_core.errors import GustbedError
from gustbed_twin.filters import Floats
from gustbed_twin.fitting.estimate import Parameter, Problem
from gustbed_twin.fitting.measured_wind import MeasuredWind, count_phase, measured_wind
from gustbed_twin.fitting.recorded import Recorded
from gustbed_twin.records import Integers
from gustbed_twin.sensors.miniature import PULSES_PER_REVOLUTION
from gustbed_twin.turbine import miniature as turbine
from gustbed_twin.turbine.miniature_type import QUANTITIES, Machine, MiniatureType

SEGMENT_S, BURN_IN_S = 60, 25
"""The twin forgets how it began within the burn-in, ten of its time constants."""
PART_S = 600
"""The wind's variability is taken for the same for so long."""
RPS_SPREAD = np.sqrt(2.0 / 12.0) / PULSES_PER_REVOLUTION
"""Standard deviation of a second's count."""
CHANNELS = ("rps", "voltage")
_ONE = np.ones(1)


@dataclass(frozen=True, slots=True)
class Seconds:
    """What was measured, second by second: ``rps`` and ``voltage`` (seconds,); the wind's are
    (seconds · rate,)."""

    wind: MeasuredWind
    rps: Floats
    voltage: Floats
    rate_hz: int


@dataclass(frozen=True, slots=True)
class Segments:
    """Minutes with the burn-in before them: ``speed`` and ``hidden`` (samples, segments), ``rps``
    and ``voltage`` (seconds without burn-in, segments)."""

    speed: Floats
    hidden: Floats
    rps: Floats
    voltage: Floats
    rate_hz: int

    @property
    def count(self) -> int:
        """How many there are."""
        return int(self.rps.shape[1])

    def some(self, rows: Integers) -> "Segments":
        """Those of them."""
        return Segments(
            self.speed[:, rows], self.hidden[:, rows], self.rps[:, rows], self.voltage[:, rows],
            self.rate_hz,
        )  # fmt: skip


def seconds_of(values: Floats, kind: MiniatureType, rate_hz: int) -> Seconds:
    """Readings (channels, samples) by the second in which they were counted.

    Raises ``GustbedError`` for a channel that is missing, or counts that never change.
    """
    rps, counted, volts = (row_of(values, kind, n) for n in ("rps", "wind_speed_rps", "voltage"))
    phase = count_phase(np.stack((rps, counted)), rate_hz)
    renewed = np.arange(phase, len(rps), rate_hz)
    seconds = len(renewed) - 1
    first = phase + 1
    wind = counted[renewed[1:]] / kind.correction("wind_speed_rps").gain
    means = volts[first : first + seconds * rate_hz].reshape(seconds, rate_hz).mean(axis=1)
    return Seconds(_wind(wind, rate_hz), rps[renewed[1:]], means, rate_hz)


def row_of(values: Floats, kind: MiniatureType, quantity: str) -> Floats:
    """The readings of a quantity. Raises ``GustbedError`` if the type does not measure it."""
    number = QUANTITIES.index(quantity)
    if number not in kind.rows:
        raise GustbedError(
            f"type {kind.turbine_type.name} measures no {quantity}", "fit a type that does"
        )
    row: Floats = values[kind.rows.index(number)]
    return row


def segments_of(recorded: list[Recorded], kind: MiniatureType) -> Segments:
    """Cut recordings. Raises ``GustbedError`` if they are too short or differ in their rate."""
    found: list[Segments] = []
    for each in recorded:
        rate = round(each.rate_hz)
        if each.values.shape[1] < (BURN_IN_S + SEGMENT_S + 2) * rate:
            raise GustbedError(
                f"{each.path}: shorter than {BURN_IN_S + SEGMENT_S + 2} s", "give a longer one"
            )
        found.append(cut(seconds_of(each.values, kind, rate)))
    if len({each.rate_hz for each in found}) > 1:
        raise GustbedError(
            f"--data: {recorded[0].path} and others differ in Hz", "fit one rate at a time"
        )
    return Segments(
        np.concatenate([each.speed for each in found], axis=1),
        np.concatenate([each.hidden for each in found], axis=1),
        np.concatenate([each.rps for each in found], axis=1),
        np.concatenate([each.voltage for each in found], axis=1),
        found[0].rate_hz,
    )


def _wind(counts: Floats, rate_hz: int) -> MeasuredWind:
    parts = np.array_split(counts, max(1, round(len(counts) / PART_S)))
    winds = [measured_wind(part, rate_hz) for part in parts]
    return MeasuredWind(
        np.concatenate([each.speed for each in winds]),
        np.concatenate([each.hidden for each in winds]),
    )


def cut(seconds: Seconds) -> Segments:
    """Minutes, one after the other, each with the burn-in before it."""
    rate = seconds.rate_hz
    starts = range(BURN_IN_S, len(seconds.rps) - SEGMENT_S + 1, SEGMENT_S)
    samples = [slice((s - BURN_IN_S) * rate, (s + SEGMENT_S) * rate) for s in starts]
    steps = [slice(s, s + SEGMENT_S) for s in starts]
    return Segments(
        np.stack([seconds.wind.speed[each] for each in samples], axis=1),
        np.stack([seconds.wind.hidden[each] for each in samples], axis=1),
        np.stack([seconds.rps[each] for each in steps], axis=1),
        np.stack([seconds.voltage[each] for each in steps], axis=1),
        rate,
    )


@dataclass(frozen=True, slots=True)
class Twin:
    """A miniature as it is fitted: constants, what its sensors do, how gusty the unseen wind is."""

    machine: Machine
    rps_gain: float
    volts_gain: float
    volts_offset: float
    hidden: float = 1.0


def twin_of(kind: MiniatureType) -> Twin:
    """The twin that a type's file describes."""
    volts = kind.correction("voltage")
    return Twin(kind.physics.machine, kind.correction("rps").gain, volts.gain, volts.offset)


def expected(twin: Twin, segments: Segments) -> Floats:
    """What a machine reads in that wind, second by second: (2, seconds, segments), ``CHANNELS``."""
    machine = twin.machine
    constants = {n: np.array([v]) for n, v in msgspec.structs.asdict(machine).items()}
    machines = turbine.Machines(**constants, anemometer=_ONE)
    speed = segments.speed
    # The drive goes by the wind's square, to which gusts between the counts add; nothing else does.
    gusty = np.sqrt(speed * speed + twin.hidden * segments.hidden)
    settled = turbine.settled_rotor(gusty, machines, _ONE)
    settled *= (gusty + machine.load) / (speed + machine.load)
    rotor = turbine.spin(settled[0], speed, settled, machines, 1.0 / segments.rate_hz)
    means = rotor.reshape(-1, segments.rate_hz, segments.count).mean(axis=1)[BURN_IN_S:]
    volts = twin.volts_gain * machine.volts_per_rps * means + twin.volts_offset
    return np.stack((twin.rps_gain * means, volts))


def minutes(twin: Twin, segments: Segments) -> tuple[Floats, Floats]:
    """Each minute's mean as measured and as expected: (2, segments) each, ``CHANNELS``.

    Here the voltage is what the rotor's measured speed makes one expect, so that a rotor which is
    too slow does not speak twice, nor a generator that is too weak for the rotor.
    """
    rps, _ = expected(twin, segments)
    turning = segments.rps.mean(axis=0) / twin.rps_gain
    volts = twin.volts_gain * twin.machine.volts_per_rps * turning + twin.volts_offset
    return measured(segments).mean(axis=1), np.stack((rps.mean(axis=0), volts))


def measured(segments: Segments) -> Floats:
    """What was measured, in the shape of ``expected``."""
    return np.stack((segments.rps, segments.voltage))


def problem_of(segments: Segments, kind: MiniatureType) -> Problem:
    """The fit of a type's constants and the voltage's zero to recordings."""
    usual = twin_of(kind)
    names = Machine.__struct_fields__
    parameters = (
        *(Parameter(name, max(getattr(usual.machine, name), 1e-3), 0.3) for name in names),
        Parameter("voltage offset", usual.volts_offset, 2.0, log=False),
        Parameter("hidden gusts", 1.0, 0.3, prior=0.3, nuisance=True),
    )
    # A volt's noise grows with it (``turbine.miniature``); a second has so many samples of it.
    level = segments.voltage
    noise = turbine.VOLTAGE_NOISE + turbine.VOLTAGE_NOISE_SHARE * np.abs(level)
    spread = np.stack((np.full(level.shape, RPS_SPREAD), noise / np.sqrt(segments.rate_hz)))

    def errors(at: Floats, rows: Integers) -> Floats:
        some = segments.some(rows)
        found: Floats = (measured(some) - expected(fitted_twin(usual, at), some)) / spread[
            :, :, rows
        ]
        return found

    return Problem(parameters, errors, segments.count)


def fitted_twin(usual: Twin, at: Floats) -> Twin:
    """The twin that a fit's parameters describe."""
    machine = Machine(*map(float, np.exp(at[:5])))
    return Twin(machine, usual.rps_gain, usual.volts_gain, float(at[5]), float(np.exp(at[6])))

"""What the firmware makes of the truth: held counts, ADC steps, the MPU6050's resolution."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gustbed_twin.filters import Floats
from gustbed_twin.turbine.miniature import THERMOMETER, State, Traits, Truth
from gustbed_twin.turbine.miniature_type import QUANTITIES, MiniatureType
from gustbed_twin.wind import weather

PULSES_PER_REVOLUTION = 16
ADC_MAX = 1023
QUATERNION_STEP = 1.0 / 16384
COUNTS_PER_G = 8192
"""The motion processor's scale; int16 spans +-4 g."""
INT16 = (-32768, 32767)
THERMOMETER_NOISE_DEG = 0.03


@dataclass(frozen=True, slots=True)
class Counters:
    """Pulses seen by the rotor's and the anemometer's light gates during the last two seconds.

    Shape (2, 2 * rate, turbines). The firmware prints the count of the last full second.
    """

    pulses: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Gauges:
    """What each sensor makes of the truth, gain times it plus offset; (quantities, turbines)."""

    gain: Floats
    offset: Floats


def make_gauges(miniature: MiniatureType, anemometer: Floats) -> Gauges:
    """The type's corrections; ``anemometer`` (turbines,) is each machine's own gain besides."""
    own = [miniature.correction(name) for name in QUANTITIES]
    gain = np.array([each.gain for each in own])[:, None] * np.ones(len(anemometer))
    offset = np.array([each.offset for each in own])[:, None] * np.ones(len(anemometer))
    gain[_WIND] = gain[_WIND] * anemometer
    return Gauges(gain, offset)


def start_counters(state: State, wind_speed: Floats, gauges: Gauges, rate_hz: int) -> Counters:
    """Counters of a farm that has been turning steadily."""
    past = np.arange(1 - 2 * rate_hz, 1)[:, None] / rate_hz
    turns = np.stack((state.turns + past * state.rotor, state.wind_turns + past * wind_speed))
    return Counters(_pulses(turns, gauges))


def read(
    counters: Counters,
    truth: Truth,
    traits: Traits,
    gauges: Gauges,
    readings: Floats,
    noise: Floats,
    first: int,
    rate_hz: int,
) -> tuple[Counters, Floats]:
    """Read one block: (turbines, channels, samples), in the order of ``QUANTITIES``.

    ``readings`` is the weather sensor's (4, samples), ``noise`` the block's normal numbers.
    """
    counters, speeds = _count(counters, truth, traits, gauges, first, rate_hz)
    samples, turbines = truth.rotor.shape
    out = np.empty((len(QUANTITIES), samples, turbines))
    out[_ROTOR], out[_WIND] = speeds
    out[_VOLTAGE] = np.clip(np.rint(_read(truth.voltage, gauges, _VOLTAGE)), 0, ADC_MAX)
    out[_QUATERNION] = quaternion(truth.attitude)
    pull = gravity(out[_QUATERNION])
    out[_GRAVITY] = np.round(pull, 4)
    counts = np.rint((pull + truth.acceleration) * COUNTS_PER_G)
    out[_ACCELERATION] = np.clip(counts, *INT16)
    warmth = truth.gearbox + THERMOMETER_NOISE_DEG * noise[THERMOMETER]
    out[_GEARBOX] = np.round(_read(warmth, gauges, _GEARBOX), 2)
    for row, values in zip(_WEATHER, readings, strict=True):
        out[row] = np.round(_read(values[:, None], gauges, row), 2)
    return counters, np.ascontiguousarray(out.transpose(2, 0, 1))


def quaternion(attitude: Floats) -> Floats:
    """Roll, pitch, yaw (z-y-x, rad) along the first axis to w, x, y, z in the sensor's steps."""
    cosine, sine = np.cos(0.5 * attitude), np.sin(0.5 * attitude)
    (cr, cp, cy), (sr, sp, sy) = cosine, sine
    exact = np.stack(
        (
            cr * cp * cy + sr * sp * sy,
            sr * cp * cy - cr * sp * sy,
            cr * sp * cy + sr * cp * sy,
            cr * cp * sy - sr * sp * cy,
        )
    )
    return np.rint(exact / QUATERNION_STEP) * QUATERNION_STEP


def gravity(q: Floats) -> Floats:
    """The gravity vector (g) in the nacelle's frame, from its quaternion."""
    w, x, y, z = q
    return np.stack((2 * (x * z - w * y), 2 * (w * x + y * z), w * w - x * x - y * y + z * z))


def _read(truth: Floats, gauges: Gauges, row: int) -> Floats:
    read: Floats = gauges.gain[row] * truth + gauges.offset[row]
    return read


def _pulses(turns: Floats, gauges: Gauges) -> Floats:
    gain = gauges.gain[[_ROTOR, _WIND]]
    return np.floor(turns * (gain * PULSES_PER_REVOLUTION)[:, None])


def _count(
    counters: Counters, truth: Truth, traits: Traits, gauges: Gauges, first: int, rate_hz: int
) -> tuple[Counters, Floats]:
    seen = _pulses(np.stack((truth.turns, truth.wind_turns)), gauges)
    pulses = np.concatenate((counters.pulses, seen), axis=1)
    samples = seen.shape[1]
    now = np.arange(first, first + samples)[:, None]
    held_for = (now - traits.count_offset) % rate_hz
    latest = (np.arange(samples)[:, None] + 2 * rate_hz - held_for)[None]
    counted = np.take_along_axis(pulses, latest, axis=1)
    counted = counted - np.take_along_axis(pulses, latest - rate_hz, axis=1)
    return Counters(pulses[:, -2 * rate_hz :].copy()), counted / PULSES_PER_REVOLUTION


def _rows(*names: str) -> list[int]:
    return [QUANTITIES.index(name) for name in names]


_ROTOR, _WIND = _rows("rps", "wind_speed_rps")
_VOLTAGE = QUANTITIES.index("voltage")
_QUATERNION = _rows("qw", "qx", "qy", "qz")
_GRAVITY = _rows("gx", "gy", "gz")
_ACCELERATION = _rows("ax", "ay", "az")
_GEARBOX = QUANTITIES.index("gearboxtemp")
_WEATHER = [0] * 4
_WEATHER[weather.AMBIENT] = QUANTITIES.index("ambtemp")
_WEATHER[weather.HUMIDITY] = QUANTITIES.index("humidity")
_WEATHER[weather.PRESSURE] = QUANTITIES.index("pressure")
_WEATHER[weather.GAS] = QUANTITIES.index("gas")

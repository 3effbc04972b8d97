"""Faults laid over signals that are already there, for turbines that play a recording."""

from dataclasses import dataclass, replace

import numpy as np

from gustbed_core import event_kinds
from gustbed_twin.faults import miniature as faults
from gustbed_twin.filters import Floats, accumulate, first_order, innovation, memory
from gustbed_twin.random_streams import SiteStream, site_stream
from gustbed_twin.sensors import miniature as sensors
from gustbed_twin.turbine.miniature_type import QUANTITIES

_ROTOR_LAG_S = 1.5
_RPS, _VOLTAGE = QUANTITIES.index("rps"), QUANTITIES.index("voltage")
_QUATERNION = slice(QUANTITIES.index("qw"), QUANTITIES.index("qz") + 1)
_GRAVITY = slice(QUANTITIES.index("gx"), QUANTITIES.index("gz") + 1)
_ACCELERATION = slice(QUANTITIES.index("ax"), QUANTITIES.index("az") + 1)
_STEP = 1.0 / sensors.PULSES_PER_REVOLUTION


@dataclass(frozen=True, slots=True)
class Overlay:
    """What lasts from block to block: arrays end in (turbines,).

    ``drive`` is the share of its speed that the rotor keeps, ``history`` its last two seconds.
    """

    shake_turns: Floats
    drag: Floats
    drive: Floats
    history: Floats
    stream: np.random.Generator


def start_overlay(seed: int, turbines: int, rate_hz: float) -> Overlay:
    """Nothing laid over yet."""
    return Overlay(
        np.zeros(turbines),
        np.zeros((2, turbines)),
        np.ones((1, turbines)),
        np.ones((2 * _whole_rate(rate_hz), turbines)),
        site_stream(seed, SiteStream.OVERLAY),
    )


def lay_over(
    overlay: Overlay, values: Floats, severity: Floats, first: int, rate_hz: float
) -> tuple[Overlay, Floats]:
    """Bend ``values`` (turbines, channels, samples) by ``severity`` (kinds, samples, turbines).

    ``first`` is the number of the first sample.
    """
    out = values.transpose(1, 2, 0).copy()
    noise = overlay.stream.standard_normal((5, *out.shape[1:]))
    dragged = faults.of_kind(severity, event_kinds.ROTATION)
    overlay = _rotation(overlay, out, dragged, noise[4], first, rate_hz)
    broken = faults.of_kind(severity, event_kinds.VOLTAGE)
    left = faults.voltage_left(broken, noise[3])
    out[_VOLTAGE] = np.clip(np.rint(out[_VOLTAGE] * left), 0, sensors.ADC_MAX)
    shaken = faults.of_kind(severity, event_kinds.VIBRATION)
    overlay = _vibration(overlay, out, shaken, noise[:3], rate_hz)
    return overlay, np.ascontiguousarray(out.transpose(2, 0, 1))


def _rotation(
    overlay: Overlay, out: Floats, severity: Floats, noise: Floats, first: int, rate_hz: float
) -> Overlay:
    dt = 1.0 / rate_hz
    kept = memory(np.array([faults.DRAG_BUILDUP_S, faults.HUNTING_S]), dt)[:, None]
    inputs = np.stack((severity * (1.0 - kept[0]), noise * innovation(kept[1])), axis=1)
    drag = first_order(overlay.drag, kept, inputs)
    lag = memory(_ROTOR_LAG_S, dt)
    left = faults.drive_left(drag[:, 0], drag[:, 1])
    drive = first_order(overlay.drive, lag, (left * (1.0 - lag))[:, None])
    touched = drag[:, 0] > 1e-3
    counted, history = _counted(overlay.history, drive[:, 0], first, rate_hz)
    slowed = np.rint(out[_RPS] * counted / _STEP) * _STEP
    out[_RPS] = np.where(touched, slowed, out[_RPS])
    out[_VOLTAGE] = np.where(touched, out[_VOLTAGE] * drive[:, 0], out[_VOLTAGE])
    return replace(overlay, drag=drag[-1].copy(), drive=drive[-1].copy(), history=history)


def _counted(history: Floats, drive: Floats, first: int, rate_hz: float) -> tuple[Floats, Floats]:
    """What a counter sees of the drive: the mean of the last full second, held for a second."""
    rate = _whole_rate(rate_hz)
    rows = np.concatenate((history, drive))
    means = np.cumsum(np.concatenate((np.zeros_like(rows[:1]), rows)), axis=0)
    samples = np.arange(len(drive))
    latest = samples + len(history) - (first + samples) % rate
    counted: Floats = (means[latest + 1] - means[latest + 1 - rate]) / rate
    return counted, rows[-len(history) :].copy()


def _whole_rate(rate_hz: float) -> int:
    return max(1, round(rate_hz))


def _vibration(
    overlay: Overlay, out: Floats, severity: Floats, noise: Floats, rate_hz: float
) -> Overlay:
    turns = accumulate(overlay.shake_turns, faults.shake_frequency(out[_RPS]) / rate_hz)
    angles = faults.shake(severity, turns, out[_RPS], noise)
    q = _product(out[_QUATERNION], sensors.quaternion(angles))
    q = np.rint(q / sensors.QUATERNION_STEP) * sensors.QUATERNION_STEP
    g = sensors.gravity(q)
    movement = g - out[_GRAVITY] + faults.SHAKE_ACCELERATION_G * severity * noise
    counts = np.clip(np.rint(out[_ACCELERATION] + movement * sensors.COUNTS_PER_G), *sensors.INT16)
    shaken = severity > 0.0
    for channels, bent in ((_QUATERNION, q), (_GRAVITY, np.round(g, 4)), (_ACCELERATION, counts)):
        out[channels] = np.where(shaken, bent, out[channels])
    return replace(overlay, shake_turns=turns[-1].copy())


def _product(a: Floats, b: Floats) -> Floats:
    """Hamilton product: first the rotation ``a``, then ``b`` in the turned frame."""
    w, x, y, z = a
    i, j, k, m = b
    return np.stack(
        (
            w * i - x * j - y * k - z * m,
            w * j + x * i + y * m - z * k,
            w * k - x * m + y * i + z * j,
            w * m + x * k - y * j + z * i,
        )
    )

"""Recordings as sensors of one machine would have written them: gains, offsets, mounting."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gustbed_core.signals import Schema
from gustbed_core.turbine_types import Individuals

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Sensing:
    """What sensors make of the truth: factors and offsets by channel, and a mounting, in degrees
    about two axes. ``noise`` is a standard deviation by channel.
    """

    gains: Mapping[str, float] = field(default_factory=dict)
    offsets: Mapping[str, float] = field(default_factory=dict)
    noise: Mapping[str, float] = field(default_factory=dict)
    tilt: tuple[float, float] = (0.0, 0.0)


def sensed(values: Floats, schema: Schema, sensing: Sensing, attitude: Sequence[str]) -> Floats:
    """A copy of channels (channels, samples) as such sensors would have written them; ``attitude``
    are the four that a mounting turns. Channels that the schema does not have are passed over.
    """
    read = values.copy()
    rows = {name: row for row, name in enumerate(schema.channel_names)}
    random = np.random.default_rng(values.shape[1])
    for name, sigma in sensing.noise.items():
        if name in rows:
            first, held = _readings(values[rows[name]])
            drawn = random.standard_normal(values.shape[1] // held + 2, np.float32)
            read[rows[name]] += sigma * np.repeat(drawn, held)[held - first :][: values.shape[1]]
    for name, factor in sensing.gains.items():
        if name in rows:
            read[rows[name]] *= np.float32(factor)
    for name, offset in sensing.offsets.items():
        if name in rows:
            read[rows[name]] += np.float32(offset)
    if any(sensing.tilt) and attitude and set(attitude) <= rows.keys():
        chosen = [rows[name] for name in attitude]
        about_x, about_y = (math.radians(angle) for angle in sensing.tilt)
        read[chosen] = tilted(read[chosen], about_x, about_y)
    return read


def _readings(values: Floats) -> tuple[int, int]:
    """Where a slow channel's second reading begins, and how long it holds each: in between it is no
    noisier.
    """
    changes = np.flatnonzero(np.diff(values)) + 1
    if len(changes) < 2:
        return 1, 1
    held = int(np.diff(changes).min())
    return int(changes[0]) % held or held, held


def as_individual(values: Floats, schema: Schema, how: Individuals, turbine: str) -> Floats:
    """Channels (channels, samples) read by a turbine's own sensors, the same each time that the
    turbine is named.
    """
    seed = hashlib.sha256(turbine.encode()).digest()[:8]
    random = np.random.default_rng(int.from_bytes(seed, "little"))
    gains = {n: 1.0 + random.uniform(-most, most) for n, most in sorted(how.gains.items())}
    offsets = {n: random.uniform(-most, most) for n, most in sorted(how.offsets.items())}
    noise = {n: random.uniform(0, most) for n, most in sorted(how.noise.items())}
    if how.tilt is None:
        return sensed(values, schema, Sensing(gains, offsets, noise), ())
    about_x, about_y = random.uniform(-how.tilt.degrees, how.tilt.degrees, 2).tolist()
    sensing = Sensing(gains, offsets, noise, tilt=(about_x, about_y))
    return sensed(values, schema, sensing, how.tilt.of)


def tilted(attitude: Floats, about_x: float, about_y: float) -> Floats:
    """Quaternions (4, n), scalar first, of a sensor that is mounted so many rad out of true."""
    a, b = np.cos(about_x / 2), np.sin(about_x / 2)
    c, d = np.cos(about_y / 2), np.sin(about_y / 2)
    # The product of both small turns, then the attitude times it.
    w, x, y, z = a * c, b * c, a * d, b * d
    q0, q1, q2, q3 = attitude.astype(np.float64)
    turned = np.stack([
        q0 * w - q1 * x - q2 * y - q3 * z,
        q0 * x + q1 * w + q2 * z - q3 * y,
        q0 * y - q1 * z + q2 * w + q3 * x,
        q0 * z + q1 * y - q2 * x + q3 * w,
    ])  # fmt: skip
    return turned.astype(np.float32)

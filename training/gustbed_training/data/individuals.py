"""Recordings as sensors of one machine would have written them: gains, offsets, mounting."""

import hashlib

import numpy as np
from numpy.typing import NDArray

from gustbed_core.signals import Schema
from gustbed_core.turbine_types import Individuals

Floats = NDArray[np.float32]


def as_individual(values: Floats, schema: Schema, how: Individuals, turbine: str) -> Floats:
    """Channels (channels, samples) read by a turbine's own sensors, the same each time that the
    turbine is named.
    """
    seed = hashlib.sha256(turbine.encode()).digest()[:8]
    random = np.random.default_rng(int.from_bytes(seed, "little"))
    read = values.copy()
    rows = {name: row for row, name in enumerate(schema.channel_names)}
    for name, share in sorted(how.gains.items()):
        factor = 1.0 + random.uniform(-share, share)
        if name in rows:
            read[rows[name]] *= np.float32(factor)
    for name, most in sorted(how.offsets.items()):
        offset = random.uniform(-most, most)
        if name in rows:
            read[rows[name]] += np.float32(offset)
    if how.tilt is not None and set(how.tilt.of) <= rows.keys():
        angles = np.radians(random.uniform(-how.tilt.degrees, how.tilt.degrees, 2))
        chosen = [rows[name] for name in how.tilt.of]
        read[chosen] = tilted(read[chosen], float(angles[0]), float(angles[1]))
    return read


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

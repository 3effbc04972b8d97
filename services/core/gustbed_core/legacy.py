"""The reference systems' wire record: 20 comma-separated fields, one sample, as text."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from gustbed_core.errors import PayloadError

FIELDS: tuple[str, ...] = (
    "millis",
    "freeMemory",
    "rps",
    "wind_speed_rps",
    "voltage",
    "qw",
    "qx",
    "qy",
    "qz",
    "gx",
    "gy",
    "gz",
    "ax",
    "ay",
    "az",
    "gearboxtemp",
    "ambtemp",
    "humidity",
    "pressure",
    "gas",
)
_INTEGERS = frozenset({"millis", "freeMemory", "voltage", "ax", "ay", "az"})
CHANNELS: tuple[str, ...] = FIELDS[2:]
"""The fields that are sensor channels, those of turbine type ``mini``."""


def format_record(millis: int, free_memory: int, sample: Mapping[str, float]) -> str:
    """Write one sample, given by channel name, as the firmware prints it: two decimals."""
    values = {"millis": millis, "freeMemory": free_memory, **sample}
    return ",".join(
        str(round(values[name])) if name in _INTEGERS else f"{values[name]:.2f}" for name in FIELDS
    )


def parse_record(text: str) -> tuple[int, NDArray[np.float64]]:
    """Return the device's uptime in milliseconds and the sample in the order of ``CHANNELS``.

    Raises ``PayloadError`` with reason ``wrong_fields``, ``malformed`` or ``non_finite``.
    """
    parts = text.strip().split(",")
    if len(parts) != len(FIELDS):
        raise PayloadError("wrong_fields", f"{len(parts)} fields, not {len(FIELDS)}")
    try:
        numbers = [float(part) for part in parts]
    except ValueError as error:
        raise PayloadError("malformed", str(error)) from error
    if not np.isfinite(numbers).all():
        raise PayloadError("non_finite", "NaN or infinity in the record")
    return int(numbers[0]), np.array(numbers[2:])


def sample_as_mapping(sample: NDArray[np.float64]) -> dict[str, float]:
    """Name the values of one sample that is in the order of ``CHANNELS``."""
    return dict(zip(CHANNELS, sample.tolist(), strict=True))

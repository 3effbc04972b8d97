"""What a verdict can accuse a turbine of, and what can be injected into a miniature."""

from enum import StrEnum


class Violation(StrEnum):
    """What a verdict accuses a turbine of."""

    VIBRATION = "vibration"
    ROTATION = "rotation"
    VOLTAGE = "voltage"
    THERMAL = "thermal"
    ELECTRICAL = "electrical"
    SENSOR = "sensor"


INJECTABLE: tuple[Violation, ...] = (
    Violation.VIBRATION,
    Violation.ROTATION,
    Violation.VOLTAGE,
)
"""The violations that a fault command can cause on every type: the reference systems' three."""

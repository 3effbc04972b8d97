"""Faults that can be injected and violations that can be found: the same three kinds."""

from enum import StrEnum


class Violation(StrEnum):
    """What a verdict accuses a turbine of, and what a fault command causes."""

    VIBRATION = "vibration"
    ROTATION = "rotation"
    VOLTAGE = "voltage"


FEATURES_OF: dict[Violation, tuple[str, ...]] = {
    Violation.VIBRATION: ("roll", "pitch", "yaw"),
    Violation.ROTATION: ("wind_speed_rps", "rps"),
    Violation.VOLTAGE: ("voltage",),
}
"""Which engineered features speak for which violation."""

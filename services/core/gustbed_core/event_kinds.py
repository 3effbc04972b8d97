"""What a verdict can accuse a turbine of.

A turbine type's file names its own kinds; these are those that Gustbed's own types use.
"""

EventKind = str
"""A name such as ``vibration``: lower-case letters, digits and ``_``."""

VIBRATION = "vibration"
ROTATION = "rotation"
VOLTAGE = "voltage"
THERMAL = "thermal"
ELECTRICAL = "electrical"
SENSOR = "sensor"
KNOWN: tuple[EventKind, ...] = (VIBRATION, ROTATION, VOLTAGE, THERMAL, ELECTRICAL, SENSOR)

INJECTABLE: tuple[EventKind, ...] = (VIBRATION, ROTATION, VOLTAGE)
"""Faults that a command can cause on every simulated type: the reference systems' three."""

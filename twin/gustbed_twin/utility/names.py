"""What can be measured, what can break, and the states of a utility-scale machine."""

from enum import IntEnum

TRUTHS: tuple[str, ...] = (
    "wind_speed",
    "wind_direction",
    "vane",
    "nacelle_direction",
    "rotor_speed",
    "generator_speed",
    "pitch",
    "pitch_demand",
    "active_power",
    "reactive_power",
    "voltage",
    "current",
    "tower_acceleration",
    "side_acceleration",
    "vibration",
    "hydraulic_pressure",
    "ambient",
    "mode",
    "thrust_coefficient",
    "rotor_torque",
    "nacelle",
    "hub",
    "gearbox_oil",
    "gearbox_bearing",
    "generator_bearing_de",
    "generator_bearing_nde",
    "generator_stator",
    "converter",
    "transformer",
    "hydraulic_oil",
)
"""Quantities that the physics knows; a sensor's ``of`` is one of them. Temperatures come last."""
TRUTH_INDEX: dict[str, int] = {name: index for index, name in enumerate(TRUTHS)}
NODES: tuple[str, ...] = TRUTHS[TRUTH_INDEX["nacelle"] :]

PHYSICAL: tuple[str, ...] = (
    "gearbox_bearing",
    "generator_bearing",
    "winding_overheating",
    "pitch_stuck",
    "pitch_slow",
    "yaw_misalignment",
    "blade_imbalance",
    "icing",
    "hydraulic_leak",
    "converter_trip",
    "grid_dip",
)
"""Faults that act on the machine itself."""


class Mode(IntEnum):
    """What the machine is doing."""

    WAITING = 0
    STARTING = 1
    RUNNING = 2
    STOPPING = 3
    STOPPED = 4
    TRIPPED = 5


class Trip(IntEnum):
    """Why a machine tripped; it stays so until reset."""

    NONE = 0
    OVERSPEED = 1
    CONVERTER = 2
    GRID = 3

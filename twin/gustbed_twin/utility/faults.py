"""Everything that can go wrong with a utility-scale machine: cause, and which signals move how."""

from dataclasses import dataclass

from gustbed_twin.utility.records import PHYSICAL


@dataclass(frozen=True, slots=True)
class FaultKind:
    """``signals`` maps each affected channel to +1 (rises), -1 (falls) or 0 (may change).

    ``any_signal``: it is a sensor's fault, on the channel that the fault names.
    """

    cause: str
    signals: dict[str, int]
    any_signal: bool = False


_STATORS = {f"generator_stator_{n}_temperature": 1 for n in (1, 2, 3)}
_WHOLE = dict.fromkeys(
    (
        "rotor_speed", "generator_speed", "pitch", "pitch_demand", "active_power",
        "reactive_power", "current_l1", "current_l2", "current_l3", "status",
        "tower_acceleration_fa", "tower_acceleration_ss", "drivetrain_vibration",
        "gearbox_oil_temperature", "gearbox_bearing_temperature",
        "generator_bearing_de_temperature", "generator_bearing_nde_temperature", *_STATORS,
        "converter_temperature", "transformer_temperature", "hydraulic_oil_temperature",
        "nacelle_temperature", "hub_temperature",
    ),
    0,
)  # fmt: skip
"""What follows when the rotor's power or speed changes."""
_CURRENTS = ("current_l1", "current_l2", "current_l3")
_VOLTAGES = ("voltage_l1", "voltage_l2", "voltage_l3")

CATALOGUE: dict[str, FaultKind] = {
    "gearbox_bearing": FaultKind(
        "a worn high-speed bearing rubs, heats and shakes",
        {
            "gearbox_bearing_temperature": 1,
            "gearbox_oil_temperature": 1,
            "drivetrain_vibration": 1,
        },
    ),
    "generator_bearing": FaultKind(
        "the drive-end bearing runs dry",
        {"generator_bearing_de_temperature": 1, "drivetrain_vibration": 1},
    ),
    "winding_overheating": FaultKind("cooling of the stator fails", _STATORS),
    "pitch_stuck": FaultKind("the pitch actuator jams", _WHOLE),
    "pitch_slow": FaultKind("the pitch actuator slows down", _WHOLE),
    "yaw_misalignment": FaultKind(
        "the vane has turned on its mast, so the rotor looks past the wind",
        {**_WHOLE, "active_power": -1, "nacelle_direction": 0, "wind_direction_relative": 0},
    ),
    "blade_imbalance": FaultKind(
        "a blade is heavier than the others", {"tower_acceleration_ss": 0}
    ),
    "icing": FaultKind("ice spoils the blades' lift and balance", {**_WHOLE, "active_power": -1}),
    "hydraulic_leak": FaultKind(
        "the hydraulic group loses oil: the pump runs, pressure falls, the pitch slows",
        {**_WHOLE, "hydraulic_pressure": -1, "hydraulic_oil_temperature": 1},
    ),
    "converter_trip": FaultKind(
        "the converter opens: no torque holds the rotor, so the machine trips",
        {
            **_WHOLE,
            **dict.fromkeys(("active_power", "rotor_speed", *_CURRENTS), -1),
            **dict.fromkeys(("pitch", "pitch_demand", "status"), 1),
        },
    ),
    "grid_dip": FaultKind(
        "the grid's voltage falls",
        {**_WHOLE, **dict.fromkeys(_VOLTAGES, -1), **dict.fromkeys(_CURRENTS, 1)},
    ),
    "sensor_stuck": FaultKind("a sensor repeats its last value", {}, any_signal=True),
    "sensor_drift": FaultKind("a sensor's zero wanders off", {}, any_signal=True),
    "sensor_dropout": FaultKind("a broken wire: the reading falls to its low end", {}, True),
    "sensor_replaced": FaultKind("a new sensor with another zero and gain", {}, True),
    "sensor_noise": FaultKind("a sensor picks up noise", {}, any_signal=True),
    "rotation": FaultKind(
        "the reference systems' injection: noise on the speeds",
        {"rotor_speed": 0, "generator_speed": 0},
    ),
    "voltage": FaultKind(
        "the reference systems' injection: noise on the voltages",
        dict.fromkeys(_VOLTAGES, 0),
    ),
    "vibration": FaultKind(
        "the reference systems' injection: noise on the accelerations",
        {"tower_acceleration_fa": 0, "tower_acceleration_ss": 0, "drivetrain_vibration": 0},
    ),
}
KINDS: tuple[str, ...] = tuple(CATALOGUE)
OVERLAID: tuple[str, ...] = tuple(kind for kind in KINDS if kind not in PHYSICAL)


def channels_of(kind: str, signal: str) -> tuple[str, ...]:
    """The channels that a fault moves."""
    return (signal,) if CATALOGUE[kind].any_signal else tuple(CATALOGUE[kind].signals)

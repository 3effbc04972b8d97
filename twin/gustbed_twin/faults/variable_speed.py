"""Everything that can go wrong with a variable-speed machine: cause, and what moves how."""

from gustbed_twin.faults.kinds import FaultKind

_WHOLE = dict.fromkeys(
    (
        "rotor_speed", "generator_speed", "pitch", "pitch_demand", "active_power",
        "reactive_power", "current", "mode", "tower_acceleration", "side_acceleration",
        "vibration", "gearbox_oil", "gearbox_bearing", "generator_bearing_de",
        "generator_bearing_nde", "generator_stator", "converter", "transformer", "hydraulic_oil",
        "nacelle", "hub",
    ),
    0,
)  # fmt: skip
"""What follows when the rotor's power or speed changes."""

CATALOGUE: dict[str, FaultKind] = {
    "gearbox_bearing": FaultKind(
        "a worn high-speed bearing rubs, heats and shakes",
        {
            "gearbox_bearing": 1,
            "gearbox_oil": 1,
            "vibration": 1,
        },
    ),
    "generator_bearing": FaultKind(
        "the drive-end bearing runs dry",
        {"generator_bearing_de": 1, "vibration": 1},
    ),
    "winding_overheating": FaultKind("cooling of the stator fails", {"generator_stator": 1}),
    "pitch_stuck": FaultKind("the pitch actuator jams", _WHOLE),
    "pitch_slow": FaultKind("the pitch actuator slows down", _WHOLE),
    "yaw_misalignment": FaultKind(
        "the vane has turned on its mast, so the rotor looks past the wind",
        {**_WHOLE, "active_power": -1, "nacelle_direction": 0, "vane": 0},
    ),
    "blade_imbalance": FaultKind("a blade is heavier than the others", {"side_acceleration": 0}),
    "icing": FaultKind("ice spoils the blades' lift and balance", {**_WHOLE, "active_power": -1}),
    "hydraulic_leak": FaultKind(
        "the hydraulic group loses oil: the pump runs, pressure falls, the pitch slows",
        {**_WHOLE, "hydraulic_pressure": -1, "hydraulic_oil": 1},
    ),
    "converter_trip": FaultKind(
        "the converter opens: no torque holds the rotor, so the machine trips",
        {
            **_WHOLE,
            **dict.fromkeys(("active_power", "rotor_speed", "current"), -1),
            **dict.fromkeys(("pitch", "pitch_demand", "mode"), 1),
        },
    ),
    "grid_dip": FaultKind(
        "the grid's voltage falls",
        {**_WHOLE, "voltage": -1, "current": 1},
    ),
    "sensor_stuck": FaultKind("a sensor repeats its last value", any_signal=True),
    "sensor_drift": FaultKind("a sensor's zero wanders off", any_signal=True),
    "sensor_dropout": FaultKind("a broken wire: the reading falls to its low end", any_signal=True),
    "sensor_replaced": FaultKind("a new sensor with another zero and gain", any_signal=True),
    "sensor_noise": FaultKind("a sensor picks up noise", any_signal=True),
    "rotation": FaultKind(
        "the reference systems' injection: noise on the speeds",
        {"rotor_speed": 0, "generator_speed": 0},
    ),
    "voltage": FaultKind(
        "the reference systems' injection: noise on the voltages",
        {"voltage": 0},
    ),
    "vibration": FaultKind(
        "the reference systems' injection: noise on the accelerations",
        {"tower_acceleration": 0, "side_acceleration": 0, "vibration": 0},
    ),
}
KINDS: tuple[str, ...] = tuple(CATALOGUE)

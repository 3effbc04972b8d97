"""The conditions that we measure ourselves: by the model of a type's physics."""

from gustbed_training.data.conditions import Condition
from gustbed_training.data.individuals import Sensing

MINIATURE: tuple[Condition, ...] = (
    Condition("unchanged"),
    Condition("lift +3 %", {"machine.lift": 1.03}),
    Condition("lift +5 %", {"machine.lift": 1.05}),
    Condition("lift +10 %", {"machine.lift": 1.1}),
    Condition("lift -10 %", {"machine.lift": 0.9}),
    Condition("volts per rev +5 %", {"machine.volts_per_rps": 1.05}),
    Condition("volts per rev +10 %", {"machine.volts_per_rps": 1.1}),
    Condition("volts per rev -10 %", {"machine.volts_per_rps": 0.9}),
    Condition("anemometer +5 %", sensing=Sensing({"wind_speed_rps": 1.05})),
    Condition("anemometer +10 %", sensing=Sensing({"wind_speed_rps": 1.1})),
    Condition("anemometer -10 %", sensing=Sensing({"wind_speed_rps": 0.9})),
    Condition("sensor tilted 2°", sensing=Sensing(tilt=(2.0, 0.0))),
    Condition("sensor tilted 5°", sensing=Sensing(tilt=(3.0, 4.0))),
    Condition("friction +20 %", {"machine.friction": 1.2}),
    Condition("load +20 %", {"machine.load": 1.2}),
    Condition("inertia +20 %", {"machine.inertia": 1.2}),
    Condition("inertia -20 %", {"machine.inertia": 0.8}),
    Condition(
        "everything up to 10 %",
        {"machine.lift": 0.93, "machine.friction": 1.09, "machine.load": 0.92,
         "machine.inertia": 1.1, "machine.volts_per_rps": 1.06},
        Sensing({"wind_speed_rps": 0.95}, tilt=(1.0, -2.0)),
    ),
    # With what the type's own is, half as much again: 1.12 of it, independent.
    Condition(
        "noise +50 %",
        sensing=Sensing(noise={"voltage": 3.0, "qx": 0.0045, "qy": 0.0045, "qz": 0.0034}),
    ),
    Condition("wind 4.5", wind=4.5),
    Condition("turbulence 0.03", turbulence=0.03),
    Condition("turbulence 0.35", turbulence=0.35),
)  # fmt: skip

_PHASES = ("voltage_l1", "voltage_l2", "voltage_l3")
_CURRENTS = ("current_l1", "current_l2", "current_l3")
VARIABLE_SPEED: tuple[Condition, ...] = (
    Condition("unchanged"),
    Condition("grid voltage +2 %", {"electrical.line_voltage_v": 1.02}),
    Condition("grid voltage +5 %", {"electrical.line_voltage_v": 1.05}),
    Condition("grid voltage -5 %", {"electrical.line_voltage_v": 0.95}),
    Condition("rotor inertia +15 %", {"rotor.inertia_kg_m2": 1.15}),
    Condition("ramps of 3 m/s in 10 minutes", ramps=3.0),
    Condition("air density -6 %", {"rotor.air_density_kg_m3": 0.94}),
    Condition(
        "warmer drivetrain +10 %",
        {"thermal.gearbox_oil.load_k": 1.1, "thermal.gearbox_bearing.load_k": 1.1,
         "thermal.generator_stator.load_k": 1.1},
    ),
    Condition("anemometer +5 %", sensing=Sensing({"wind_speed": 1.05})),
    Condition("vane off by 4°", sensing=Sensing(offsets={"wind_direction_relative": 4.0})),
    Condition("currents +2 %", sensing=Sensing(dict.fromkeys(_CURRENTS, 1.02))),
    Condition(
        "noise +40 %",
        sensing=Sensing(
            noise=dict.fromkeys(_PHASES, 0.8) | dict.fromkeys(_CURRENTS, 6.0)
            | {"wind_speed": 0.05, "generator_speed": 0.5, "active_power": 2.0,
               "tower_acceleration_fa": 0.01, "drivetrain_vibration": 0.05}
        ),
    ),
    Condition("voltages read +0.8 %", sensing=Sensing(dict.fromkeys(_PHASES, 1.008))),
)  # fmt: skip

CONDITIONS = {"miniature": MINIATURE, "variable_speed": VARIABLE_SPEED}

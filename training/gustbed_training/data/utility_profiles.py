"""What the NREL 5 MW turbine is trained and judged on.

Normal operation is more than running in steady wind: machines start and stop at low and at high
wind, are stopped, curtailed and turned by command, and meet gusts, ramps and turning wind.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np

from gustbed_protocol.settings import turbine_id
from gustbed_training.data.dataset import Role
from gustbed_training.data.schema_file import load_schema
from gustbed_training.data.twin import Profile, Run

TYPE = "nrel_5mw"
Weather = Literal["plain", "command", "calm", "storm"]
_WEATHERS: tuple[Weather, ...] = (
    "plain", "command", "calm", "plain", "storm", "command", "plain", "calm", "plain", "plain",
)  # fmt: skip
SEVERITIES = (0.5, 0.75, 1.0)
FAULT_S = 420.0
"""How long an injected fault lasts."""
WARM_UP_S = 300.0
_FAULT_RUN_H = 0.25
MACHINE_FAULTS = (
    "gearbox_bearing", "generator_bearing", "winding_overheating", "pitch_stuck", "pitch_slow",
    "yaw_misalignment", "blade_imbalance", "icing", "hydraulic_leak", "converter_trip",
    "grid_dip", "rotation", "voltage", "vibration",
)  # fmt: skip
SENSOR_FAULTS = (
    "sensor_stuck", "sensor_drift", "sensor_dropout", "sensor_replaced", "sensor_noise",
)  # fmt: skip
_Bounds = tuple[float, float]
_GOLDEN = 0.618034
"""Steps of the golden ratio spread winds evenly, however many runs there are."""


def default() -> Profile:
    """To train the shipped model on."""
    return Profile(
        TYPE,
        (
            *_normal("train", 1000, 20, 1.0, 2),
            *_normal("calibrate", 2000, 20, 1.0, 2),
            _faulty(3001, 11.0, 0.12, 15.0, SEVERITIES),
        ),
    )


def tiny() -> Profile:
    """Made in seconds, for tests."""
    return Profile(
        f"{TYPE}-tiny",
        (
            *_normal("train", 9000, 2, 0.1, 1),
            *_normal("calibrate", 9100, 2, 0.1, 1),
            _faulty(9200, 11.0, 0.1, 15.0, (1.0,), signals=("voltage_l1", "rotor_speed")),
        ),
    )


def evaluation() -> Profile:
    """Seeds and winds that no training sees."""
    return Profile(
        f"{TYPE}-evaluation",
        (
            *_normal("test", 5000, 20, 1.0, 3),
            _faulty(6001, 7.0, 0.10, 5.0, SEVERITIES),
            _faulty(6002, 10.5, 0.14, 25.0, SEVERITIES),
            _faulty(6003, 16.0, 0.08, -5.0, SEVERITIES),
        ),
    )


def _normal(role: Role, first_seed: int, runs: int, hours: float, turbines: int) -> Iterator[Run]:
    for number in range(runs):
        seed = first_seed + number
        weather = _WEATHERS[number % len(_WEATHERS)]
        random = np.random.default_rng(seed)
        scenario = _scenario(random, seed, weather, hours * 3600)
        wind = _mean_wind(random, weather, number)
        if weather == "command":
            scenario["commands"] = _commands(random, turbines, hours * 3600)
        turbulence = round(float(random.uniform(0.04, 0.2)), 3)
        yield Run(
            role, f"{weather}-{seed}", turbines, hours, seed, wind, turbulence, (), TYPE, scenario
        )


def _mean_wind(random: np.random.Generator, weather: Weather, number: int) -> float:
    low, high = {"calm": (2.4, 4.2), "storm": (19.0, 24.0)}.get(weather, (4.0, 24.0))
    if weather == "plain":
        return round(low + (high - low) * (number * _GOLDEN % 1), 2)
    return round(float(random.uniform(low, high)), 2)


def _scenario(
    random: np.random.Generator, seed: int, weather: Weather, seconds: float
) -> dict[str, Any]:
    def number(low: float, high: float, digits: int = 1) -> float:
        return round(float(random.uniform(low, high)), digits)

    wind: dict[str, Any] = {
        "direction": number(0, 360),
        "direction_spread": number(2, 12),
        "shear": number(0.05, 0.3, 2),
        "ambient": number(-18, 38),
        "diurnal": number(0, 0.35, 2),
    }
    events = _ramps(random, weather, seconds)
    for _ in range(int(random.integers(1, 4))):
        size = 0.0 if random.uniform() < 0.5 else number(2, 7)
        events.append(_event("eog", number(0.05, 0.95, 3) * seconds, size, 0.0))
    for _ in range(int(random.integers(0, 3))):
        at = number(0.05, 0.85, 3) * seconds
        events.append(_event("turn", at, number(-60, 60), number(0, 300)))
    wind["events"] = sorted(events, key=lambda event: float(event["at"]))
    return {"seed": seed, "wind": wind}


def _ramps(random: np.random.Generator, weather: Weather, seconds: float) -> list[dict[str, Any]]:
    """Calms end and storms come, so that machines start and stop by themselves."""

    def ramp(begin: _Bounds, size: _Bounds, over: _Bounds) -> dict[str, Any]:
        at, by, within = (float(random.uniform(low, high)) for low, high in (begin, size, over))
        return _event("ramp", at * seconds, round(by, 1), round(within, 1))

    if weather == "calm":
        return [
            ramp((0.08, 0.4), (1.5, 9.0), (20.0, 400.0)),
            ramp((0.55, 0.8), (-10.0, -2.0), (20.0, 400.0)),
        ]
    if weather == "storm":
        return [
            ramp((0.08, 0.35), (3.0, 7.0), (60.0, 400.0)),
            ramp((0.5, 0.75), (-12.0, -7.0), (60.0, 600.0)),
        ]
    count = int(random.integers(0, 3))
    return [ramp((0.03, 0.9), (-6.0, 6.0), (10.0, 600.0)) for _ in range(count)]


def _event(kind: str, at: float, size: float, over: float) -> dict[str, Any]:
    return {"kind": kind, "at": round(at, 1), "size": size, "over": over}


def _commands(random: np.random.Generator, turbines: int, seconds: float) -> list[dict[str, Any]]:
    """Stop, start, curtail, turn and pitch every turbine, one after the other."""
    commands: list[dict[str, Any]] = []

    def tell(index: int, action: str, at: float, value: float | None = None) -> None:
        one: dict[str, Any] = {
            "turbine": turbine_id(index),
            "action": action,
            "at": round(float(at), 1),
        }
        commands.append(one if value is None else one | {"value": value})

    for index in range(turbines):
        waits = random.uniform(0.03, 0.16, 6) * seconds
        at = np.cumsum(waits)
        tell(index, "stop", at[0])
        tell(index, "start", at[1])
        tell(index, "curtail", at[2], round(float(random.uniform(300, 4800))))
        tell(index, "curtail", at[3], 0.0)
        offset = ("yaw_offset", "pitch_offset")[index % 2]
        bounds = ((-20.0, 20.0), (0.5, 6.0))[index % 2]
        tell(index, offset, at[4], round(float(random.uniform(*bounds)), 1))
        tell(index, offset, at[5], 0.0)
    return commands


def _faulty(
    seed: int,
    wind: float,
    turbulence: float,
    ambient: float,
    severities: Sequence[float],
    signals: Sequence[str] | None = None,
) -> Run:
    """One fault per turbine: every machine fault at each severity, every sensor in every way."""
    random = np.random.default_rng(seed)
    channels = load_schema(TYPE).channel_names if signals is None else signals
    asked = [(kind, "", severity) for kind in MACHINE_FAULTS for severity in severities]
    asked += [
        (kind, channel, float(random.choice(severities)))
        for channel in channels
        for kind in SENSOR_FAULTS
    ]
    faults = []
    for index, (kind, signal, severity) in enumerate(asked):
        start = round(WARM_UP_S + float(random.uniform(0, 30)), 2)
        fault = {"turbine": turbine_id(index), "kind": kind, "start": start,
                 "duration": FAULT_S, "severity": severity}  # fmt: skip
        faults.append(fault | {"signal": signal} if signal else fault)
    weather = {
        "direction": round(float(random.uniform(0, 360)), 1), "direction_spread": 5.0,
        "ambient": ambient,
    }  # fmt: skip
    scenario = {"seed": seed, "wind": weather, "faults": faults}
    return Run(
        "fault", f"wind{wind:g}-{seed}", len(faults), _FAULT_RUN_H, seed, wind, turbulence,
        (), TYPE, scenario,
    )  # fmt: skip

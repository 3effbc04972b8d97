"""What the NREL 5 MW turbine is trained and judged on.

Normal operation is more than running in steady wind: machines start and stop at low and at high
wind, are stopped, curtailed and turned by command, and meet gusts, ramps and turning wind.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np

from gustbed_core.settings import turbine_id
from gustbed_training.data.dataset import Role
from gustbed_training.data.schema_file import load_schema
from gustbed_training.data.twin import Profile, Run

TYPE = "nrel_5mw"
Weather = Literal["plain", "command", "calm", "storm"]
_WEATHERS: tuple[Weather, ...] = (
    "plain", "command", "calm", "plain", "storm", "command", "storm", "command", "calm", "command",
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
_STRONG = 17.0
"""Mean wind, m/s, from which on gusts and turbulence are bounded: normal operation has no trip."""
_FRESH, _PITCH_OFF = 12.0, 6.0
"""In winds above so many m/s, giving up a larger pitch offset (deg) at once trips the machine."""
_ACTIONS = ("stop", "stop", "curtail", "curtail", "yaw_offset", "pitch_offset")
_VALUES = {"curtail": (50.0, 4900.0), "yaw_offset": (-45.0, 45.0), "pitch_offset": (-4.0, 20.0)}
_GOLDEN = 0.618034
"""Steps of the golden ratio spread winds evenly, however many runs there are."""


def default() -> Profile:
    """To train the shipped model on."""
    return Profile(
        TYPE,
        (
            *_normal("train", 1000, 40, 2.0, 1),
            *_normal("calibrate", 2000, 40, 2.0, 1),
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
            *_normal("test", 5000, 20, 2.0, 2),
            _faulty(6001, 7.0, 0.10, 5.0, SEVERITIES, third=0),
            _faulty(6002, 10.5, 0.14, 25.0, SEVERITIES, third=1),
            _faulty(6003, 16.0, 0.08, -5.0, SEVERITIES, third=2),
        ),
    )


def _normal(role: Role, first_seed: int, runs: int, hours: float, turbines: int) -> Iterator[Run]:
    for number in range(runs):
        seed = first_seed + number
        weather = _WEATHERS[number % len(_WEATHERS)]
        random = np.random.default_rng(seed)
        wind = _mean_wind(random, weather, seed)
        scenario = _scenario(random, seed, weather, wind, hours * 3600)
        if weather == "command":
            scenario["commands"] = _commands(random, turbines, hours * 3600, wind)
        turbulence = round(float(random.uniform(0.04, 0.2 if wind < _STRONG else 0.12)), 3)
        yield Run(
            role, f"{weather}-{seed}", turbines, hours, seed, wind, turbulence, (), TYPE, scenario
        )


def _mean_wind(random: np.random.Generator, weather: Weather, seed: int) -> float:
    low, high = {"calm": (2.4, 4.2), "storm": (19.0, 24.0)}.get(weather, (3.5, 24.5))
    if weather in ("calm", "storm"):
        return round(float(random.uniform(low, high)), 2)
    return round(low + (high - low) * (seed * _GOLDEN % 1), 2)


def _scenario(
    random: np.random.Generator, seed: int, weather: Weather, mean: float, seconds: float
) -> dict[str, Any]:
    def number(low: float, high: float, digits: int = 1) -> float:
        return round(float(random.uniform(low, high)), digits)

    wind: dict[str, Any] = {
        "direction": number(0, 360),
        "direction_spread": number(2, 12),
        "shear": number(0.05, 0.3, 2),
        "ambient": number(-30, 45),
        "diurnal": number(0, 0.35, 2),
    }
    events = list(_ramps(random, weather, seconds))
    for _ in range(int(random.integers(1, 4))):
        # 0 leaves the gust's size to the mean wind. Larger ones in strong wind trip the machine.
        size = 0.0 if mean < _STRONG and random.uniform() < 0.5 else number(1, 7)
        events.append(_event("eog", number(60, seconds - 60), min(size, _gust(mean)), 0.0))
    for _ in range(int(random.integers(0, 3))):
        at = number(0.02, 0.85, 3) * seconds
        events.append(_event("turn", at, number(-120, 120), number(0, 300)))
    wind["events"] = sorted(events, key=lambda event: float(event["at"]))
    return {"seed": seed, "wind": wind}


def _gust(mean: float) -> float:
    """The largest gust, in m/s, of normal operation."""
    return 7.0 if mean < _STRONG else 1.5


def _ramps(
    random: np.random.Generator, weather: Weather, seconds: float
) -> Iterator[dict[str, Any]]:
    """Calms end and storms come, again and again, so that machines start and stop by themselves."""
    if weather in ("calm", "storm"):
        low, high = (1.5, 10.0) if weather == "calm" else (4.0, 8.0)
        size = float(random.uniform(low, high))
        at, sign = float(random.uniform(100, 500)), 1.0
        while at < seconds - 100:
            yield _event(
                "ramp", at, round(sign * size, 1), round(float(random.uniform(30, 400)), 1)
            )
            at, sign = at + float(random.uniform(400, 1100)), -sign
        return
    for _ in range(int(random.integers(0, 3))):
        at, size = float(random.uniform(0.03, 0.9)) * seconds, float(random.uniform(-6, 6))
        yield _event("ramp", at, round(size, 1), round(float(random.uniform(10, 600)), 1))


def _event(kind: str, at: float, size: float, over: float) -> dict[str, Any]:
    return {"kind": kind, "at": round(at, 1), "size": size, "over": over}


def _commands(
    random: np.random.Generator, turbines: int, seconds: float, wind: float
) -> list[dict[str, Any]]:
    """Stop, curtail, turn and pitch every turbine, each for a while, all the time."""
    commands: list[dict[str, Any]] = []

    def command(index: int, action: str, at: float, value: float | None = None) -> None:
        one: dict[str, Any] = {"turbine": turbine_id(index), "action": action, "at": round(at, 1)}
        commands.append(one if value is None else one | {"value": value})

    for index in range(turbines):
        at = float(random.uniform(30, 300))
        while at < seconds - 60:
            action = str(random.choice(_ACTIONS))
            until = at + _while(random, 40)
            if action == "stop":
                command(index, "stop", at)
                command(index, "start", until)
            else:
                value = round(float(random.uniform(*_VALUES[action])), 1)
                if action == "pitch_offset" and wind > _FRESH:
                    value = min(value, _PITCH_OFF)
                command(index, action, at, value)
                command(index, action, until, 0.0)
            at = until + _while(random, 60)
    return commands


def _while(random: np.random.Generator, least: float) -> float:
    """Seconds: often some minutes, sometimes a quarter of an hour."""
    bounds = (least, 240.0) if random.uniform() < 0.6 else (240.0, 900.0)
    return float(random.uniform(*bounds))


def _faulty(
    seed: int,
    wind: float,
    turbulence: float,
    ambient: float,
    severities: Sequence[float],
    signals: Sequence[str] | None = None,
    third: int | None = None,
) -> Run:
    """One fault per turbine: every machine fault at each severity, every sensor in every way.

    ``share`` of 0, 1 or 2 takes a third of the sensors' faults: each is in one of three winds.
    """
    random = np.random.default_rng(seed)
    channels = load_schema(TYPE).channel_names if signals is None else signals
    asked = [(kind, "", severity) for kind in MACHINE_FAULTS for severity in severities]
    asked += [
        (kind, channel, float(random.choice(severities)))
        for row, channel in enumerate(channels)
        for column, kind in enumerate(SENSOR_FAULTS)
        if third is None or (row + column) % 3 == third
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

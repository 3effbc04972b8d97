"""What variable-speed turbines of utility scale are trained and judged on.

Normal operation is more than running in steady wind: machines start and stop at low and at high
wind, are stopped, curtailed and turned by command, and meet gusts, ramps and turning wind. How
strong the winds are follows from the limits of a type.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from gustbed_core.errors import GustbedError
from gustbed_core.settings import turbine_id
from gustbed_core.turbine_types import TurbineType
from gustbed_training.data.dataset import Role
from gustbed_training.data.twin import Course, Profile, Run

Regime = Literal["plain", "command", "calm", "storm"]
_REGIMES: tuple[Regime, ...] = (
    "plain", "command", "calm", "plain", "storm", "command", "storm", "command", "calm", "command",
)  # fmt: skip
SEVERITIES = (0.5, 0.75, 1.0)
FAULT_S = 420.0
"""How long an injected fault lasts."""
WARM_UP_S = 300.0
_FAULT_RUN_H, _LONG_FAULT_RUN_H = 0.25, 0.45
"""The longer one has quarter of an hour after a fault has settled, too."""
MACHINE_FAULTS = (
    "gearbox_bearing", "generator_bearing", "winding_overheating", "pitch_stuck", "pitch_slow",
    "yaw_misalignment", "blade_imbalance", "icing", "hydraulic_leak", "converter_trip",
    "grid_dip", "rotation", "voltage", "vibration",
)  # fmt: skip
SENSOR_FAULTS = (
    "sensor_stuck", "sensor_drift", "sensor_dropout", "sensor_replaced", "sensor_noise",
)  # fmt: skip
_PITCH_OFF = 6.0
"""In fresh winds, giving up a larger pitch offset (deg) at once trips the machine."""
_ACTIONS = ("stop", "stop", "curtail", "curtail", "yaw_offset", "pitch_offset")
_YAW_OFFSET, _PITCH_OFFSET = (-45.0, 45.0), (-4.0, 20.0)
_MACHINES = 80
_POPULATION_SEED = 7001
_GOLDEN = 0.618034
"""Steps of the golden ratio spread winds evenly, however many runs there are."""


@dataclass(frozen=True)
class _Weather:
    """The winds of a type, in m/s. ``scale`` is how wide its operating range is, to 3 to 25 m/s.

    From ``strong`` on gusts and turbulence are bounded: normal operation has no trip. In ``fresh``
    winds power is at its rated value, ``curtail`` the range of lower ones in kW.
    """

    calm: tuple[float, float]
    storm: tuple[float, float]
    usual: tuple[float, float]
    fresh: float
    strong: float
    rated: float
    scale: float
    curtail: tuple[float, float]

    @classmethod
    def of(cls, turbine_type: TurbineType) -> "_Weather":
        """Raises ``GustbedError`` for a type without limits."""
        limits: Mapping[str, float] = turbine_type.physics.get("limits", {})
        try:
            cut_in, cut_out = limits["cut_in_ms"], limits["cut_out_ms"]
            rated, power = limits["rated_wind_ms"], limits["rated_power_kw"]
        except KeyError as error:
            raise GustbedError(
                f"turbine type {turbine_type.name!r}: physics.limits: no {error.args[0]}", "add it"
            ) from error
        return cls(
            calm=(round(0.8 * cut_in, 2), round(1.4 * cut_in, 2)),
            storm=(round(0.76 * cut_out, 2), round(0.96 * cut_out, 2)),
            usual=(cut_in + 0.5, cut_out - 0.5),
            fresh=round(rated + 0.6, 2),
            strong=round(0.68 * cut_out, 2),
            rated=rated,
            scale=(cut_out - cut_in) / 22.0,
            curtail=(0.01 * power, 0.98 * power),
        )

    def mean(self, random: np.random.Generator, regime: Regime, seed: int) -> float:
        """The mean wind of a run."""
        if regime in ("calm", "storm"):
            return round(float(random.uniform(*(self.calm if regime == "calm" else self.storm))), 2)
        low, high = self.usual
        return round(low + (high - low) * (seed * _GOLDEN % 1), 2)

    def gust(self, mean: float) -> float:
        """The largest gust of normal operation."""
        return (7.0 if mean < self.strong else 1.5) * self.scale


def default(turbine_type: TurbineType) -> Profile:
    """To train the shipped model on."""
    return Profile(
        turbine_type.name,
        (
            *_normal(turbine_type, "train", 1000, 40, 2.0, 1),
            *_normal(turbine_type, "calibrate", 2000, 40, 2.0, 1),
            _faulty(turbine_type, 3001, 0.965, 0.12, 15.0, SEVERITIES),
        ),
    )


def tiny(turbine_type: TurbineType) -> Profile:
    """Made in seconds, for tests."""
    signals = [_measuring(turbine_type, quantity) for quantity in ("voltage", "rotor_speed")]
    return Profile(
        f"{turbine_type.name}-tiny",
        (
            *_normal(turbine_type, "train", 9000, 2, 0.1, 1),
            *_normal(turbine_type, "calibrate", 9100, 2, 0.1, 1),
            _faulty(turbine_type, 9200, 0.965, 0.1, 15.0, (1.0,), signals=signals),
        ),
    )


def evaluation(turbine_type: TurbineType) -> Profile:
    """Seeds and winds that no training sees."""
    return Profile(
        f"{turbine_type.name}-evaluation",
        (
            *_normal(turbine_type, "test", 5000, 20, 2.0, 2),
            _faulty(
                turbine_type, 6001, 0.614, 0.10, 5.0, SEVERITIES, third=0, hours=_LONG_FAULT_RUN_H
            ),
            _faulty(
                turbine_type, 6002, 0.921, 0.14, 25.0, SEVERITIES, third=1, hours=_LONG_FAULT_RUN_H
            ),
            _faulty(
                turbine_type, 6003, 1.404, 0.08, -5.0, SEVERITIES, third=2, hours=_LONG_FAULT_RUN_H
            ),
        ),
    )


def population(turbine_type: TurbineType) -> Profile:
    """Machines that differ as the type's do, all of them in every kind of weather and operation."""
    machine = turbine_type.individuals.machine if turbine_type.individuals else 0.0
    runs = _normal(turbine_type, "train", _POPULATION_SEED, len(_REGIMES), 0.2, _MACHINES)
    return Profile(
        f"{turbine_type.name}-population",
        tuple(_of_same_machines(run, machine) for run in runs),
    )


def _of_same_machines(run: Run, variation: float) -> Run:
    """A run's seed draws its machines: equal ones make them the same."""
    scenario = dict(run.scenario or {}) | {"seed": _POPULATION_SEED}
    return replace(run, seed=_POPULATION_SEED, scenario=scenario, variation=variation)


def course(turbine_type: TurbineType, hours: float) -> Course:
    """A period below rated wind, then other winds, of two machines; and every machine fault, each
    on a machine of its own, commissioned as the first is.
    """
    rated = _Weather.of(turbine_type).rated

    def run(role: Role, name: str, length: float, share: float, turbulence: float) -> Run:
        wind = round(share * rated, 2)
        scenario = {
            "seed": 8000,
            "wind": {"direction": 200.0, "direction_spread": 5.0, "ambient": 12.0},
        }
        return Run(role, name, 2, length, 8000, wind, turbulence, scenario=scenario,
                   type=turbine_type.name)  # fmt: skip

    faults = _course_faults(turbine_type, run("fault", "faults", 0.25, 0.92, 0.1))
    return Course(
        run("train", "period", 1.0, 0.79, 0.1),
        tuple(run("test", f"wind{share}", hours, share, turbulence)
              for share, turbulence in ((0.46, 0.12), (0.97, 0.09), (1.31, 0.07))),
        faults,
    )  # fmt: skip


def _course_faults(turbine_type: TurbineType, like: Run) -> tuple[Run, ...]:
    """Faults that a machine has one after the other would change it: a run for each pair."""
    runs = []
    pairs = list(zip(MACHINE_FAULTS[::2], MACHINE_FAULTS[1::2], strict=True))
    for number, pair in enumerate(pairs):
        faults = [
            {"turbine": turbine_id(index), "kind": kind, "start": WARM_UP_S,
             "duration": FAULT_S, "severity": 1.0}
            for index, kind in enumerate(pair)
        ]  # fmt: skip
        scenario = dict(like.scenario or {}) | {"faults": faults}
        runs.append(replace(like, name=f"faults-{number}", scenario=scenario))
    return tuple(runs)


def _measuring(turbine_type: TurbineType, quantity: str) -> str:
    """The first channel that measures a quantity of the physics."""
    found = (channel.name for channel in turbine_type.channels if channel.of == quantity)
    return next(found, turbine_type.schema.channel_names[0])


def _normal(
    turbine_type: TurbineType, role: Role, first_seed: int, runs: int, hours: float, turbines: int
) -> Iterator[Run]:
    weather = _Weather.of(turbine_type)
    for number in range(runs):
        seed = first_seed + number
        regime = _REGIMES[number % len(_REGIMES)]
        random = np.random.default_rng(seed)
        wind = weather.mean(random, regime, seed)
        scenario = _scenario(random, seed, regime, weather, wind, hours * 3600)
        if regime == "command":
            scenario["commands"] = _commands(random, turbines, hours * 3600, wind, weather)
        most = 0.2 if wind < weather.strong else 0.12
        turbulence = round(float(random.uniform(0.04, most)), 3)
        yield Run(
            role, f"{regime}-{seed}", turbines, hours, seed, wind, turbulence,
            scenario=scenario, type=turbine_type.name,
        )  # fmt: skip


def _scenario(
    random: np.random.Generator,
    seed: int,
    regime: Regime,
    weather: _Weather,
    mean: float,
    seconds: float,
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
    events = list(_ramps(random, regime, weather.scale, seconds))
    for _ in range(int(random.integers(1, 4))):
        # 0 leaves the gust's size to the mean wind. Larger ones in strong wind trip the machine.
        free = mean < weather.strong and random.uniform() < 0.5
        size = 0.0 if free else round(number(1, 7) * weather.scale, 1)
        gust = min(size, weather.gust(mean))
        events.append(_event("eog", number(60, seconds - 60), gust, 0.0))
    for _ in range(int(random.integers(0, 3))):
        at = number(0.02, 0.85, 3) * seconds
        events.append(_event("turn", at, number(-120, 120), number(0, 300)))
    wind["events"] = sorted(events, key=lambda event: float(event["at"]))
    return {"seed": seed, "wind": wind}


def _ramps(
    random: np.random.Generator, regime: Regime, scale: float, seconds: float
) -> Iterator[dict[str, Any]]:
    """Calms end and storms come, again and again, so that machines start and stop by themselves."""
    if regime in ("calm", "storm"):
        low, high = (1.5, 10.0) if regime == "calm" else (4.0, 8.0)
        size = float(random.uniform(low, high)) * scale
        at, sign = float(random.uniform(100, 500)), 1.0
        while at < seconds - 100:
            yield _event(
                "ramp", at, round(sign * size, 1), round(float(random.uniform(30, 400)), 1)
            )
            at, sign = at + float(random.uniform(400, 1100)), -sign
        return
    for _ in range(int(random.integers(0, 3))):
        at, size = float(random.uniform(0.03, 0.9)) * seconds, float(random.uniform(-6, 6)) * scale
        yield _event("ramp", at, round(size, 1), round(float(random.uniform(10, 600)), 1))


def _event(kind: str, at: float, size: float, over: float) -> dict[str, Any]:
    return {"kind": kind, "at": round(at, 1), "size": size, "over": over}


def _commands(
    random: np.random.Generator, turbines: int, seconds: float, wind: float, weather: _Weather
) -> list[dict[str, Any]]:
    """Stop, curtail, turn and pitch every turbine, each for a while, all the time."""
    commands: list[dict[str, Any]] = []
    values = {
        "curtail": weather.curtail, "yaw_offset": _YAW_OFFSET, "pitch_offset": _PITCH_OFFSET,
    }  # fmt: skip

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
                value = round(float(random.uniform(*values[action])), 1)
                if action == "pitch_offset" and wind > weather.fresh:
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
    turbine_type: TurbineType,
    seed: int,
    rated: float,
    turbulence: float,
    ambient: float,
    severities: Sequence[float],
    signals: Sequence[str] | None = None,
    third: int | None = None,
    hours: float = _FAULT_RUN_H,
) -> Run:
    """One fault per turbine: every machine fault at each severity, every sensor in every way.

    ``rated`` is the mean wind over the rated one. ``third`` of 0, 1 or 2 takes a third of the
    sensors' faults: each is in one of three winds.
    """
    random = np.random.default_rng(seed)
    wind = round(rated * _Weather.of(turbine_type).rated, 1)
    channels = turbine_type.schema.channel_names if signals is None else signals
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
        "fault", f"wind{wind:g}-{seed}", len(faults), hours, seed, wind, turbulence,
        scenario=scenario, type=turbine_type.name,
    )  # fmt: skip

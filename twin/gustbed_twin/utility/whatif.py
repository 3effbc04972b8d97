"""What if: fork the running state, run it on with and without a change, compare."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gustbed_core.errors import GustbedError
from gustbed_core.settings import turbine_id
from gustbed_twin.turbine_types import load_utility_type
from gustbed_twin.utility.assembly import Plan, assemble
from gustbed_twin.utility.checkpoint import load_farm
from gustbed_twin.utility.farm import UtilityFarm
from gustbed_twin.utility.scenario import Change, fault_refusal
from gustbed_twin.utility.simulation import Timeline
from gustbed_twin.utility.site import Conditions

_STEP_S = 10


@dataclass(frozen=True, slots=True)
class WhatIf:
    """A change: the site's wind (what is None stays), and commands and faults at once."""

    seconds: float
    wind_ms: float | None = None
    turbulence: float | None = None
    direction: float | None = None
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """One turbine over the time: means, extremes and how it ended."""

    turbine: str
    energy_kwh: float
    mean_power_kw: float
    max_rotor_rpm: float
    max_gearbox_oil_c: float
    mode: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """The same turbines without and with the change; energies in kWh for the whole farm."""

    seconds: float
    energy_kwh_before: float
    energy_kwh_after: float
    before: list[Outcome]
    after: list[Outcome]


@dataclass(frozen=True, slots=True)
class Question:
    """Which farm is asked about: a checkpoint's, or a fresh one that has run for ``settle_s``."""

    kind: str
    turbines: int
    seed: int
    settle_s: float
    mean: float
    checkpoint: Path | None
    changes: tuple[str, ...]


def ask(
    question: Question,
    seconds: float,
    wind_ms: float | None,
    turbulence: float | None,
    direction: float | None,
) -> Comparison:
    """Answer from names and files. Raises ``GustbedError``."""
    if question.checkpoint is not None:
        farm = load_farm(question.checkpoint)
    else:
        conditions = Conditions(mean=question.mean)
        kind = load_utility_type(question.kind)
        farm = assemble(Plan(kind, question.turbines, question.seed, conditions)).farm
        if question.settle_s > 0.0:
            farm.advance(max(1, round(question.settle_s * farm.rate_hz)))
    changes = tuple(parse_change(text, farm) for text in question.changes)
    return what_if(farm, WhatIf(seconds, wind_ms, turbulence, direction, changes))


def what_if(farm: UtilityFarm, question: WhatIf) -> Comparison:
    """Answer without touching ``farm``."""
    before = _run(farm.fork(), question.seconds, ())
    changed = farm.fork()
    now = farm.conditions
    changed.conditions = replace(
        now,
        mean=_or(question.wind_ms, now.mean),
        turbulence=_or(question.turbulence, now.turbulence),
        direction=_or(question.direction, now.direction),
    )
    start = farm.sample / farm.rate_hz
    after = _run(changed, question.seconds, [replace(each, at=start) for each in question.changes])
    return Comparison(
        question.seconds,
        sum(each.energy_kwh for each in before),
        sum(each.energy_kwh for each in after),
        before,
        after,
    )


def _or(asked: float | None, now: float) -> float:
    return now if asked is None else asked


def parse_change(text: str, farm: UtilityFarm) -> Change:
    """Read ``wt01:stop``, ``wt01:curtail=2000`` or ``wt01:icing=0.8``. Raises ``GustbedError``."""
    match = re.fullmatch(r"(wt\d+):([a-z_]+)(?:=(-?[0-9.]+))?(?::([a-z0-9_]+))?", text)
    if match is None:
        raise GustbedError(f"{text!r}", "write wt01:stop, wt01:curtail=2000 or wt01:icing=0.8")
    name, what, number, signal = match[1], match[2], match[3], match[4] or ""
    numbers = {turbine_id(index): index for index in farm.indices}
    if name not in numbers:
        raise GustbedError(f"{text!r}: no turbine {name!r}", f"one of {', '.join(numbers)[:80]}")
    value = float(number) if number else None
    if what in ("stop", "start", "reset", "curtail", "yaw_offset", "pitch_offset"):
        refused = farm.fork().control(farm.indices.index(numbers[name]), what, value)
        if refused:
            raise GustbedError(f"{text!r}", refused)
        return Change(0.0, numbers[name], what, value=value)
    refused = fault_refusal(what, signal, farm.machine.channels)
    if refused:
        raise GustbedError(f"{text!r}: {what!r}: {refused}", "see `gustbed twin faults`")
    severity = 1.0 if value is None else value
    if not 0.0 <= severity <= 1.0:
        raise GustbedError(f"{text!r}: severity {severity:g}", "use a number from 0 to 1")
    return Change(0.0, numbers[name], "inject", what, severity, 0.0, signal)


def _run(farm: UtilityFarm, seconds: float, changes: Sequence[Change]) -> list[Outcome]:
    farm.blind = True
    timeline = Timeline(farm, changes)
    start = farm.turbines.state["energy_generator"].copy()
    fastest = np.zeros(len(farm.indices))
    hottest = np.full(len(farm.indices), -273.0)
    left = round(seconds * farm.rate_hz)
    while left > 0:
        samples = min(left, _STEP_S * farm.rate_hz)
        timeline.advance(samples)
        left -= samples
        fastest = np.maximum(fastest, farm.truth("rotor_speed"))
        hottest = np.maximum(hottest, farm.truth("gearbox_oil"))
    made = farm.turbines.state["energy_generator"] - start
    energy = made * farm.machine.kind.drivetrain.efficiency / 3.6e6
    return [
        Outcome(
            turbine_id(number),
            round(float(energy[row]), 3),
            round(float(energy[row] * 3600.0 / seconds), 3),
            round(float(fastest[row]), 3),
            round(float(hottest[row]), 2),
            farm.modes()[row].name.lower(),
        )
        for row, number in enumerate(farm.indices)
    ]

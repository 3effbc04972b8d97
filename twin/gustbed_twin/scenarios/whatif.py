"""What if: fork the running state, run it on with and without a change, compare."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gustbed_core.errors import GustbedError
from gustbed_core.settings import turbine_id
from gustbed_twin.checkpoints.farm import load_farm
from gustbed_twin.farms.farm import Farm
from gustbed_twin.faults.kinds import fault_refusal
from gustbed_twin.filters import Floats
from gustbed_twin.physics.model import FarmPlan
from gustbed_twin.physics.registry import load_physics
from gustbed_twin.scenarios.build import build_farm
from gustbed_twin.scenarios.scenario import Change
from gustbed_twin.scenarios.timeline import Timeline
from gustbed_twin.wind.request import AS_USUAL, Wind

_STEP_S = 10
_ACTIONS = ("stop", "start", "reset", "curtail", "yaw_offset", "pitch_offset")


@dataclass(frozen=True, slots=True)
class WhatIf:
    """A change: the site's wind (what it does not name stays), commands and faults at once."""

    seconds: float
    wind: Wind = AS_USUAL
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """One turbine over the time: means, extremes and how it ended.

    Energy and power are None where the type's physics knows no power.
    """

    turbine: str
    energy_kwh: float | None
    mean_power_kw: float | None
    max_rotor_rpm: float
    max_gearbox_oil_c: float
    mode: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """The same turbines without and with the change; energies in kWh for the whole farm."""

    seconds: float
    energy_kwh_before: float | None
    energy_kwh_after: float | None
    before: list[Outcome]
    after: list[Outcome]


@dataclass(frozen=True, slots=True)
class Question:
    """Which farm is asked about: a checkpoint's, or a fresh one that has run for ``settle_s``.

    ``mean`` is its wind, None the type's own; ``variation`` is how much its turbines differ;
    ``types_dir`` the user's folder of types.
    """

    type: str
    turbines: int
    seed: int
    settle_s: float
    mean: float | None
    checkpoint: Path | None
    changes: tuple[str, ...]
    types_dir: Path | None = None
    variation: float = 0.0


def ask(question: Question, seconds: float, wind: Wind) -> Comparison:
    """Answer from names and files. Raises ``GustbedError``."""
    if question.checkpoint is not None:
        farm = load_farm(question.checkpoint, question.types_dir)
    else:
        physics = load_physics(question.type, question.types_dir)
        usual = Wind(mean=question.mean)
        plan = FarmPlan(question.turbines, question.seed, usual, variation=question.variation)
        farm = build_farm(physics, plan).farm
        if question.settle_s > 0.0:
            farm.advance(max(1, round(question.settle_s * farm.rate_hz)))
    changes = tuple(parse_change(text, farm) for text in question.changes)
    return what_if(farm, WhatIf(seconds, wind, changes))


def what_if(farm: Farm, question: WhatIf) -> Comparison:
    """Answer without touching ``farm``. Raises ``GustbedError`` for a wind that it cannot have."""
    changed = farm.fork()
    changed.change_wind(question.wind)
    before = _run(farm.fork(), question.seconds, ())
    start = farm.sample / farm.rate_hz
    after = _run(changed, question.seconds, [replace(each, at=start) for each in question.changes])
    return Comparison(question.seconds, _energy(before), _energy(after), before, after)


def parse_change(text: str, farm: Farm) -> Change:
    """Read ``wt01:stop``, ``wt01:curtail=2000`` or ``wt01:icing=0.8``. Raises ``GustbedError``."""
    match = re.fullmatch(r"(wt\d+):([a-z_]+)(?:=(-?[0-9.]+))?(?::([a-z0-9_]+))?", text)
    if match is None:
        raise GustbedError(f"{text!r}", "write wt01:stop, wt01:curtail=2000 or wt01:icing=0.8")
    name, what, number, signal = match[1], match[2], match[3], match[4] or ""
    numbers = {turbine_id(index): index for index in farm.indices}
    if name not in numbers:
        raise GustbedError(f"{text!r}: no turbine {name!r}", f"one of {', '.join(numbers)[:80]}")
    value = float(number) if number else None
    if what in _ACTIONS:
        refused = farm.fork().control(farm.indices.index(numbers[name]), what, value)
        if refused:
            raise GustbedError(f"{text!r}", refused)
        return Change(0.0, numbers[name], what, value=value)
    refused = fault_refusal(farm.faults, farm.turbine_type, what, signal)
    if refused:
        raise GustbedError(f"{text!r}: {refused}", "see `gustbed twin faults`")
    severity = 1.0 if value is None else value
    if not 0.0 <= severity <= 1.0:
        raise GustbedError(f"{text!r}: severity {severity:g}", "use a number from 0 to 1")
    return Change(0.0, numbers[name], "inject", what, severity, 0.0, signal)


def _run(farm: Farm, seconds: float, changes: Sequence[Change]) -> list[Outcome]:
    farm.blind = True
    timeline = Timeline(farm, changes)
    start, now = farm.observe(), farm.observe()
    fastest = np.zeros(len(farm.indices))
    hottest = np.full(len(farm.indices), -273.0)
    left = round(seconds * farm.rate_hz)
    while left > 0:
        samples = min(left, _STEP_S * farm.rate_hz)
        timeline.advance(samples)
        left -= samples
        now = farm.observe()
        fastest = np.maximum(fastest, now.rotor_rpm)
        hottest = np.maximum(hottest, now.gearbox_oil_c)
    energy = _difference(start.energy_kwh, now.energy_kwh)
    return [
        Outcome(
            turbine_id(number),
            None if energy is None else round(float(energy[row]), 3),
            None if energy is None else round(float(energy[row] * 3600.0 / seconds), 3),
            round(float(fastest[row]), 3),
            round(float(hottest[row]), 2),
            now.modes[row],
        )
        for row, number in enumerate(farm.indices)
    ]


def _difference(start: Floats | None, end: Floats | None) -> Floats | None:
    return None if start is None or end is None else end - start


def _energy(outcomes: list[Outcome]) -> float | None:
    energies = [each.energy_kwh for each in outcomes if each.energy_kwh is not None]
    return sum(energies) if energies else None

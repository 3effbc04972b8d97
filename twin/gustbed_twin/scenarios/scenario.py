"""Scenario files: what happens to a farm and when, seeded, checked before anything runs."""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import numpy as np

from gustbed_core.errors import GustbedError
from gustbed_core.yaml_text import read_yaml
from gustbed_twin.faults.kinds import fault_refusal
from gustbed_twin.physics.model import PhysicsModel
from gustbed_twin.turbine.variable_speed import NotNegative, Positive
from gustbed_twin.wind.request import AS_USUAL, Mean, Turbulence, Wind

Severity = Annotated[float, msgspec.Meta(ge=0, le=1)]
Share = Annotated[float, msgspec.Meta(ge=0, lt=1)]
_EXAMPLE = "write wt02:voltage:start=600:duration=60:severity=0.8:ramp=5"


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A section of a scenario."""


class FaultPart(_Part, frozen=True):
    """A fault of one turbine; times in s. Without a duration it stays."""

    turbine: str
    kind: str
    start: NotNegative = 0.0
    duration: Positive | None = None
    severity: Severity = 1.0
    ramp: NotNegative = 0.0
    signal: str = ""


class RandomPart(_Part, frozen=True):
    """Faults drawn from the seed: how many within how many hours, of which kinds."""

    count: Annotated[int, msgspec.Meta(ge=1, le=10_000)]
    hours: Positive
    kinds: tuple[str, ...]
    duration: Positive = 1800.0
    ramp: NotNegative = 300.0
    signals: tuple[str, ...] = ()


class CommandPart(_Part, frozen=True):
    """A command to one turbine at a time (s)."""

    turbine: str
    action: Literal["stop", "start", "curtail", "yaw_offset", "pitch_offset", "reset"]
    at: NotNegative = 0.0
    value: float | None = None


class DeliveryPart(_Part, frozen=True):
    """How blocks reach the broker: shares that come late (by ``late_s``), twice, or never."""

    late: Share = 0.0
    late_s: Positive = 5.0
    twice: Share = 0.0
    lost: Share = 0.0


class Scenario(_Part, frozen=True):
    """A whole scenario file. ``wind_mean`` and ``turbulence`` are short for those of ``wind``."""

    seed: Annotated[int, msgspec.Meta(ge=0)] = 42
    wind: Wind = AS_USUAL
    faults: tuple[FaultPart, ...] = ()
    random: RandomPart | None = None
    commands: tuple[CommandPart, ...] = ()
    delivery: DeliveryPart = DeliveryPart()
    wind_mean: Mean | None = None
    turbulence: Turbulence | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """Something that happens to one turbine at a time (s)."""

    at: float
    turbine: int
    action: str
    kind: str = ""
    severity: float = 0.0
    ramp: float = 0.0
    signal: str = ""
    value: float | None = None


def read_scenario(path: Path, physics: PhysicsModel, turbine_ids: tuple[str, ...]) -> Scenario:
    """Read and check a file against a farm. Raises ``GustbedError`` naming file and key."""
    scenario = read_yaml(path, Scenario, "a scenario file", "see `gustbed twin --help`")
    for number, fault in enumerate(scenario.faults):
        where = f"{path}: faults[{number}]"
        _check_turbine(where, fault.turbine, turbine_ids)
        check_fault(where, fault.kind, fault.signal, physics)
    for number, command in enumerate(scenario.commands):
        where = f"{path}: commands[{number}]"
        _check_turbine(where, command.turbine, turbine_ids)
        refused = physics.command_refusal(command.action, command.value)
        if refused:
            raise GustbedError(f"{where}.value {command.value}: {refused}", "mend the command")
    if scenario.random is not None:
        for kind in scenario.random.kinds:
            for signal in scenario.random.signals or ("",):
                check_fault(f"{path}: random", kind, signal, physics)
        if not scenario.random.kinds:
            raise GustbedError(f"{path}: random.kinds", "name one kind at least")
    wind = Wind(mean=scenario.wind_mean, turbulence=scenario.turbulence).over(scenario.wind)
    return msgspec.structs.replace(scenario, wind=wind)


def parse_fault(text: str, physics: PhysicsModel, turbine_ids: tuple[str, ...]) -> FaultPart:
    """Read ``wt02:voltage:start=600:duration=60:severity=0.8:ramp=5``. Raises ``GustbedError``."""
    turbine, _, rest = text.partition(":")
    kind, *options = rest.split(":")
    fields: dict[str, str | float | None] = {"turbine": turbine, "kind": kind}
    for option in options:
        match = re.fullmatch(r"(start|duration|severity|ramp|signal)=(.+)", option)
        if match is None:
            raise GustbedError(f"--fault {text}: {option!r} is not understood", _EXAMPLE)
        fields[match[1]] = match[2] if match[1] == "signal" else _finite(text, match[1], match[2])
    try:
        fault = msgspec.convert(fields, FaultPart)
    except msgspec.ValidationError as error:
        key = str(error).rpartition("$.")[2].strip("`")
        raise GustbedError(f"--fault {text}: {key}: {error}", _EXAMPLE) from error
    where = f"--fault {text}"
    _check_turbine(where, turbine, turbine_ids)
    check_fault(where, kind, fault.signal, physics)
    return fault


def changes_of(
    scenario: Scenario, turbine_ids: tuple[str, ...], *, fades: bool = False
) -> list[Change]:
    """Everything that happens, in order of time; what ends before what begins.

    ``fades``: a fault goes as it came, over its ramp.
    """
    changes: list[Change] = []
    for fault in all_faults(scenario, turbine_ids):
        turbine = turbine_ids.index(fault.turbine)
        changes.append(Change(fault.start, turbine, "inject", fault.kind, fault.severity,
                              fault.ramp, fault.signal))  # fmt: skip
        if fault.duration is not None:
            ramp = fault.ramp if fades else 0.0
            changes.append(Change(fault.start + fault.duration, turbine, "inject", fault.kind,
                                  0.0, ramp, fault.signal))  # fmt: skip
    for command in scenario.commands:
        turbine = turbine_ids.index(command.turbine)
        changes.append(Change(command.at, turbine, command.action, value=command.value))
    return sorted(changes, key=lambda change: (change.at, change.severity > 0.0))


def all_faults(scenario: Scenario, turbine_ids: tuple[str, ...]) -> list[FaultPart]:
    """Those that are named, and those that the seed gives."""
    asked = scenario.random
    if asked is None:
        return list(scenario.faults)
    stream = np.random.default_rng(np.random.SeedSequence(scenario.seed, spawn_key=(11,)))
    drawn = []
    for _ in range(asked.count):
        kind = asked.kinds[int(stream.integers(len(asked.kinds)))]
        signal = asked.signals[int(stream.integers(len(asked.signals)))] if asked.signals else ""
        drawn.append(FaultPart(
            turbine=turbine_ids[int(stream.integers(len(turbine_ids)))],
            kind=kind,
            start=math.floor(float(stream.uniform(0.0, asked.hours * 3600.0))),
            duration=asked.duration,
            severity=round(float(stream.uniform(0.4, 1.0)), 2),
            ramp=asked.ramp,
            signal=signal,
        ))  # fmt: skip
    return [*scenario.faults, *drawn]


def check_fault(where: str, kind: str, signal: str, physics: PhysicsModel) -> None:
    """Raise ``GustbedError`` for a fault that cannot be injected."""
    reason = fault_refusal(physics.faults, physics.turbine_type, kind, signal)
    if reason:
        known = ", ".join(physics.faults)
        raise GustbedError(f"{where}.kind {kind!r}: {reason}", f"one of {known}")


def _finite(text: str, name: str, number: str) -> float | None:
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if name == "duration" and value == math.inf:
        return None
    if not math.isfinite(value):
        raise GustbedError(f"--fault {text}: {name}={number!r} is not a number", _EXAMPLE)
    return value


def _check_turbine(where: str, turbine: str, turbine_ids: tuple[str, ...]) -> None:
    if turbine not in turbine_ids:
        raise GustbedError(
            f"{where}.turbine: no turbine {turbine!r}", f"{turbine_ids[0]} to {turbine_ids[-1]}"
        )

"""Scenario files: what happens to a farm and when, seeded, checked before anything runs."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import numpy as np

from gustbed_core.errors import GustbedError
from gustbed_twin.turbine_types import NotNegative, Positive, convert, read_yaml
from gustbed_twin.utility.farm import LIMITS
from gustbed_twin.utility.faults import CATALOGUE
from gustbed_twin.utility.site import Conditions, Event

Severity = Annotated[float, msgspec.Meta(ge=0, le=1)]
Share = Annotated[float, msgspec.Meta(ge=0, lt=1)]


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A section of a scenario."""


class EventPart(_Part, frozen=True):
    """A gust, a ramp of the wind, or a turn of its direction; times in s."""

    at: NotNegative
    kind: Literal["eog", "ramp", "turn"]
    size: float = 0.0
    over: NotNegative = 0.0


class WindPart(_Part, frozen=True):
    """The site's wind; what is left out is as usual."""

    mean: Annotated[float, msgspec.Meta(gt=0, le=60)] | None = None
    turbulence: Annotated[float, msgspec.Meta(ge=0, le=0.5)] | None = None
    diurnal: Annotated[float, msgspec.Meta(ge=0, le=0.9)] | None = None
    direction: Annotated[float, msgspec.Meta(ge=0, le=360)] | None = None
    direction_spread: Annotated[float, msgspec.Meta(ge=0, le=60)] | None = None
    shear: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    ambient: Annotated[float, msgspec.Meta(ge=-40, le=60)] | None = None
    events: tuple[EventPart, ...] = ()


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


class UtilityScenario(_Part, frozen=True):
    """A whole scenario file."""

    seed: Annotated[int, msgspec.Meta(ge=0)] = 42
    wind: WindPart = WindPart()
    faults: tuple[FaultPart, ...] = ()
    random: RandomPart | None = None
    commands: tuple[CommandPart, ...] = ()
    delivery: DeliveryPart = DeliveryPart()


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


def read_utility_scenario(
    path: Path, turbine_ids: tuple[str, ...], channels: tuple[str, ...]
) -> UtilityScenario:
    """Read and check a file against a farm. Raises ``GustbedError`` naming file and key."""
    scenario: UtilityScenario = convert(path, read_yaml(path, "a scenario"), UtilityScenario)
    for number, fault in enumerate(scenario.faults):
        where = f"{path}: faults[{number}]"
        _check_turbine(where, fault.turbine, turbine_ids)
        _check_fault(where, fault.kind, fault.signal, channels)
    for number, command in enumerate(scenario.commands):
        where = f"{path}: commands[{number}]"
        _check_turbine(where, command.turbine, turbine_ids)
        _check_command(where, command)
    if scenario.random is not None:
        for kind in scenario.random.kinds:
            signals = scenario.random.signals or ("",)
            for signal in signals:
                _check_fault(f"{path}: random", kind, signal, channels)
        if not scenario.random.kinds:
            raise GustbedError(f"{path}: random.kinds", "name one kind at least")
    return scenario


def conditions_of(wind: WindPart, usual: Conditions) -> Conditions:
    """The wind of a scenario over what is usual."""
    events = tuple(Event(e.at, e.kind, e.size, e.over) for e in wind.events)
    given = {
        name: getattr(wind, name)
        for name in WindPart.__struct_fields__
        if name != "events" and getattr(wind, name) is not None
    }
    values = {name: getattr(usual, name) for name in Conditions.__dataclass_fields__}
    return Conditions(**{**values, **given, "events": events or usual.events})


def changes_of(scenario: UtilityScenario, turbine_ids: tuple[str, ...]) -> list[Change]:
    """Everything that happens, in order of time; what ends before what begins."""
    changes: list[Change] = []
    for fault in (*scenario.faults, *_drawn(scenario, turbine_ids)):
        turbine = turbine_ids.index(fault.turbine)
        changes.append(Change(fault.start, turbine, "inject", fault.kind, fault.severity,
                              fault.ramp, fault.signal))  # fmt: skip
        if fault.duration is not None:
            changes.append(Change(fault.start + fault.duration, turbine, "inject", fault.kind,
                                  0.0, 0.0, fault.signal))  # fmt: skip
    for command in scenario.commands:
        turbine = turbine_ids.index(command.turbine)
        changes.append(Change(command.at, turbine, command.action, value=command.value))
    return sorted(changes, key=lambda change: (change.at, change.severity > 0.0))


def _drawn(scenario: UtilityScenario, turbine_ids: tuple[str, ...]) -> list[FaultPart]:
    asked = scenario.random
    if asked is None:
        return []
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
            signal=signal if CATALOGUE[kind].any_signal else "",
        ))  # fmt: skip
    return drawn


def _check_turbine(where: str, turbine: str, turbine_ids: tuple[str, ...]) -> None:
    if turbine not in turbine_ids:
        raise GustbedError(
            f"{where}.turbine: no turbine {turbine!r}", f"{turbine_ids[0]} to {turbine_ids[-1]}"
        )


def _check_fault(where: str, kind: str, signal: str, channels: tuple[str, ...]) -> None:
    reason = fault_refusal(kind, signal, channels)
    if reason:
        raise GustbedError(f"{where}.kind {kind!r}: {reason}", "see `gustbed twin faults`")


def fault_refusal(kind: str, signal: str, channels: tuple[str, ...]) -> str:
    """Why a fault cannot be injected, or nothing."""
    if kind not in CATALOGUE:
        return "no such fault"
    if CATALOGUE[kind].any_signal:
        return "" if signal in channels else f"signal {signal!r} is not a channel"
    return "it takes no signal" if signal else ""


def _check_command(where: str, command: CommandPart) -> None:
    if command.action not in LIMITS:
        return
    low, high = LIMITS[command.action]
    if command.value is None or not low <= command.value <= high:
        raise GustbedError(f"{where}.value {command.value}", f"use {low:g} to {high:g}")

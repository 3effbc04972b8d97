"""Schemas in text: what type files, the maps of imports and dataset cards say of signals."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from gustbed_core.errors import GustbedError
from gustbed_core.event_kinds import SENSOR, EventKind
from gustbed_core.features import Engineer, Feature, Op
from gustbed_core.package import MAX_CHANNELS, MAX_FEATURES, MAX_WINDOW
from gustbed_core.signals import ChannelSpec, Decision, Schema
from gustbed_core.topics import level
from gustbed_core.yaml_text import convert, parse_yaml

Positive = Annotated[float, msgspec.Meta(gt=0, le=1e9)]
Count = Annotated[int, msgspec.Meta(ge=1)]
Kind = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,40}$")]
_REMEDY = "see gustbed_core/types/mini.yaml"
_ANGLES = ("roll", "pitch", "yaw")


class FeaturePart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A feature; without a unit it has its channel's. ``label`` is its name on pages."""

    name: str
    unit: str | None = None
    op: Op = "value"
    of: tuple[str, ...] = ()
    label: str = ""


class DecisionPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From verdicts to events."""

    open_after: Count = Decision().open_after
    close_after: Count = Decision().close_after
    smooth: Count = Decision().smooth


class AnalysisPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a model makes of channels. Windows and steps count samples, or seconds (``_s``)."""

    window_s: Positive | None = None
    window: Count | None = None
    step_s: Positive | None = None
    step: Count | None = None
    features: tuple[FeaturePart, ...] = ()
    violations: dict[Kind, tuple[str, ...]] = {}
    drivers: dict[str, tuple[str, ...]] = {}
    inertia: tuple[str, ...] = ()
    decision: DecisionPart = DecisionPart()
    settle_s: Annotated[float, msgspec.Meta(ge=0, le=1e9)] = 0.0
    aftermath: dict[str, tuple[float, ...]] = {}


class SignalsPart(AnalysisPart, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a schema says beyond its channels; shared with the maps of imports."""

    turbine_type: str
    sample_rate_hz: Positive


class SchemaPart(SignalsPart, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A whole schema: ``channels`` maps names to units."""

    channels: dict[str, str]


def schema_from_yaml(data: bytes, where: str) -> Schema:
    """Read a schema; ``where`` names it in errors. Raises ``GustbedError``."""
    part = parse_yaml(data, SchemaPart, where, _REMEDY)
    return schema_of(part, part.channels, where)


def schema_to_json(schema: Schema) -> dict[str, Any]:
    """What ``schema_from_json`` reads: for cards."""
    return {
        "turbine_type": schema.turbine_type,
        "sample_rate_hz": schema.sample_rate_hz,
        "window": schema.window,
        "step": schema.step,
        "channels": {channel.name: channel.unit for channel in schema.channels},
        "features": [
            {"name": f.name, "unit": f.unit, "op": f.op, "of": list(f.of)} for f in schema.features
        ],
        "violations": {kind: list(names) for kind, names in schema.violations.items()},
        "drivers": {name: list(drivers) for name, drivers in schema.drivers.items()},
        "inertia": list(schema.inertia),
        "decision": msgspec.to_builtins(schema.decision),
        "settle_s": schema.settle_s,
        "aftermath": {name: list(values) for name, values in schema.aftermath.items()},
    }


def schema_from_json(data: object, where: str = "schema") -> Schema:
    """Read what ``schema_to_json`` gave, from parsed JSON. Raises ``GustbedError``."""
    part = convert(data, SchemaPart, where, _REMEDY)
    return schema_of(part, part.channels, where)


def schema_of(part: SignalsPart, channels: Mapping[str, str], where: str) -> Schema:
    """Fill in what was left out, and check the whole; ``channels`` maps names to units.

    Raises ``GustbedError`` naming the key.
    """
    return make_schema(part, part.turbine_type, float(part.sample_rate_hz), channels, where)


def make_schema(
    part: AnalysisPart, turbine_type: str, rate_hz: float, channels: Mapping[str, str], where: str
) -> Schema:
    """The schema of a type whose name and rate are said elsewhere. Raises ``GustbedError``."""
    features = tuple(
        Feature(f.name, _unit(f, channels), f.op, f.of if f.of != (f.name,) else ())
        for f in part.features
    ) or tuple(Feature(name, unit) for name, unit in channels.items())
    names = [feature.name for feature in features]
    _check_names(part, turbine_type, channels, names, where)
    try:
        Engineer(features, list(channels))
    except GustbedError as error:
        raise GustbedError(
            f"{where}: {error.what}", error.remedy or "name it in channels"
        ) from error
    return Schema(
        turbine_type=turbine_type,
        sample_rate_hz=rate_hz,
        channels=tuple(ChannelSpec(name, unit) for name, unit in channels.items()),
        features=features,
        violations=_violations(part, names),
        window=_window(part, rate_hz, where),
        step=_step(part, rate_hz, where),
        drivers=dict(part.drivers),
        inertia=tuple(part.inertia),
        decision=Decision(
            part.decision.open_after, part.decision.close_after, part.decision.smooth
        ),
        settle_s=float(part.settle_s),
        aftermath={name: tuple(map(float, values)) for name, values in part.aftermath.items()},
    )


def _unit(part: FeaturePart, channels: Mapping[str, str]) -> str:
    if part.unit is not None:
        return part.unit
    if part.op in _ANGLES:
        return "rad"
    return "deg" if part.op == "turn" else channels.get((part.of or (part.name,))[0], "1")


def _check_names(
    part: AnalysisPart,
    turbine_type: str,
    channels: Mapping[str, str],
    features: list[str],
    where: str,
) -> None:
    try:
        level(turbine_type)
    except ValueError as error:
        raise GustbedError(f"{where}: turbine_type: {error}") from error
    for what, names, most in (
        ("channels", list(channels), MAX_CHANNELS),
        ("features", features, MAX_FEATURES),
    ):
        if not 1 <= len(names) <= most:
            raise GustbedError(f"{where}: {what}: {len(names)} of them", f"name 1 to {most}")
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise GustbedError(f"{where}: {what}: {twice!r} is there twice", "name each once")
    for name in part.aftermath:
        if name not in channels:
            raise GustbedError(f"{where}: aftermath: no channel {name!r}", "name one of channels")
    spoken = [("violations", kind, each) for kind, each in part.violations.items()]
    driven = [("drivers", name, (name, *each)) for name, each in part.drivers.items()]
    slow = [("inertia", name, (name,)) for name in part.inertia]
    for section, key, named in (*spoken, *driven, *slow):
        unknown = next((name for name in named if name not in features), None)
        if unknown is not None or not named:
            raise GustbedError(
                f"{where}: {section}.{key}: "
                + (f"no feature {unknown!r}" if named else "no feature named"),
                "name features",
            )


def _violations(part: AnalysisPart, features: list[str]) -> dict[EventKind, tuple[str, ...]]:
    violations: dict[EventKind, tuple[str, ...]] = dict(part.violations)
    spoken = {name for names in violations.values() for name in names}
    silent = tuple(name for name in features if name not in spoken)
    if silent:
        violations[SENSOR] = violations.get(SENSOR, ()) + silent
    return violations


def _window(part: AnalysisPart, rate_hz: float, where: str) -> int:
    window = _samples(part, "window", 32, rate_hz, where)
    if not 2 <= window <= MAX_WINDOW:
        raise GustbedError(f"{where}: a window of {window} samples", f"use 2 to {MAX_WINDOW}")
    return window


def _step(part: AnalysisPart, rate_hz: float, where: str) -> int:
    usual = 1 if rate_hz <= 2 else round(0.5 * rate_hz)
    step = _samples(part, "step", usual, rate_hz, where)
    if not 1 <= step <= MAX_WINDOW:
        raise GustbedError(f"{where}: a step of {step} samples", "use 1 or more")
    return step


def _samples(part: AnalysisPart, name: str, usual: int, rate_hz: float, where: str) -> int:
    count: int | None = getattr(part, name)
    seconds: float | None = getattr(part, f"{name}_s")
    if count is not None and seconds is not None:
        raise GustbedError(f"{where}: {name} and {name}_s", "give one of the two")
    if count is not None:
        return count
    return usual if seconds is None else round(seconds * rate_hz)

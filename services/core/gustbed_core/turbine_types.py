"""Turbine types: one YAML file each, which twin, edge, training, dashboard and lake read.

A user adds a type by adding a file to a folder of their own (``GUSTBED_TYPES_DIR``). The file says
what turbines measure, what a model makes of it, how pages show it and what the cloud gets of it;
its ``physics`` is for the twin, which alone knows what it means.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import msgspec

from gustbed_core.aggregates import Aggregate, Op, check_aggregates
from gustbed_core.errors import GustbedError
from gustbed_core.features import Feature
from gustbed_core.signals import Schema, Signals
from gustbed_core.type_file import AnalysisPart, FeaturePart, make_schema
from gustbed_core.yaml_text import read_yaml

Positive = Annotated[float, msgspec.Meta(gt=0)]
NotNegative = Annotated[float, msgspec.Meta(ge=0)]
Name = Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9_]{0,40}$")]
_REMEDY = "see gustbed_core/types/nrel_5mw.yaml"


class Channel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A column of a telemetry block: what it is, how often and how well it is measured.

    ``noise`` is a standard deviation, ``step`` the resolution, ``low`` and ``high`` the ends of the
    scale, all in ``unit``. ``of`` names the quantity of the twin's physics behind it.
    """

    name: Name
    unit: str
    description: str = ""
    label: str = ""
    of: str = ""
    rate_hz: Positive = 20.0
    noise: NotNegative = 0.0
    step: Positive = 1e-9
    low: float = -1e12
    high: float = 1e12


class ChannelGroup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Channels that pages show together."""

    title: str
    channels: tuple[str, ...]


class CardReading(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A channel on a turbine's card. ``floor`` is the least upper end of its scale."""

    channel: str
    title: str
    decimals: Annotated[int, msgspec.Meta(ge=0, le=6)] = 2
    floor: Positive = 1.0


class AggregatePart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A number of a few seconds' samples for the cloud; ``of`` is the channel of its own name."""

    op: Op = "mean"
    of: tuple[str, ...] = ()


class Tilt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far a sensor may be mounted out of true: ``of`` are a quaternion's four channels."""

    of: Annotated[tuple[str, ...], msgspec.Meta(min_length=4, max_length=4)]
    degrees: Annotated[float, msgspec.Meta(gt=0, le=45)]


class Individuals(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How machines of a type differ from their file, and so how far a commissioning may go.

    Constants of the ``machine`` by so large a share; channels by a share of their value
    (``gains``), by an offset, and by noise beyond the type's own, a standard deviation, in their
    unit.
    """

    machine: Annotated[float, msgspec.Meta(ge=0, le=0.3)] = 0.0
    gains: dict[str, Annotated[float, msgspec.Meta(gt=0, le=0.5)]] = msgspec.field(
        default_factory=dict
    )
    offsets: dict[str, Positive] = msgspec.field(default_factory=dict)
    noise: dict[str, Positive] = msgspec.field(default_factory=dict)
    tilt: Tilt | None = None

    @property
    def channels(self) -> set[str]:
        """All that it names."""
        turned = set(self.tilt.of if self.tilt else ())
        return self.gains.keys() | self.offsets.keys() | self.noise.keys() | turned


class _TypeFile(AnalysisPart, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A whole file."""

    name: Name
    title: str
    label: str = ""
    model_name: str = ""
    rate_hz: Annotated[float, msgspec.Meta(gt=0, le=1000)]
    channels: Annotated[tuple[Channel, ...], msgspec.Meta(min_length=1)]
    groups: tuple[ChannelGroup, ...] = ()
    card: tuple[CardReading, ...] = ()
    aggregates: dict[Name, AggregatePart] = msgspec.field(default_factory=dict)
    individuals: Individuals | None = None
    physics: dict[str, Any] = msgspec.field(default_factory=dict)


@dataclass(frozen=True)
class TurbineType:
    """Everything that is known of a type of turbine.

    ``label`` is its short name on pages, ``model_name`` that of its models; ``labels`` are those
    of channels and features where the file gives them. ``individuals`` is None where nobody said
    how machines differ. ``physics`` is for the twin; ``folder`` is where the files lie that it
    names.
    """

    name: str
    title: str
    label: str
    model_name: str
    channels: tuple[Channel, ...]
    schema: Schema
    labels: Mapping[str, str] = field(default_factory=dict)
    groups: tuple[ChannelGroup, ...] = ()
    card: tuple[CardReading, ...] = ()
    aggregates: tuple[Aggregate, ...] = ()
    individuals: Individuals | None = None
    physics: Mapping[str, Any] = field(default_factory=dict)
    folder: Path = Path()

    @property
    def channel_names(self) -> tuple[str, ...]:
        """Of all channels, those that no model reads included, in the order of a block."""
        return tuple(channel.name for channel in self.channels)

    @property
    def rate_hz(self) -> float:
        """Samples per second of a block."""
        return self.schema.sample_rate_hz

    def unit(self, name: str) -> str:
        """The unit of a channel or feature, empty for one that the type does not have."""
        signals: tuple[Channel | Feature, ...] = (*self.channels, *self.schema.features)
        return next((signal.unit for signal in signals if signal.name == name), "")


def read_type(path: Path) -> TurbineType:
    """Read one file. Raises ``GustbedError`` naming file and key."""
    part = read_yaml(path, _TypeFile, "the file of a turbine type", _REMEDY)
    names = [channel.name for channel in part.channels]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise GustbedError(f"{path}: channels: {twice!r} is there twice", "name each once")
    _check_channels(path, part)
    aggregates = tuple(
        Aggregate(name, each.op, each.of or (name,)) for name, each in part.aggregates.items()
    ) or tuple(Aggregate(name, "mean", (name,)) for name in names)
    check_aggregates(aggregates, names, f"{path}: aggregates")
    units = {channel.name: channel.unit for channel in part.channels}
    whole = make_schema(part, part.name, part.rate_hz, units, str(path))
    named: tuple[Channel | FeaturePart, ...] = (*part.channels, *part.features)
    labels = {each.name: each.label for each in named if each.label}
    return TurbineType(
        name=part.name,
        title=part.title,
        label=part.label or part.title,
        model_name=part.model_name or part.name.replace("_", "-"),
        channels=part.channels,
        schema=_read_by_features(whole),
        labels=labels,
        groups=part.groups,
        card=part.card,
        aggregates=aggregates,
        individuals=part.individuals,
        physics=part.physics,
        folder=path.parent,
    )


def load_type(name: str, folder: Path | None = None) -> TurbineType:
    """A type by name, or by the path of its file. Raises ``GustbedError``."""
    if name.endswith((".yaml", ".yml")):
        return read_type(Path(name))
    found = {path.stem: path for path in type_files(folder)}
    if name not in found:
        raise GustbedError(f"no turbine type {name!r}", f"one of {', '.join(sorted(found))}")
    return read_type(found[name])


def load_types(folder: Path | None = None) -> dict[str, TurbineType]:
    """Every type by name. Raises ``GustbedError`` for a wrong file."""
    found: dict[str, TurbineType] = {}
    for path in type_files(folder):
        turbine_type = read_type(path)
        if turbine_type.name != path.stem:
            raise GustbedError(
                f"{path}: name: {turbine_type.name}", f"name the file {turbine_type.name}.yaml"
            )
        found[turbine_type.name] = turbine_type
    return found


def known_types(folder: Path | None = None) -> list[str]:
    """Names of the types that there are, sorted; what their files say is not looked at."""
    return sorted({path.stem for path in type_files(folder)})


def type_files(folder: Path | None = None) -> Iterator[Path]:
    """The files of every type: Gustbed's own first, then those of the user's ``folder``."""
    folders = [Path(str(resources.files("gustbed_core") / "types"))]
    if folder is not None:
        if not folder.is_dir():
            raise GustbedError(f"GUSTBED_TYPES_DIR={folder}: no such folder", "name another")
        folders.append(folder)
    for each in folders:
        yield from sorted(each.glob("*.yaml"))


def from_signals(signals: Signals) -> TurbineType:
    """A type that has no file, as a user's import has made it: by what its model says of it.

    Pages find groups and labels by the channels' names; the cloud gets the mean of each channel.
    """
    schema = Schema(
        turbine_type=signals.turbine_type,
        sample_rate_hz=signals.sample_rate_hz,
        channels=signals.channels,
        features=signals.features,
        window=signals.window,
        step=signals.step,
        violations=signals.violations,
        decision=signals.decision,
    )
    return TurbineType(
        name=signals.turbine_type,
        title="",
        label="",
        model_name=signals.turbine_type.replace("_", "-"),
        channels=tuple(
            Channel(spec.name, spec.unit, rate_hz=signals.sample_rate_hz)
            for spec in signals.channels
        ),
        schema=schema,
        aggregates=tuple(Aggregate(spec.name, "mean", (spec.name,)) for spec in signals.channels),
    )


def _read_by_features(schema: Schema) -> Schema:
    """Only the channels that features, or the rules of judging, are made of."""
    needed = {name for feature in schema.features for name in feature.channels} | set(
        schema.aftermath
    )
    kept = tuple(channel for channel in schema.channels if channel.name in needed)
    return replace(schema, channels=kept)


def _check_channels(path: Path, part: _TypeFile) -> None:
    names = {channel.name for channel in part.channels}
    for number, channel in enumerate(part.channels):
        if channel.low >= channel.high:
            raise GustbedError(f"{path}: channels[{number}].low", "below high")
    shown = [("groups", name) for group in part.groups for name in group.channels]
    if part.individuals is not None:
        shown += [("individuals", name) for name in sorted(part.individuals.channels)]
    shown += [("card", reading.channel) for reading in part.card]
    for key, name in shown:
        if name not in names:
            raise GustbedError(f"{path}: {key}: no channel {name!r}", "name one of channels")

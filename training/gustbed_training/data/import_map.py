"""Maps of imports: which columns of somebody's files are which channels, in YAML."""

import codecs
import math
import re
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import msgspec

from gustbed_core.errors import GustbedError
from gustbed_core.event_kinds import KNOWN
from gustbed_core.signals import Schema
from gustbed_core.type_file import Count, Kind, Positive, SignalsPart, schema_of
from gustbed_core.yaml_text import read_yaml
from gustbed_training.data.columns import UTF_8, Format
from gustbed_training.data.labels import PREFIX
from gustbed_training.data.recordings import TIME
from gustbed_training.data.units import is_unit

EXAMPLE = "docs/examples/skab.yaml"
_REMEDY = f"see {EXAMPLE}"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")
NotNegative = Annotated[float, msgspec.Meta(ge=0, le=1e9)]
_MAX_RATE_HZ, _MAX_PERIOD_S = 100.0, 86_400.0
"""Between these the twin replays and the edge judges."""
_MINUTE_S = 60


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A section of a map."""


class ColumnPart(_Part, frozen=True, rename={"column": "from"}):
    """A channel: value = column * scale + offset, in ``unit``."""

    column: str
    unit: str = "1"
    scale: float = 1.0
    offset: float = 0.0


class TimePart(_Part, frozen=True):
    """The time of a row: ``format`` is ``iso`` or strptime's; ``unit`` is for numbers.

    ``zone`` is that of local times, as ``Europe/Berlin``; without it they are UTC.
    ``jitter_s`` is how much further apart or nearer than a sample two successive rows may be,
    because time was written coarsely; without it half a sample.
    """

    column: str
    format: str | None = None
    unit: Literal["s", "ms"] | None = None
    zone: str | None = None
    jitter_s: Positive | None = None


class LabelPart(_Part, frozen=True):
    """A fault: a column with 0 for none, up to 1 or true for the fault."""

    column: str
    violation: Kind | None = None
    signals: tuple[str, ...] = ()


class SplitPart(_Part, frozen=True):
    """What may be learnt from: each file's first rows or seconds, or all but some turbines."""

    fit_rows: Count | None = None
    fit_s: Positive | None = None
    test_turbines: tuple[str, ...] = ()


class TurbinePart(_Part, frozen=True):
    """The column that names the turbine of a row."""

    column: str


class MapFile(SignalsPart, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A whole map. ``missing`` are numbers and words that stand for no value."""

    columns: dict[str, ColumnPart | str]
    separator: Annotated[str, msgspec.Meta(min_length=1, max_length=1)] = ","
    decimal: Literal[".", ","] = "."
    encoding: str = UTF_8
    missing: tuple[float | str, ...] | None = None
    time: TimePart | None = None
    labels: dict[str, LabelPart] = msgspec.field(default_factory=dict)
    split: SplitPart = SplitPart()
    turbine: Literal["filename"] | TurbinePart = "filename"
    max_gap_s: NotNegative = 0.0
    repeated: Literal["refuse", "cut"] = "refuse"
    allow_constant: tuple[str, ...] = ()

    @property
    def format(self) -> Format:
        """How CSV files are written."""
        words = tuple(str(each) for each in self.missing or ())
        return Format(self.separator, self.decimal, self.encoding, words)

    @property
    def missing_numbers(self) -> tuple[float, ...]:
        """The numbers that stand for no value."""
        return tuple(each for each in self.missing or () if not isinstance(each, str))

    def channels(self) -> dict[str, ColumnPart]:
        """Every channel's column, by the channel's name."""
        return {
            name: ColumnPart(part) if isinstance(part, str) else part
            for name, part in self.columns.items()
        }


def read_map(path: Path) -> tuple[MapFile, Schema]:
    """Read and check a map. Raises ``GustbedError`` naming file and key."""
    mapped = _with_whole_period(read_yaml(path, MapFile, "the map of an import", _REMEDY))
    _check_columns(mapped, path)
    _check_time(mapped, path)
    _check_encoding(mapped, path)
    _check_labels(mapped, path)
    given = [mapped.split.fit_rows, mapped.split.fit_s]
    if None not in given:
        raise GustbedError(f"{path}: split: fit_rows and fit_s", "give one of the two")
    if mapped.sample_rate_hz > _MAX_RATE_HZ:
        raise GustbedError(
            f"{path}: sample_rate_hz: {mapped.sample_rate_hz:g}",
            f"a turbine sends at most {_MAX_RATE_HZ:g} samples a second",
        )
    if mapped.sample_rate_hz * _MAX_PERIOD_S < 1:
        raise GustbedError(
            f"{path}: sample_rate_hz: {mapped.sample_rate_hz:g}",
            "a turbine sends at least one sample a day: resample the files",
        )
    units = {name: part.unit for name, part in mapped.channels().items()}
    schema = schema_of(mapped, units, str(path))
    _check_kinds(mapped, schema, path)
    return mapped, schema


def _with_whole_period(mapped: MapFile) -> MapFile:
    """Ten minutes are 0.0016667 Hz to whoever writes the map, and 1/600 here."""
    period = 1 / mapped.sample_rate_hz
    unit, rounded = (_MINUTE_S, 0.01) if period >= 5 * _MINUTE_S else (1, 0.001)
    whole = unit * round(period / unit)
    if whole < 2 or abs(period / whole - 1) > rounded:
        return mapped
    return msgspec.structs.replace(mapped, sample_rate_hz=1 / whole)


def _check_columns(mapped: MapFile, path: Path) -> None:
    for name, part in mapped.channels().items():
        where = f"{path}: columns.{name}"
        if not _NAME.fullmatch(name) or name == TIME or name.startswith(PREFIX):
            raise GustbedError(f"{where}: no name for a channel", "use letters, digits and '_'")
        if not is_unit(part.unit):
            raise GustbedError(
                f"{where}: unit {part.unit!r} is unknown",
                'write for instance m/s, degC, kW, rpm, or "1" for none',
            )
        if not (math.isfinite(part.scale) and part.scale and math.isfinite(part.offset)):
            raise GustbedError(f"{where}: scale {part.scale:g}", "any number but 0")
    unknown = [name for name in mapped.allow_constant if name not in mapped.columns]
    if unknown:
        raise GustbedError(f"{path}: allow_constant: no channel {unknown[0]!r}", "name channels")
    columns = [part.column for part in mapped.channels().values()]
    twice = next((column for column in columns if columns.count(column) > 1), None)
    if twice is not None:
        raise GustbedError(f"{path}: columns: {twice!r} is mapped twice", "map each column once")


def _check_time(mapped: MapFile, path: Path) -> None:
    if mapped.time is not None and (mapped.time.format is None) == (mapped.time.unit is None):
        raise GustbedError(
            f"{path}: time: give format or unit",
            "format: iso, or as '%d.%m.%Y %H:%M:%S'; unit: s or ms for numbers",
        )

    zone = mapped.time.zone if mapped.time is not None else None
    if zone is None:
        return
    if mapped.time is not None and mapped.time.unit is not None:
        raise GustbedError(f"{path}: time.zone: numbers have none", "leave it out")
    try:
        ZoneInfo(zone)
    except (ValueError, OSError, KeyError) as error:
        raise GustbedError(
            f"{path}: time.zone: no time zone {zone!r} on this machine",
            "name one as Europe/Berlin or Etc/GMT-1; they are in your system's package tzdata",
        ) from error


def _check_encoding(mapped: MapFile, path: Path) -> None:
    try:
        b"".decode(codecs.lookup(mapped.encoding).name)
    except (LookupError, UnicodeError) as error:
        raise GustbedError(
            f"{path}: encoding: {mapped.encoding!r} is unknown",
            "one that Python knows, as utf-8, cp1252, latin-1 or utf-16",
        ) from error


def _check_labels(mapped: MapFile, path: Path) -> None:
    for name, label in mapped.labels.items():
        if not _NAME.fullmatch(name):
            raise GustbedError(f"{path}: labels.{name}: no name", "use letters, digits and '_'")
        for signal in label.signals:
            if signal not in mapped.columns:
                raise GustbedError(
                    f"{path}: labels.{name}.signals: no channel {signal!r}", "name channels"
                )


def _check_kinds(mapped: MapFile, schema: Schema, path: Path) -> None:
    known = dict.fromkeys((*KNOWN, *schema.violations))
    for name, label in mapped.labels.items():
        if label.violation is not None and label.violation not in known:
            raise GustbedError(
                f"{path}: labels.{name}.violation: no kind of event {label.violation!r}",
                f"one of {', '.join(known)}, or name it in violations",
            )

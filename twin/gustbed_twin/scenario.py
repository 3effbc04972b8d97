"""What happens during a generated dataset: faults with their times, from a file or from flags."""

import math
import re
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from gustbed_core.errors import GustbedError
from gustbed_core.violations import INJECTABLE, Violation

_NUMBERS = ("start", "duration", "severity", "ramp")
_EXAMPLE = "write wt02:voltage:start=600:duration=60:severity=0.8:ramp=5"


@dataclass(frozen=True, slots=True)
class FaultPeriod:
    """A fault from ``start`` for ``duration`` (s), growing to ``severity`` over ``ramp`` (s)."""

    turbine: str
    kind: Violation
    start: float = 0.0
    duration: float = math.inf
    severity: float = 1.0
    ramp: float = 0.0


@dataclass(frozen=True)
class Scenario:
    """Faults, and the wind if it is not the command line's."""

    faults: list[FaultPeriod] = field(default_factory=list)
    wind_mean: float | None = None
    turbulence: float | None = None


def read_scenario(path: Path) -> Scenario:
    """Read YAML or JSON. Raises ``GustbedError`` naming file and field."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise GustbedError(f"{path}: {error.strerror}", "name a scenario file") from error
    try:
        if path.suffix == ".json":
            scenario = msgspec.json.decode(data, type=Scenario)
        else:
            scenario = msgspec.yaml.decode(data, type=Scenario)
    except ImportError as error:
        raise GustbedError(f"{path}: YAML needs PyYAML", "install it, or write JSON") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise GustbedError(f"{path}: {_one_line(error)}", "see `generate --help`") from error
    for number, period in enumerate(scenario.faults):
        check_period(period, f"{path}: faults[{number}]")
    return scenario


def parse_fault(text: str) -> FaultPeriod:
    """Read ``wt02:voltage:start=600:duration=60:severity=0.8:ramp=5``."""
    turbine, _, rest = text.partition(":")
    kind, *options = rest.split(":")
    if kind not in INJECTABLE:
        raise GustbedError(f"--fault {text}: no fault {kind!r}", f"one of {', '.join(INJECTABLE)}")
    numbers: dict[str, float] = {}
    for option in options:
        match = re.fullmatch(r"([a-z]+)=(.+)", option)
        if match is None or match[1] not in _NUMBERS:
            raise GustbedError(f"--fault {text}: {option!r} is not understood", _EXAMPLE)
        try:
            numbers[match[1]] = float(match[2])
        except ValueError as error:
            raise GustbedError(
                f"--fault {text}: {match[1]}={match[2]!r} is not a number", _EXAMPLE
            ) from error
    period = FaultPeriod(turbine, Violation(kind), **numbers)
    check_period(period, f"--fault {text}")
    return period


def check_period(period: FaultPeriod, where: str) -> None:
    """Raise ``GustbedError`` if a number is out of range."""
    if not 0.0 <= period.severity <= 1.0:
        raise GustbedError(f"{where}: severity {period.severity}", "use a number from 0 to 1")
    for name in ("start", "ramp"):
        value = getattr(period, name)
        if not (math.isfinite(value) and value >= 0.0):
            raise GustbedError(f"{where}: {name} {value}", "use seconds, 0 or more")
    if not period.duration > 0.0:
        raise GustbedError(f"{where}: duration {period.duration}", "use seconds, above 0")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())

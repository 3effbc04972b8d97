"""What a fit says: constants with intervals, and how well the twin follows what was held out."""

from dataclasses import asdict, dataclass
from typing import Any

from gustbed_twin.filters import Floats
from gustbed_twin.fitting.estimate import Constant
from gustbed_twin.fitting.follow import Followed


@dataclass(frozen=True, slots=True)
class Trace:
    """A channel over what was held out, in order: times in ``unit_of_time``, measured, expected."""

    channel: str
    unit: str
    times: Floats
    measured: Floats
    expected: Floats
    before: Floats


@dataclass(frozen=True, slots=True)
class Report:
    """``traces`` are for pictures, ``notes`` what else must be said; ``fitted`` and ``held_out``
    count what was looked at, in ``what``."""

    constants: tuple[Constant, ...]
    followed: tuple[Followed, ...]
    traces: tuple[Trace, ...]
    notes: tuple[str, ...]
    fitted: int
    held_out: int
    what: str = "minutes"
    unit_of_time: str = "min"


def as_json(report: Report) -> dict[str, Any]:
    """A report without its traces, for programs."""
    return {name: value for name, value in asdict(report).items() if name != "traces"}

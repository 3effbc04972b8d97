"""Desired and reported state of a turbine, and what is really wrong with it.

On the site both are retained messages; the edge may carry them to and from a device shadow.
"""

from dataclasses import dataclass, field

from gustbed_core.codec import decoder

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Desired:
    """What the operator wants. What is None stays as it is; ``version`` is echoed."""

    run: bool | None = None
    power_limit_kw: float | None = None
    yaw_offset_deg: float | None = None
    pitch_offset_deg: float | None = None
    version: int = 0
    schema: int = SCHEMA


@dataclass(frozen=True, slots=True)
class Reported:
    """What the turbine does. ``power_limit_kw`` 0 means none; ``reason`` says what was refused."""

    turbine: str
    type: str
    mode: str
    run: bool
    trip: str
    power_limit_kw: float
    yaw_offset_deg: float
    pitch_offset_deg: float
    version: int = 0
    reason: str = ""
    schema: int = SCHEMA


@dataclass(frozen=True, slots=True)
class TrueFault:
    """A fault that is there: ``since`` is Unix seconds, ``signals`` the channels that it moves."""

    kind: str
    severity: float
    since: float
    signals: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Truth:
    """``gustbed/<site>/<turbine>/truth``: what is really wrong, at Unix time ``t``."""

    turbine: str
    t: float
    faults: list[TrueFault]
    schema: int = SCHEMA


decode_desired = decoder(Desired)
decode_reported = decoder(Reported)
decode_truth = decoder(Truth)

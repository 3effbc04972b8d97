"""What is asked of an edge about commissioning, what it answers, and how each turbine stands."""

from dataclasses import dataclass, field
from typing import Literal
from uuid import uuid4

from gustbed_core.codec import decoder

SCHEMA = 1
MIN_HOURS, MAX_HOURS = 0.05, 720.0
DEFAULT_HOURS = 24.0
"""Of a period: a day shows a machine in most of its weather."""

Action = Literal["start", "accept", "undo", "cancel"]
Basis = Literal["prior", "provisional", "factory", "own"]
"""What a turbine is judged by: as widely as machines of its type differ, corrected by what it
showed unasked, as the factory has it, or corrected by what its own normal period told.
"""
PRIOR: Basis = "prior"
PROVISIONAL: Basis = "provisional"
FACTORY: Basis = "factory"
OWN: Basis = "own"
UNDECLARED: tuple[Basis, ...] = (PRIOR, PROVISIONAL)
"""Of turbines that are not commissioned, and do not fit the factory's measure."""
DIFFERS = "not commissioned: differs from its type"
"""Of a turbine that the factory's measure was believed of, until it raised alarms for no fault."""
_WARNINGS: dict[Basis, str] = {
    PRIOR: "not commissioned",
    PROVISIONAL: "not commissioned: judged provisionally",
}


@dataclass(frozen=True, slots=True)
class CommissionCommand:
    """``gustbed/<site>/edge/commission``. No turbines: all of the site that the action is for.

    ``start`` begins a period of ``hours`` of verdicts, whose correction goes to work by itself
    with ``accept``, and else by the action ``accept``. ``undo`` goes back to the correction
    before; ``cancel`` ends a period.
    """

    action: Action
    turbines: list[str] = field(default_factory=list)
    hours: float = DEFAULT_HOURS
    accept: bool = False
    id: str = field(default_factory=lambda: str(uuid4()))
    schema: int = SCHEMA


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing was done for a turbine. ``reason`` is a stable word, ``detail`` is for people."""

    turbine: str
    reason: str
    detail: str
    remedy: str


@dataclass(frozen=True, slots=True)
class CommissionAck:
    """The edge's answer, by command id. ``more`` refusals are not listed.

    ``unsaved`` are turbines of ``done`` of which that is not on disk yet: until it is, a restart
    undoes it.
    """

    id: str
    done: list[str]
    refused: list[Refusal] = field(default_factory=list)
    more: int = 0
    schema: int = SCHEMA
    unsaved: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class CommissioningState:
    """How a turbine is judged. ``version`` is its correction's, empty unless it has one.

    ``running`` is the share of a period that has passed, None while there is none; ``ready``
    whether one waits for acceptance. ``refused`` says why the last one ended without a result.
    ``differs``: the factory's measure was trusted on it, and is no more. ``learning`` is the share
    of what it shows unasked, before it is judged provisionally.
    """

    basis: Basis = PRIOR
    version: str = ""
    running: float | None = None
    ready: bool = False
    refused: str = ""
    note: str = ""
    differs: bool = False
    learning: float | None = None

    @property
    def warning(self) -> str:
        """That it is not commissioned; empty if it needs not be."""
        return DIFFERS if self.differs else _WARNINGS.get(self.basis, "")


@dataclass(frozen=True, slots=True)
class CorrectionInfo:
    """A correction of one turbine, for people. ``model`` is what it belongs to.

    ``made`` is Unix seconds, ``hours`` how long its period was. ``blocks`` is the calibration's n:
    a calm block raises a false alarm with a probability of 1 / (n + 1) at most. ``shifts`` are the
    largest corrections by feature, in usual errors at the mean of the period; ``room`` the factors
    above 1 that limits were widened by.
    """

    version: str
    model: str
    made: float
    hours: float
    blocks: int
    shifts: dict[str, float] = field(default_factory=dict)
    room: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CommissioningInfo:
    """All that an edge knows of a turbine's commissioning, as ``/commissioning`` gives it.

    ``earlier`` are corrections that were at work before, the newest first; one that belongs to
    another model is not at work.
    """

    turbine: str
    state: CommissioningState | None
    correction: CorrectionInfo | None = None
    waiting: CorrectionInfo | None = None
    earlier: list[CorrectionInfo] = field(default_factory=list)


decode_commission = decoder(CommissionCommand)
decode_commission_ack = decoder(CommissionAck)

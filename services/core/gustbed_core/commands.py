"""Commands to a turbine and their acknowledgements. A command is idempotent by its id."""

from dataclasses import dataclass, field
from typing import Literal
from uuid import uuid4

from gustbed_core.codec import decoder
from gustbed_core.event_kinds import EventKind

SCHEMA = 1


Action = Literal[
    "inject",
    "clear",
    "stop",
    "start",
    "curtail",
    "yaw_offset",
    "pitch_offset",
    "reset",
    "checkpoint",
]


@dataclass(frozen=True, slots=True)
class Command:
    """Start or stop a fault, or tell the machine what to do.

    ``severity`` runs from 0 to 1 and is reached linearly over ``ramp`` seconds.
    ``clear`` without a kind clears every fault of the turbine. ``fault`` names a fault that is no
    violation, and ``signal`` the channel of a sensor's. ``value`` goes with curtail (kW, 0 lifts
    the limit), yaw_offset and pitch_offset (degrees). ``checkpoint`` asks the process that
    simulates the turbine to write the state of all that it simulates.
    """

    action: Action
    kind: EventKind | None = None
    severity: float = 1.0
    ramp: float = 0.0
    id: str = field(default_factory=lambda: str(uuid4()))
    schema: int = SCHEMA
    value: float | None = None
    fault: str = ""
    signal: str = ""


@dataclass(frozen=True, slots=True)
class Ack:
    """The turbine's answer. ``reason`` says why a command was refused.

    ``file`` is where a checkpoint was written, as the turbine's process names it.
    """

    id: str
    turbine: str
    accepted: bool
    reason: str = ""
    schema: int = SCHEMA
    file: str = ""


decode_command = decoder(Command)
decode_ack = decoder(Ack)

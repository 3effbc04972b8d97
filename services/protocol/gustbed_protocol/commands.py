"""Commands to a turbine and their acknowledgements. A command is idempotent by its id."""

from dataclasses import dataclass, field
from typing import Literal
from uuid import uuid4

from gustbed_protocol.codec import decoder
from gustbed_protocol.violations import Violation

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Command:
    """Start or stop a fault.

    ``severity`` runs from 0 to 1 and is reached linearly over ``ramp`` seconds.
    ``clear`` without a kind clears every fault of the turbine.
    """

    action: Literal["inject", "clear"]
    kind: Violation | None = None
    severity: float = 1.0
    ramp: float = 0.0
    id: str = field(default_factory=lambda: str(uuid4()))
    schema: int = SCHEMA


@dataclass(frozen=True, slots=True)
class Ack:
    """The turbine's answer. ``reason`` says why a command was refused."""

    id: str
    turbine: str
    accepted: bool
    reason: str = ""
    schema: int = SCHEMA


decode_command = decoder(Command)
decode_ack = decoder(Ack)

"""Fault commands seen on the site and how each was answered."""

from collections import OrderedDict
from dataclasses import dataclass, replace

from gustbed_protocol.commands import Ack, Command
from gustbed_protocol.violations import INJECTABLE, Violation

CAPACITY = 200
ANSWER_WITHIN = 5.0
"""Seconds after which a command without an answer is shown as lost."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A command on its way to a turbine; ``at`` is when the dashboard saw it (Unix seconds)."""

    turbine: str
    command: Command
    at: float
    ack: Ack | None = None

    def outcome(self, now: float) -> str:
        """``accepted``, ``refused``, ``waiting`` or ``unanswered``."""
        if self.ack is not None:
            return "accepted" if self.ack.accepted else "refused"
        return "waiting" if now - self.at < ANSWER_WITHIN else "unanswered"


@dataclass(frozen=True, slots=True)
class ActiveFault:
    """A fault that a turbine has accepted and not been told to clear."""

    turbine: str
    kind: Violation
    severity: float
    since: float


class CommandLog:
    """The newest commands, whoever sent them. Not thread-safe."""

    def __init__(self) -> None:
        self._sent: OrderedDict[str, Sent] = OrderedDict()

    def add(self, turbine: str, command: Command, at: float) -> None:
        """Note a command; seeing it again (our own comes back from the broker) changes nothing."""
        self._sent.setdefault(f"{turbine}/{command.id}", Sent(turbine, command, at))
        while len(self._sent) > CAPACITY:
            self._sent.popitem(last=False)

    def answer(self, ack: Ack) -> None:
        """Note a turbine's answer; answers to commands never seen are dropped."""
        key = f"{ack.turbine}/{ack.id}"
        if key in self._sent:
            self._sent[key] = replace(self._sent[key], ack=ack)

    def newest(self) -> list[Sent]:
        """Newest first."""
        return list(reversed(self._sent.values()))

    def active(self, since: float) -> list[ActiveFault]:
        """Faults accepted after ``since``, the twin's last start, and not cleared."""
        faults: dict[tuple[str, Violation], ActiveFault] = {}
        for sent in self._sent.values():
            if sent.ack is None or not sent.ack.accepted or sent.at < since:
                continue
            command = sent.command
            kinds = [command.kind] if command.kind is not None else list(INJECTABLE)
            for kind in kinds:
                faults.pop((sent.turbine, kind), None)
            if command.action == "inject" and command.kind is not None:
                faults[sent.turbine, command.kind] = ActiveFault(
                    sent.turbine, command.kind, command.severity, sent.at
                )
        return list(faults.values())

"""Fault commands seen on the site and how each was answered."""

from collections import OrderedDict
from dataclasses import dataclass, replace

from gustbed_core.commands import Ack, Command

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
    """A fault that a turbine has accepted and not been told to clear.

    ``fault`` is its kind, or the name of one that is no violation; ``signal`` a sensor's channel.
    """

    turbine: str
    fault: str
    signal: str
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
        faults: dict[tuple[str, str, str], ActiveFault] = {}
        for sent in self._sent.values():
            command = sent.command
            answered = sent.ack is not None and sent.ack.accepted and sent.at >= since
            if not answered or command.action not in ("inject", "clear"):
                continue
            named = command.fault or (command.kind or "")
            known = [key for key in faults if key[0] == sent.turbine and named in ("", key[1])]
            if command.action == "clear":
                for key in known:
                    if command.signal in ("", key[2]):
                        del faults[key]
            elif named:
                faults[sent.turbine, named, command.signal] = ActiveFault(
                    sent.turbine, str(named), command.signal, command.severity, sent.at
                )
        return list(faults.values())

"""What is done for a turbine, and what is refused with a reason."""

import math
from collections.abc import Iterable

from gustbed_core.commissioning.messages import (
    FACTORY,
    MAX_HOURS,
    MIN_HOURS,
    OWN,
    PRIOR,
    PROVISIONAL,
    CommissionCommand,
    CommissioningState,
    Refusal,
)
from gustbed_core.commissioning.period import FEWEST
from gustbed_core.errors import GustbedError, PayloadError
from gustbed_core.event_kinds import EventKind
from gustbed_edge.commissioning.desk import Presence, Served
from gustbed_edge.commissioning.records import Record

MAX_ID = 64
MAX_WAITING = 100
"""Commands."""
PATIENCE = 3.0
"""How many times its length a period may take before its turbine is called silent."""


class RefusedError(GustbedError):
    """Why nothing is done. ``reason`` is a stable word."""

    def __init__(self, reason: str, detail: str, remedy: str) -> None:
        super().__init__(detail, remedy)
        self.reason = reason

    def of(self, turbine: str) -> Refusal:
        """The same as part of an answer."""
        return Refusal(turbine[:64], self.reason, self.what, self.remedy)


def check_command(command: CommissionCommand, waiting: int) -> None:
    """Raises ``PayloadError`` for what nobody of ours would send, or too often."""
    if waiting >= MAX_WAITING:
        raise PayloadError("oversized", f"{MAX_WAITING} commands wait already")
    if not 1 <= len(command.id) <= MAX_ID:
        raise PayloadError("wrong_fields", f"id: 1 to {MAX_ID} characters")
    if not (math.isfinite(command.hours) and MIN_HOURS <= command.hours <= MAX_HOURS):
        raise PayloadError("wrong_fields", f"hours: {MIN_HOURS:g} to {MAX_HOURS:g}")


def check_may_start(
    presence: Presence, served: Served | None, open_kinds: Iterable[EventKind], hours: float
) -> int:
    """How many verdicts a period of so many hours has. Raises ``RefusedError``."""
    if presence.state == "silent" or not presence.turbine_type:
        raise RefusedError("silent", "it sends nothing", "let its telemetry come, then start again")
    if served is None:
        raise RefusedError(
            "no_model", f"no model serves type {presence.turbine_type}", "roll one out first"
        )
    if served.population is None:
        raise RefusedError(
            "no_population",
            f"{served.model.name} {served.model.version} does not know how machines of its type "
            "differ",
            "roll out a model that was trained with a population (docs/commissioning.md)",
        )
    if presence.state == "unknown":
        raise RefusedError("unknown", "the model gives no verdict on it", "see `gustbed logs edge`")
    kinds = ", ".join(open_kinds)
    if kinds:
        raise RefusedError(
            "open_event", f"an event is open: {kinds}", "mend it, and start once it has closed"
        )
    wanted = math.ceil(hours * 3600 / presence.span)
    if wanted < FEWEST:
        least = math.ceil(FEWEST * presence.span / 36) / 100
        raise RefusedError(
            "too_short",
            f"{hours:g} hours are {wanted} verdicts of it, and {FEWEST} are needed",
            f"give {max(least, MIN_HOURS):g} hours or more",
        )
    return wanted


def started_already(record: Record) -> RefusedError | None:
    """Why no other period may start now."""
    if record.declared is None:
        return None
    return RefusedError("running", "a period runs already", "wait for its end, or cancel it")


def counts(
    states: Iterable[CommissioningState | None],
) -> tuple[dict[str, float], dict[str, float]]:
    """How many turbines are judged by what, and how many periods run and wait for acceptance.

    Turbines whose model cannot be commissioned are in neither.
    """
    known = [state for state in states if state is not None]
    found = [state.basis for state in known]
    basis: dict[str, float] = {
        name: found.count(name) for name in (PRIOR, PROVISIONAL, FACTORY, OWN)
    }
    running = sum(state.running is not None for state in known)
    ready = sum(state.ready for state in known)
    return basis, {"running": running, "ready": ready}

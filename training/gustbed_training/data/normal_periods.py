"""Times that an operator declares to be normal, whatever the model said of them then."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from gustbed_core.errors import GustbedError
from gustbed_training.data.captured import Captured, Refusal, called_normal

OUTSIDE = "outside the declared periods"
FORMS = (
    "[TURBINE:]FROM..TO in ISO 8601 (UTC unless it says a zone), as "
    "wt03:2026-11-27T08:00..2026-11-28; or [TURBINE:]commissioning[=ID]; several between commas"
)
_COMMISSIONING = "commissioning"


@dataclass(frozen=True, slots=True)
class NormalPeriod:
    """From ``begin`` to ``end`` in Unix s, of one turbine or (empty) of all. ``commissioning``:
    only captures whose verdicts heeded that one, or (empty) any; None asks for none.
    """

    turbine: str = ""
    begin: float = -math.inf
    end: float = math.inf
    commissioning: str | None = None

    def concerns(self, one: Captured) -> bool:
        """Whether it says anything of the capture's turbine."""
        turbine = one.capture.turbine
        return self.turbine in ("", turbine, f"{one.site}-{turbine}")

    def holds(self, one: Captured) -> bool:
        """Whether the whole capture lies in it."""
        told = one.capture.commissioned
        if self.commissioning is not None and not (told and self.commissioning in ("", told)):
            return False
        return self.begin <= one.begin and one.end <= self.end


def parse_periods(text: str) -> tuple[NormalPeriod, ...]:
    """Read what ``FORMS`` says. Raises ``GustbedError``."""
    return tuple(_period(part.strip()) for part in text.split(","))


def declared_normal(periods: Sequence[NormalPeriod]) -> Refusal:
    """Take what lies in a period of its turbine. Turbines that none is declared of are judged by
    the model, as before.
    """

    def refuse(one: Captured) -> str | None:
        concerned = [period for period in periods if period.concerns(one)]
        if not concerned:
            return called_normal(one)
        return None if any(period.holds(one) for period in concerned) else OUTSIDE

    return refuse


def _period(text: str) -> NormalPeriod:
    first, dots, last = text.partition("..")
    if not dots:
        turbine, _, asked = text.rpartition(":")
        word, _, name = asked.partition("=")
        if word != _COMMISSIONING:
            raise GustbedError(f"--normal {text!r}: no period", FORMS)
        return NormalPeriod(turbine, commissioning=name)
    turbine, begin = "", _time(first)
    if begin is None and ":" in first:
        # A time has colons of its own, so that it is looked at before a turbine's name.
        turbine, _, first = first.partition(":")
        begin = _time(first)
    end = _time(last)
    if begin is None or end is None:
        raise GustbedError(
            f"--normal {text!r}: {first if begin is None else last!r} is no time", FORMS
        )
    if end <= begin:
        raise GustbedError(f"--normal {text!r}: ends before it begins", "swap FROM and TO")
    return NormalPeriod(turbine, begin, end)


def _time(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()

"""Which verdicts go up: those that say something new, unless somebody asked for all of them.

Without a request these are, for each turbine and in the order of its blocks: one in every
``interval``, the last before and the first after each change of what is said, and those around the
opening and the closing of an event. ``docs/uplink.md`` gives rates and sizes.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from gustbed_core.event_kinds import EventKind
from gustbed_core.events import AnomalyEvent, ModelRef, Verdict, VerdictState

AROUND = 10
"""Verdicts before and after the opening or closing of an event."""
BURST = 120
"""Verdicts of one turbine that may go up at once."""
PER_MINUTE = 10
"""Verdicts of one turbine that may go up every minute for ever: one that flaps is no reason to
fill the link.
"""
FULL = "full"
CHANGES = "changes"

_Said = tuple[VerdictState, tuple[EventKind, ...], ModelRef | None]


@dataclass(slots=True)
class _Turbine:
    said: _Said | None = None
    slot: int | None = None
    """The interval in which it had a verdict last."""
    follow: int = 0
    """Verdicts that are to go up because an event has just changed."""
    held: deque[bytes] = field(default_factory=lambda: deque(maxlen=AROUND))
    """The latest that did not go up, after the last one that did: so they stay in order."""
    allowance: float = BURST
    counted: float = 0.0


class UplinkPolicy:
    """Chooses verdicts. Used by one thread; ``full`` and ``held_back`` may be read by others.

    ``interval`` is in seconds of the verdicts' own time. ``full`` are the turbines of which all go
    up.
    """

    def __init__(
        self,
        turbines: Sequence[str],
        *,
        interval: float,
        full: Iterable[str] = (),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.held_back = 0
        """Verdicts that had something to say and did not go up, because their turbine had said
        too much already.
        """
        self.full = frozenset(full)
        self._interval = interval
        self._monotonic = monotonic
        # Turbines take turns, so that a large site's verdicts are no burst once an interval.
        self._phase = {name: row / len(turbines) for row, name in enumerate(turbines)}
        self._turbines = {name: _Turbine() for name in turbines}

    def choose(
        self,
        verdicts: Sequence[Verdict],
        encoded: Sequence[bytes],
        events: Iterable[AnomalyEvent],
    ) -> list[bytes]:
        """Of a batch's verdicts, each also as JSON, those to send, and earlier ones that were held
        for what this batch brought.
        """
        chosen: list[bytes] = []
        full = self.full
        for event in events:
            if event.change != "updated":
                self._turbines[event.turbine].follow = AROUND
        now = self._monotonic()
        for verdict, payload in zip(verdicts, encoded, strict=True):
            if verdict.turbine in full:
                chosen.append(payload)
            else:
                chosen += self._of_turbine(verdict, payload, now)
        return chosen

    def _of_turbine(self, verdict: Verdict, payload: bytes, now: float) -> list[bytes]:
        turbine = self._turbines[verdict.turbine]
        said = (verdict.state, tuple(verdict.violations), verdict.model)
        slot = int(verdict.t / self._interval + self._phase[verdict.turbine])
        changed, turbine.said = said != turbine.said, said
        due = slot != turbine.slot
        if not (changed or due or turbine.follow):
            turbine.held.append(payload)
            return []
        wanted = [payload]
        if turbine.follow == AROUND:
            wanted = [*turbine.held, payload]
        elif changed and turbine.held:
            wanted = [turbine.held[-1], payload]
        turbine.follow = max(0, turbine.follow - 1)
        turbine.slot = slot
        turbine.held.clear()
        return self._within(turbine, wanted, now)

    def _within(self, turbine: _Turbine, wanted: list[bytes], now: float) -> list[bytes]:
        """As many of the latest as its allowance has room for."""
        earned = (now - turbine.counted) * PER_MINUTE / 60
        turbine.allowance = min(BURST, turbine.allowance + earned)
        turbine.counted = now
        room = min(len(wanted), int(turbine.allowance))
        turbine.allowance -= room
        self.held_back += len(wanted) - room
        return wanted[len(wanted) - room :]


def full_turbines(setting: str, turbines: Sequence[str]) -> frozenset[str]:
    """What ``GUSTBED_EDGE_UPLINK`` asks for: all turbines, none, or those it names.

    Raises ``ValueError`` for a name that is none of them.
    """
    if setting == CHANGES:
        return frozenset()
    if setting == FULL:
        return frozenset(turbines)
    names = frozenset(name.strip() for name in setting.split(",") if name.strip())
    unknown = sorted(names.difference(turbines))
    if unknown:
        raise ValueError(f"{unknown[0]!r} is none of {turbines[0]} … {turbines[-1]}")
    return names

"""Events of mirrors, twins that run beside turbines, taken into the edge's own history.

A mirror is a tool of the site that may be stopped at any time, and its messages can be lost. So it
says with every minute which of its events are open: one that it no longer names is closed, as is
one whose mirror is silent.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from gustbed_core import codec, topics
from gustbed_core.errors import PayloadError
from gustbed_core.events import AnomalyEvent
from gustbed_core.mirror import MAX_BYTES, Mirrored, decode_mirrored, is_mirrors, model_name
from gustbed_core.worker import Worker
from gustbed_edge.events.tracker import UPDATE_SECONDS, Site

SILENT_AFTER = 300.0
"""Seconds without a minute, which comes once in 60, before a mirror's events are closed."""
LOOK_SECONDS = 5.0
MAX_OPEN = 8
"""Events of mirrors that may be open on one turbine."""
MAX_SIGNALS, MAX_NAME = 32, 64
ENDED_KEPT = 1000

_decode_event = codec.decoder(AnomalyEvent, MAX_BYTES)


@dataclass(slots=True)
class _Open:
    """An open event as it was told last, and when (seconds of a monotonic clock). ``heard`` is when
    its mirror last spoke, ``t`` the Unix time that it spoke of, or at which the event was taken up.
    """

    event: AnomalyEvent
    told: float
    heard: float
    t: float


class Mirrors(Worker):
    """Takes the messages of mirrors, and tells what changes by them; ``tell`` must not block.

    ``open_events`` are those that were open at the last stop. What is not fit to be believed goes
    to ``reject``. Handlers may be called by any thread.
    """

    def __init__(
        self,
        site: Site,
        tell: Callable[[Iterable[AnomalyEvent]], None],
        reject: Callable[[str, bytes, PayloadError], None],
        open_events: Iterable[AnomalyEvent] = (),
        monotonic: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__("mirrors")
        self._site = site
        self._tell = tell
        self._reject = reject
        self._monotonic, self._clock = monotonic, clock
        self._lock = threading.Lock()
        now, t = monotonic(), clock()
        self._open = {each.id: _Open(each, now, now, t) for each in open_events}
        self._ended: deque[str] = deque(maxlen=ENDED_KEPT)
        """Ids of events that were closed: for good."""

    def event(self, topic: str, payload: bytes) -> None:
        """Take a change of an event."""
        try:
            event = read_event(topic, payload, self._site)
            with self._lock:
                self._tell(self._changed(event))
        except PayloadError as error:
            self._reject(topic, payload, error)

    def minute(self, topic: str, payload: bytes) -> None:
        """Take a minute: what is not open any more is closed by it."""
        try:
            minute = read_minute(topic, payload, self._site)
        except PayloadError as error:
            self._reject(topic, payload, error)
            return
        name, now = model_name(minute.type), self._monotonic()
        with self._lock:
            own = [
                each
                for each in self._open.values()
                if each.event.turbine == minute.turbine and each.event.model.name == name
            ]
            for each in own:
                each.heard, each.t = now, minute.t
            self._tell([self._end(each) for each in own if each.event.id not in minute.open])

    def turn(self) -> float:
        """Close the events of mirrors that are silent."""
        now = self._monotonic()
        with self._lock:
            silent = [each for each in self._open.values() if now - each.heard > SILENT_AFTER]
            self._tell([self._end(each) for each in silent])
        return LOOK_SECONDS

    def _changed(self, event: AnomalyEvent) -> list[AnomalyEvent]:
        if event.id in self._ended:
            return []
        known, now = self._open.get(event.id), self._monotonic()
        if event.closed is not None:
            self._open.pop(event.id, None)
            self._ended.append(event.id)
            return [replace(event, change="closed")]
        if known is None:
            return self._opened(event, now)
        known.heard = now
        grown = event.peak_score > known.event.peak_score
        if not grown or now - known.told < UPDATE_SECONDS:
            return []
        known.event, known.told = replace(event, change="updated"), now
        return [known.event]

    def _opened(self, event: AnomalyEvent, now: float) -> list[AnomalyEvent]:
        others = [each for each in self._open.values() if each.event.turbine == event.turbine]
        same = [each for each in others if _speaks_for(each.event, event)]
        if len(others) - len(same) >= MAX_OPEN:
            detail = f"{MAX_OPEN} events of mirrors are open on {event.turbine}"
            raise PayloadError("too_many", detail)
        told = replace(event, change="opened")
        changes = [self._end(each) for each in same]
        self._open[event.id] = _Open(told, now, now, self._clock())
        return [*changes, told]

    def _end(self, each: _Open) -> AnomalyEvent:
        del self._open[each.event.id]
        self._ended.append(each.event.id)
        return replace(each.event, closed=max(each.t, each.event.opened), change="closed")


def _speaks_for(event: AnomalyEvent, other: AnomalyEvent) -> bool:
    return (event.kind, event.model.name) == (other.kind, other.model.name)


def read_event(topic: str, payload: bytes, site: Site) -> AnomalyEvent:
    """Check a mirror's event. Raises ``PayloadError``."""
    event = _decode_event(payload)
    _check_turbine(topic, event.turbine, site)
    if (event.site, event.thing) != (site.site, site.thing):
        raise PayloadError("wrong_site", f"an event of {event.site[:64]!r}, {event.thing[:64]!r}")
    if not is_mirrors(event):
        raise PayloadError("wrong_fields", "neither id nor model are a mirror's")
    names = (event.id, event.kind, event.model.name, *event.signals)
    if len(event.signals) > MAX_SIGNALS or len(event.model.version) > MAX_NAME:
        raise PayloadError("wrong_fields", "too many signals, or too long a version")
    try:
        for name in names:
            topics.level(name)
    except ValueError as error:
        raise PayloadError("wrong_fields", str(error)[:200]) from error
    closed = event.opened if event.closed is None else event.closed
    _check_numbers(event.opened, closed, event.peak_score)
    if not 0 <= event.opened <= closed:
        raise PayloadError("wrong_fields", "closed before it was opened")
    return event


def read_minute(topic: str, payload: bytes, site: Site) -> Mirrored:
    """Check a mirror's minute. Raises ``PayloadError``."""
    minute = decode_mirrored(payload)
    _check_turbine(topic, minute.turbine, site)
    _check_numbers(minute.t)
    return minute


def _check_turbine(topic: str, claimed: str, site: Site) -> None:
    turbine = topics.parse(topic).turbine
    if turbine not in site.turbines:
        raise PayloadError("unknown_turbine", f"{turbine[:64]!r} is not a turbine of this site")
    if claimed != turbine:
        raise PayloadError("wrong_turbine", f"a mirror of {claimed[:64]!r} on {topic}")


def _check_numbers(*numbers: float) -> None:
    if not all(math.isfinite(number) for number in numbers):
        raise PayloadError("non_finite", "NaN or infinity in a mirror's message")

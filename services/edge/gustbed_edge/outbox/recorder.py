"""The thread that puts on disk what is to go up: verdicts, events, summaries, captures, log."""

import logging
import sqlite3
from collections import deque
from collections.abc import Callable, Iterable
from typing import TypeVar

from gustbed_core import codec
from gustbed_core.events import AnomalyEvent, LogLine, TelemetrySummary
from gustbed_core.worker import Worker
from gustbed_edge.outbox.store import Fragment, Outbox

log = logging.getLogger(__name__)
T = TypeVar("T")

INTERVAL_SECONDS = 1.0
MAX_FRAGMENT_BYTES = 64 * 1024
MAX_HELD = {"telemetry": 50_000, "verdicts": 50_000, "logs": 50_000, "capture": 16}
"""Held in memory while the disk fails."""


class Recorder(Worker):
    """Collects what is to be kept; one transaction a second, and at once for an event.

    ``announce`` gets events once they are on disk: an event that was told is never lost.
    ``events_go_up``: whether events are put into the outbox too, for the cloud.
    """

    def __init__(
        self,
        outbox: Outbox,
        announce: Callable[[AnomalyEvent], None],
        *,
        events_go_up: bool = True,
    ) -> None:
        super().__init__("recorder")
        self._outbox = outbox
        self._announce = announce
        self._events_go_up = events_go_up
        self._items: dict[str, deque[bytes]] = {
            kind: deque(maxlen=most) for kind, most in MAX_HELD.items()
        }
        self._events: deque[AnomalyEvent] = deque()

    def turn(self) -> float:
        """Write what was collected."""
        self.write()
        return INTERVAL_SECONDS

    def finish(self) -> None:
        """Write what is left."""
        self.write()

    def verdicts(self, encoded: Iterable[bytes]) -> None:
        """Keep verdicts, each already written as JSON."""
        self._items["verdicts"].extend(encoded)

    def summaries(self, summaries: Iterable[TelemetrySummary]) -> None:
        """Keep telemetry summaries."""
        self._items["telemetry"].extend(codec.encode(summary) for summary in summaries)

    def captures(self, encoded: Iterable[bytes]) -> None:
        """Keep captures, each already written as JSON."""
        self._items["capture"].extend(encoded)

    def line(self, line: LogLine) -> None:
        """Keep a log line."""
        self._items["logs"].append(codec.encode(line))

    def events(self, events: Iterable[AnomalyEvent]) -> None:
        """Keep changes of events, soon."""
        before = len(self._events)
        self._events.extend(events)
        if len(self._events) > before:
            self.wake()

    def write(self) -> None:
        """One transaction with everything collected; kept in memory if the disk refuses."""
        taken = {kind: _drain(items) for kind, items in self._items.items()}
        events = _drain(self._events)
        fragments = [
            fragment for kind, items in taken.items() for fragment in _fragments(kind, items)
        ]
        if self._events_go_up:
            fragments.extend(_fragments("events", [codec.encode(event) for event in events]))
        if not fragments and not events:
            return
        try:
            self._outbox.record(fragments, events)
        except sqlite3.Error as error:
            log.error("cannot write the outbox, keeping it in memory: %s", error)  # noqa: TRY400
            for kind, items in taken.items():
                self._items[kind].extendleft(reversed(items))
            self._events.extendleft(reversed(events))
            return
        for event in events:
            self._announce(event)


def _drain(items: deque[T]) -> list[T]:
    # popleft and not list(): another thread may append in between.
    return [items.popleft() for _ in range(len(items))]


def _fragments(kind: str, items: list[bytes]) -> list[Fragment]:
    fragments: list[Fragment] = []
    part: list[bytes] = []
    size = 0
    for item in items:
        if part and size + len(item) > MAX_FRAGMENT_BYTES:
            fragments.append(Fragment(kind, b",".join(part)))
            part, size = [], 0
        part.append(item)
        size += len(item) + 1
    if part:
        fragments.append(Fragment(kind, b",".join(part)))
    return fragments

"""The thread that puts on disk what is to go up: verdicts, events, summaries, captures, log."""

import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from gustbed_core import codec
from gustbed_core.events import AnomalyEvent, LogLine, TelemetrySummary
from gustbed_core.worker import Worker
from gustbed_edge.outbox.store import Fragment, Outbox

INTERVAL_SECONDS = 1.0
MAX_FRAGMENT_BYTES = 64 * 1024
MAX_HELD = {"telemetry": 50_000, "verdicts": 50_000, "logs": 5_000, "capture": 256}
"""Held in memory while the disk fails; beyond this the oldest go, and are counted."""
MAX_HELD_EVENTS = 10_000


class Recorder(Worker):
    """Collects what is to be kept; one transaction a second, and at once for an event.

    ``tell`` gets every change of an event before any disk is asked; it must not block. ``stored``
    is called when events have been put on disk. ``events_go_up``: whether they are put into the
    outbox too, for the cloud. ``kept`` says what else belongs on disk, by name.
    """

    def __init__(
        self,
        outbox: Outbox,
        tell: Callable[[AnomalyEvent], None],
        *,
        events_go_up: bool = True,
        stored: Callable[[], None] = lambda: None,
        kept: Callable[[], Mapping[str, bytes]] = dict,
    ) -> None:
        super().__init__("recorder")
        self.records: Counter[str] = Counter()
        """Records put on disk for the cloud since the start, by uplink kind."""
        self.dropped: Counter[str] = Counter()
        """Records that were dropped from memory while the disk failed, by uplink kind."""
        self._outbox = outbox
        self._tell = tell
        self._stored = stored
        self._events_go_up = events_go_up
        self._kept = kept
        self._lock = threading.Lock()
        """Of the three below; never held while anything is written."""
        self._items: dict[str, list[bytes]] = {kind: [] for kind in MAX_HELD}
        self._events: list[AnomalyEvent] = []
        self._writing: list[AnomalyEvent] = []
        """Those that are on their way to the disk."""
        self._on_disk: dict[str, bytes] = {}
        """What of ``kept`` has not changed since."""

    def turn(self) -> float:
        """Write what was collected."""
        self.write()
        return INTERVAL_SECONDS

    def finish(self) -> None:
        """Write what is left."""
        self.write()

    @property
    def held(self) -> int:
        """Records in memory that wait for the disk."""
        return sum(map(len, self._items.values())) + len(self._events)

    def verdicts(self, encoded: Iterable[bytes]) -> None:
        """Keep verdicts, each already written as JSON."""
        self._hold("verdicts", encoded)

    def summaries(self, summaries: Iterable[TelemetrySummary]) -> None:
        """Keep telemetry summaries."""
        self._hold("telemetry", [codec.encode(summary) for summary in summaries])

    def captures(self, encoded: Iterable[bytes]) -> None:
        """Keep captures, each already written as JSON."""
        self._hold("capture", encoded)

    def line(self, line: LogLine) -> None:
        """Keep a log line."""
        self._hold("logs", [codec.encode(line)])

    def events(self, events: Iterable[AnomalyEvent]) -> None:
        """Tell changes of events at once, and keep them soon."""
        changes = list(events)
        for event in changes:
            self._tell(event)
        if changes:
            with self._lock:
                self._events += changes
                self._trim()
            self.wake()

    def events_since(self, since: float) -> list[AnomalyEvent]:
        """As ``Outbox.events_since``, with those that are not on disk yet."""
        with self._lock:
            held = self._writing + self._events
        found = {event.id: event for event in self._outbox.events_since(since)}
        found |= {event.id: event for event in held}
        return sorted(found.values(), key=lambda event: event.opened)

    def write(self) -> None:
        """One transaction with everything collected; kept in memory if the disk refuses."""
        # First: a block that comes in between counts as lost should this be the last turn, rather
        # than as seen without a trace.
        kept = {
            name: body for name, body in self._kept().items() if self._on_disk.get(name) != body
        }
        with self._lock:
            taken, self._items = self._items, {kind: [] for kind in MAX_HELD}
            events = self._writing = self._events
            self._events = []
        fragments = [part for kind, items in taken.items() for part in _fragments(kind, items)]
        if self._events_go_up:
            fragments += _fragments("events", [codec.encode(event) for event in events])
        try:
            if fragments or events or kept:
                self._outbox.record(fragments, events, kept)
        except Exception as error:
            self._take_back(taken, events)
            if isinstance(error, sqlite3.Error):
                # The outbox has told of it; the next turn tries again.
                return
            raise
        self._on_disk |= kept
        with self._lock:
            self._writing = []
        for kind, items in taken.items():
            self.records[kind] += len(items)
        if events:
            self.records["events"] += len(events)
            self._stored()

    def _take_back(self, taken: Mapping[str, list[bytes]], events: list[AnomalyEvent]) -> None:
        with self._lock:
            self._events = events + self._events
            self._writing = []
            for kind, items in taken.items():
                self._items[kind] = items + self._items[kind]
            self._trim()

    def _hold(self, kind: str, encoded: Iterable[bytes]) -> None:
        with self._lock:
            self._items[kind] += encoded
            self._trim()

    def _trim(self) -> None:
        for kind, items in self._items.items():
            self._drop(kind, items, MAX_HELD[kind])
        self._drop("events", self._events, MAX_HELD_EVENTS)

    def _drop(self, kind: str, items: list[bytes] | list[AnomalyEvent], most: int) -> None:
        over = len(items) - most
        if over > 0:
            del items[:over]
            self.dropped[kind] += over


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

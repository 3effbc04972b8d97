"""What must outlive the process: anomaly events, and what still waits for the cloud.

One SQLite file in WAL mode. A transaction survives SIGKILL; one with an event in it also a loss
of power. When the cloud is away the outbox grows to its bound and then drops the oldest,
captures first and events last, and counts what it drops. ``docs/uplink.md`` says how much fits.
"""

import logging
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from gustbed_core.events import AnomalyEvent
from gustbed_edge.disk import Disk
from gustbed_edge.outbox.file import move, open_file, open_memory

log = logging.getLogger(__name__)

FILE = "edge.sqlite"
DROP_ORDER = ("capture", "telemetry", "logs", "verdicts", "events")
"""Uplink kinds, least worth first."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """Part of an uplink message: its JSON items, joined by commas."""

    kind: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Pending:
    """A fragment that waits, by its row id. Ids of a kind grow with time."""

    id: int
    body: bytes


@dataclass(slots=True)
class _Counts:
    """What waits and what does not any more, by kind. ``gone``: the last row that was dropped."""

    rows: Counter[str] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)
    recorded: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    gone: dict[str, int] = field(default_factory=dict)

    def copy(self) -> "_Counts":
        return replace(
            self,
            rows=self.rows.copy(),
            bytes=self.bytes.copy(),
            recorded=self.recorded.copy(),
            dropped=self.dropped.copy(),
            gone=self.gone.copy(),
        )


MAX_MEMORY_BYTES = 32 * 1024 * 1024
"""That may wait for the cloud while the file cannot be opened."""
REOPEN_SECONDS = 2.0


class Outbox:
    """Thread-safe. If the file cannot be opened the outbox is in memory, with what ``disk`` knows
    then, and moves into the file as soon as it can be.

    Methods raise ``sqlite3.Error`` when the disk fails, which ``disk`` knows then;
    nothing is lost that was not in the call, and no count has moved. Counts are asked without
    waiting for the disk.
    """

    def __init__(
        self,
        folder: Path,
        *,
        max_bytes: int,
        max_rows: int,
        events_kept: int,
        disk: Disk | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.disk = disk or Disk()
        self._path = folder / FILE
        self._max_bytes = max_bytes
        self._max_rows = max_rows
        self._events_kept = events_kept
        self._clock = clock
        self._lock = threading.Lock()
        self._counts = _Counts()
        self._reopen: float | None = None
        """While in memory: when the file is to be tried again (seconds of a monotonic clock)."""
        try:
            self._db = open_file(self._path)
        except sqlite3.OperationalError as error:
            self.disk.failed(self._path, error)
            self._db = open_memory(self._path)
            self._reopen = 0.0
        self._confirmed: dict[str, int] = {}
        """By kind, the last row that the cloud has: it and those before are as good as deleted,
        whether the disk lets us delete them or not.
        """
        self._oldest: dict[str, float] = {}
        self._count()

    @property
    def waiting(self) -> int:
        """Fragments not yet acknowledged by the cloud."""
        return self._counts.rows.total()

    @property
    def waiting_bytes(self) -> int:
        """Their size."""
        return self._counts.bytes.total()

    @property
    def bytes_by_kind(self) -> Mapping[str, int]:
        """The same by uplink kind."""
        return self._counts.bytes

    @property
    def recorded(self) -> Mapping[str, int]:
        """Bytes recorded since the start, by uplink kind."""
        return self._counts.recorded

    @property
    def dropped(self) -> Mapping[str, int]:
        """Fragments dropped since the start because there was no room for them, by uplink kind."""
        return self._counts.dropped

    def ages(self) -> dict[str, float]:
        """Seconds that the oldest fragment of each kind has waited; kinds of which one waits."""
        now = self._clock()
        return {kind: max(0.0, now - made) for kind, made in self._oldest.items()}

    def record(
        self,
        fragments: Sequence[Fragment],
        events: Sequence[AnomalyEvent] = (),
        kept: Mapping[str, bytes] | None = None,
    ) -> None:
        """Store fragments, the latest state of events, and what is ``kept`` by name, in one
        transaction.
        """
        with self._lock:
            with self._writing(durable=bool(events)):
                self._delete_confirmed()
                self._insert(fragments)
                self._upsert(events)
                self._db.executemany(
                    "INSERT INTO kept (name, body) VALUES (?, ?) "
                    "ON CONFLICT (name) DO UPDATE SET body = excluded.body",
                    (kept or {}).items(),
                )
            self._look_for_oldest()

    def waiting_for(self, kind: str, max_bytes: int) -> list[Pending]:
        """The oldest fragments of a kind, at least one, together within ``max_bytes``."""
        found: list[Pending] = []
        with self._lock:
            rows = self._db.execute(
                "SELECT id, body FROM outbox WHERE kind = ? AND id > ? ORDER BY id",
                (kind, self._confirmed.get(kind, 0)),
            )
            with closing(rows):
                for row_id, body in rows:
                    max_bytes -= len(body) + 1
                    if found and max_bytes < 0:
                        break
                    found.append(Pending(row_id, body))
        return found

    def acknowledge(self, kind: str, pending: Sequence[Pending]) -> None:
        """The cloud has these, the oldest of their kind: they are not given out again, and deleted
        as soon as the disk lets them be. Never raises ``sqlite3.Error``.
        """
        with self._lock:
            # A fragment may have been dropped while it was under way.
            gone = max(self._counts.gone.get(kind, 0), self._confirmed.get(kind, 0))
            for item in pending:
                if item.id > gone:
                    self._counts.rows[kind] -= 1
                    self._counts.bytes[kind] -= len(item.body)
                    self._confirmed[kind] = item.id
            try:
                with self._writing(durable=False):
                    self._delete_confirmed()
            except sqlite3.Error:
                log.debug("confirmed fragments cannot be deleted yet")
            self._look_for_oldest()

    def failed(self, error: sqlite3.Error) -> None:
        """Whoever could not read says so here."""
        self.disk.failed(self._path, error)

    def kept(self, name: str) -> bytes | None:
        """What was kept by this name, None if nothing was."""
        with self._lock:
            row = self._db.execute("SELECT body FROM kept WHERE name = ?", (name,)).fetchone()
        return None if row is None else bytes(row[0])

    def open_events(self) -> list[AnomalyEvent]:
        """Events that were not closed yet, oldest first."""
        return self._events("SELECT body FROM events WHERE closed IS NULL ORDER BY opened", ())

    def events_since(self, since: float, limit: int = 1000) -> list[AnomalyEvent]:
        """Events that changed at or after a Unix time, and those still open: latest state each."""
        return self._events(
            "SELECT body FROM (SELECT body, opened FROM events "
            "WHERE changed >= ? OR closed IS NULL ORDER BY opened DESC LIMIT ?) ORDER BY opened",
            (since, limit),
        )

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    @contextmanager
    def _writing(self, *, durable: bool) -> Iterator[None]:
        """One transaction: all of it and the counts, or none."""
        self._move_into_file()
        before = self._counts.copy()
        try:
            # Verdicts may be lost with the power of their last seconds; an event may not.
            self._db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            with self._db:
                yield
        except BaseException as error:
            self._counts = before
            if isinstance(error, sqlite3.Error):
                self.disk.failed(self._path, error)
            raise
        if self._reopen is None:
            self.disk.written(self._path)

    def _move_into_file(self) -> None:
        if self._reopen is None or time.monotonic() < self._reopen:
            return
        self._reopen = time.monotonic() + REOPEN_SECONDS
        try:
            file = open_file(self._path)
        except sqlite3.OperationalError as error:
            self.disk.failed(self._path, error)
            return
        try:
            self._delete_confirmed()
            move(self._db, file)
        except sqlite3.Error as error:
            self.disk.failed(self._path, error)
            file.close()
            return
        self._db.close()
        self._db, self._reopen = file, None
        self._count()

    def _count(self) -> None:
        rows = self._db.execute("SELECT kind, count(*), sum(size) FROM outbox GROUP BY kind")
        for kind, count, size in rows:
            self._counts.rows[kind] = count
            self._counts.bytes[kind] = size
        self._look_for_oldest()

    def _events(self, query: str, parameters: tuple[float, ...]) -> list[AnomalyEvent]:
        with self._lock:
            rows = self._db.execute(query, parameters).fetchall()
        return [msgspec.json.decode(body, type=AnomalyEvent) for (body,) in rows]

    def _delete_confirmed(self) -> None:
        self._db.executemany(
            "DELETE FROM outbox WHERE kind = ? AND id <= ?", self._confirmed.items()
        )

    def _look_for_oldest(self) -> None:
        found = {}
        for kind in DROP_ORDER:
            if not self._counts.rows[kind]:
                continue
            # Whatever is done is done: not to know its age is no reason to do it again.
            with suppress(sqlite3.Error):
                (made,) = self._db.execute(
                    "SELECT made FROM outbox WHERE kind = ? AND id > ? ORDER BY id LIMIT 1",
                    (kind, self._confirmed.get(kind, 0)),
                ).fetchone()
                found[kind] = float(made)
        self._oldest = found

    def _insert(self, fragments: Sequence[Fragment]) -> None:
        counts, now = self._counts, self._clock()
        for fragment in fragments:
            kind, size = fragment.kind, len(fragment.body)
            self._db.execute(
                "INSERT INTO outbox (kind, size, body, made) VALUES (?, ?, ?, ?)",
                (kind, size, fragment.body, now),
            )
            counts.rows[kind] += 1
            counts.bytes[kind] += size
            counts.recorded[kind] += size
        in_memory = self._reopen is not None
        most = min(self._max_bytes, MAX_MEMORY_BYTES) if in_memory else self._max_bytes
        for kind in DROP_ORDER:
            while counts.rows[kind] and (
                counts.rows.total() > self._max_rows or counts.bytes.total() > most
            ):
                self._drop_oldest(kind)

    def _drop_oldest(self, kind: str) -> None:
        row_id, size = self._db.execute(
            "SELECT id, size FROM outbox WHERE kind = ? ORDER BY id LIMIT 1", (kind,)
        ).fetchone()
        self._db.execute("DELETE FROM outbox WHERE id = ?", (row_id,))
        self._counts.rows[kind] -= 1
        self._counts.bytes[kind] -= size
        self._counts.dropped[kind] += 1
        self._counts.gone[kind] = row_id

    def _upsert(self, events: Sequence[AnomalyEvent]) -> None:
        now = self._clock()
        for event in events:
            self._db.execute(
                "INSERT INTO events (id, opened, closed, changed, body) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT (id) DO UPDATE SET closed = excluded.closed, "
                "changed = excluded.changed, body = excluded.body",
                (event.id, event.opened, event.closed, now, msgspec.json.encode(event)),
            )
        if events:
            self._db.execute(
                "DELETE FROM events WHERE closed IS NOT NULL AND id NOT IN "
                "(SELECT id FROM events ORDER BY changed DESC LIMIT ?)",
                (self._events_kept,),
            )

"""What must outlive the process: anomaly events, and what still waits for the cloud.

One SQLite file in WAL mode. A transaction survives SIGKILL; one with an event in it also a loss
of power. When the cloud is away the outbox grows to its bound and then drops the oldest,
captures first and events last, and counts what it drops. Sizing, in bytes for an outage of
``h`` hours: ``3600 · h · turbines · (300 · verdicts/s + 30)``.
"""

import logging
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from gustbed_core.errors import GustbedError
from gustbed_core.events import AnomalyEvent

log = logging.getLogger(__name__)

FILE = "edge.sqlite"
VERSION = 1
"""Of the file's form."""
DROP_ORDER = ("capture", "telemetry", "logs", "verdicts", "events")
"""Uplink kinds, least worth first."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
  id TEXT PRIMARY KEY, opened REAL NOT NULL, closed REAL, changed REAL NOT NULL, body BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS events_by_change ON events (changed);
CREATE TABLE IF NOT EXISTS outbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL,
  size INTEGER NOT NULL, body BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS outbox_by_kind ON outbox (kind, id);
"""


@dataclass(frozen=True, slots=True)
class Fragment:
    """Part of an uplink message: its JSON items, joined by commas."""

    kind: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Pending:
    """A fragment that waits, by its row id."""

    id: int
    body: bytes


class Outbox:
    """Thread-safe. Methods raise ``sqlite3.Error`` when the disk fails; nothing is lost then
    that was not in the call.
    """

    def __init__(self, folder: Path, *, max_bytes: int, max_rows: int, events_kept: int) -> None:
        self.dropped: Counter[str] = Counter()
        self._max_bytes = max_bytes
        self._max_rows = max_rows
        self._events_kept = events_kept
        self._lock = threading.Lock()
        self._db = _open(folder / FILE)
        self._rows: Counter[str] = Counter()
        self._bytes = 0
        for kind, rows, size in self._db.execute(
            "SELECT kind, count(*), sum(size) FROM outbox GROUP BY kind"
        ):
            self._rows[kind] = rows
            self._bytes += size

    @property
    def waiting(self) -> int:
        """Fragments not yet acknowledged by the cloud."""
        return self._rows.total()

    @property
    def waiting_bytes(self) -> int:
        """Their size."""
        return self._bytes

    def record(self, fragments: Sequence[Fragment], events: Sequence[AnomalyEvent] = ()) -> None:
        """Store fragments and the latest state of events in one transaction."""
        with self._lock:
            # Verdicts may be lost with the power of their last seconds; an event may not.
            self._db.execute(f"PRAGMA synchronous = {'FULL' if events else 'NORMAL'}")
            before = self._rows.copy(), self._bytes, self.dropped.copy()
            try:
                with self._db:
                    self._insert(fragments)
                    self._upsert(events)
            except BaseException:
                self._rows, self._bytes, self.dropped = before
                raise

    def waiting_for(self, kind: str, max_bytes: int) -> list[Pending]:
        """The oldest fragments of a kind, at least one, together within ``max_bytes``."""
        found: list[Pending] = []
        with self._lock:
            rows = self._db.execute(
                "SELECT id, body FROM outbox WHERE kind = ? ORDER BY id", (kind,)
            )
            with closing(rows):
                for row_id, body in rows:
                    max_bytes -= len(body) + 1
                    if found and max_bytes < 0:
                        break
                    found.append(Pending(row_id, body))
        return found

    def acknowledge(self, kind: str, pending: Iterable[Pending]) -> None:
        """Delete what the cloud has confirmed."""
        with self._lock, self._db:
            for item in pending:
                # A fragment may have been dropped while it was under way.
                if self._db.execute("DELETE FROM outbox WHERE id = ?", (item.id,)).rowcount:
                    self._rows[kind] -= 1
                    self._bytes -= len(item.body)

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

    def _events(self, query: str, parameters: tuple[float, ...]) -> list[AnomalyEvent]:
        with self._lock:
            rows = self._db.execute(query, parameters).fetchall()
        return [msgspec.json.decode(body, type=AnomalyEvent) for (body,) in rows]

    def _insert(self, fragments: Sequence[Fragment]) -> None:
        for fragment in fragments:
            self._db.execute(
                "INSERT INTO outbox (kind, size, body) VALUES (?, ?, ?)",
                (fragment.kind, len(fragment.body), fragment.body),
            )
            self._rows[fragment.kind] += 1
            self._bytes += len(fragment.body)
        for kind in DROP_ORDER:
            while self._rows[kind] and (
                self._rows.total() > self._max_rows or self._bytes > self._max_bytes
            ):
                self._drop_oldest(kind)

    def _drop_oldest(self, kind: str) -> None:
        row_id, size = self._db.execute(
            "SELECT id, size FROM outbox WHERE kind = ? ORDER BY id LIMIT 1", (kind,)
        ).fetchone()
        self._db.execute("DELETE FROM outbox WHERE id = ?", (row_id,))
        self._rows[kind] -= 1
        self._bytes -= size
        self.dropped[kind] += 1

    def _upsert(self, events: Sequence[AnomalyEvent]) -> None:
        now = time.time()
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


def _open(path: Path) -> sqlite3.Connection:
    try:
        return _connect(path)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise GustbedError(f"{path}: {error}", "make it and its folder writable") from error
        # A gateway that nobody visits must start again without a person; the file is kept.
        aside = path.with_suffix(f".corrupt-{int(time.time())}")
        log.error("%s: %s; kept as %s, starting a new one", path, error, aside.name)  # noqa: TRY400
        path.replace(aside)
        for suffix in ("-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        return _connect(path)


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, check_same_thread=False, timeout=5)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA wal_autocheckpoint = 2000")
        db.executescript(_SCHEMA)
        _check(db)
        _migrate(db)
    except BaseException:
        db.close()
        raise
    return db


def _check(db: sqlite3.Connection) -> None:
    if db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
        raise sqlite3.DatabaseError("quick_check failed")


def _migrate(db: sqlite3.Connection) -> None:
    """Bring what still waits into the form of today: the cloud reads no other."""
    if db.execute("PRAGMA user_version").fetchone()[0] >= VERSION:
        return
    with db:
        rows = db.execute("SELECT id, body FROM outbox WHERE kind = 'telemetry'").fetchall()
        for row_id, body in rows:
            summaries = [_named(each) for each in msgspec.json.decode(b"[" + body + b"]")]
            new = b",".join(msgspec.json.encode(summary) for summary in summaries)
            db.execute("UPDATE outbox SET size = ?, body = ? WHERE id = ?", (len(new), new, row_id))
        db.execute(f"PRAGMA user_version = {VERSION}")


def _named(summary: dict[str, Any]) -> dict[str, Any]:
    """Version 0 had a field for each of a miniature's aggregates, and no other type's."""
    if "values" in summary:
        return summary
    turbine, t = summary.pop("turbine"), summary.pop("t")
    return {"turbine": turbine, "type": "mini", "t": t, "values": summary}

"""The SQLite file of events and of what waits: its form, and how it is opened."""

import logging
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

log = logging.getLogger(__name__)

VERSION = 2
"""Of the file's form. 1: summaries have named values. 2: fragments have their time."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
  id TEXT PRIMARY KEY, opened REAL NOT NULL, closed REAL, changed REAL NOT NULL, body BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS events_by_change ON events (changed);
CREATE TABLE IF NOT EXISTS outbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL,
  size INTEGER NOT NULL, body BLOB NOT NULL, made REAL NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX IF NOT EXISTS outbox_by_kind ON outbox (kind, id);
CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, body BLOB NOT NULL) STRICT;
"""


def open_file(path: Path) -> sqlite3.Connection:
    """Open or make it; one that is spoilt is set aside. Raises ``sqlite3.OperationalError`` if the
    disk will not let it be opened for writing.
    """
    try:
        return _connect(path)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        # A gateway that nobody visits must start again without a person; the file is kept.
        aside = path.with_suffix(f".corrupt-{int(time.time())}")
        log.error("%s: %s; kept as %s, starting a new one", path, error, aside.name)  # noqa: TRY400
        path.replace(aside)
        for suffix in ("-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        return _connect(path)


def open_memory(path: Path) -> sqlite3.Connection:
    """The same in memory, in place of a file on a disk that refuses it. It knows the events that
    were open and what was kept, as far as the file can be read.
    """
    memory = sqlite3.connect(":memory:", check_same_thread=False)
    memory.executescript(_SCHEMA)
    # Beyond any row of the file, where they are to go one day.
    memory.execute("INSERT INTO sqlite_sequence VALUES ('outbox', ?)", (int(time.time() * 1e6),))
    with suppress(sqlite3.Error), closing(_read_only(path)) as file:
        _copy(file, memory, "events", "WHERE closed IS NULL")
        _copy(file, memory, "kept")
    memory.commit()
    return memory


def move(memory: sqlite3.Connection, file: sqlite3.Connection) -> None:
    """Put what was in memory into the file. Raises ``sqlite3.Error``, the file unchanged then."""
    with file:
        for table in ("events", "outbox", "kept"):
            _copy(memory, file, table)


def _copy(
    source: sqlite3.Connection, target: sqlite3.Connection, table: str, which: str = ""
) -> None:
    # Table and condition are ours, never another's.
    rows = source.execute(f"SELECT * FROM {table} {which}").fetchall()  # noqa: S608
    if rows:
        marks = ", ".join("?" * len(rows[0]))
        target.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", rows)  # noqa: S608


def _read_only(path: Path) -> sqlite3.Connection:
    # Immutable: anything else wants a file beside it, for which there may be no room.
    return sqlite3.connect(f"file:{quote(str(path))}?mode=ro&immutable=1", uri=True)


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
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version >= VERSION:
        return
    with db:
        if version < 1:
            _name_values(db)
        columns = [row[1] for row in db.execute("PRAGMA table_info(outbox)")]
        if "made" not in columns:
            db.execute("ALTER TABLE outbox ADD COLUMN made REAL NOT NULL DEFAULT 0")
        # How long they have waited is not known; from now on it is.
        db.execute("UPDATE outbox SET made = ?", (time.time(),))
        db.execute(f"PRAGMA user_version = {VERSION}")


def _name_values(db: sqlite3.Connection) -> None:
    rows = db.execute("SELECT id, body FROM outbox WHERE kind = 'telemetry'").fetchall()
    for row_id, body in rows:
        summaries = [_named(each) for each in msgspec.json.decode(b"[" + body + b"]")]
        new = b",".join(msgspec.json.encode(summary) for summary in summaries)
        db.execute("UPDATE outbox SET size = ?, body = ? WHERE id = ?", (len(new), new, row_id))


def _named(summary: dict[str, Any]) -> dict[str, Any]:
    """Version 0 had a field for each of a miniature's aggregates, and no other type's."""
    if "values" in summary:
        return summary
    turbine, t = summary.pop("turbine"), summary.pop("t")
    return {"turbine": turbine, "type": "mini", "t": t, "values": summary}

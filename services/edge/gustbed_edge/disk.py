"""Which of the edge's files cannot be written, why, and what mends it."""

import errno
import logging
import os
import sqlite3
import threading
from pathlib import Path

log = logging.getLogger(__name__)

_FULL = "the disk is full: make room on it"
_READ_ONLY = "make it writable: its disk is mounted read-only, or its rights are wrong"
_BROKEN = "check its disk"
_REMEDY = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EROFS: _READ_ONLY,
    errno.EACCES: _READ_ONLY,
    errno.EPERM: _READ_ONLY,
}
_SQLITE_REMEDY = {sqlite3.SQLITE_FULL: _FULL, sqlite3.SQLITE_READONLY: _READ_ONLY}
_NO_ROOM_BYTES = 64 * 1024


class Disk:
    """What the parts that write have met. Any thread may tell; whoever asks never waits for a
    disk.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failing: dict[Path, str] = {}

    def failed(self, path: Path, error: Exception) -> None:
        """Note that a file could not be written. Logged once, not at every try."""
        reason = f"cannot write {path}: {_said(error)}; {_remedy(path, error)}"
        with self._lock:
            known = self._failing.get(path) == reason
            self._failing[path] = reason
        if not known:
            log.error("%s", reason)

    def written(self, path: Path) -> None:
        """Note that a file could be written (again)."""
        if not self._failing:
            return
        with self._lock:
            known = self._failing.pop(path, None)
        if known:
            log.warning("%s can be written again", path)

    def reasons(self) -> list[str]:
        """A line for each file that cannot be written now: which, why, and the remedy."""
        with self._lock:
            return list(self._failing.values())


def _said(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _remedy(path: Path, error: Exception) -> str:
    if isinstance(error, OSError):
        known = _REMEDY.get(error.errno or 0)
    else:
        # The low byte is the kind; the rest says more exactly where.
        known = _SQLITE_REMEDY.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
    return known or _seen(path)


def _seen(path: Path) -> str:
    """What the disk itself looks like, where the error says no more than that it failed."""
    try:
        found = os.statvfs(path.parent)
    except OSError:
        return _BROKEN
    if found.f_flag & os.ST_RDONLY:
        return _READ_ONLY
    return _FULL if found.f_bavail * found.f_frsize < _NO_ROOM_BYTES else _BROKEN

"""The registry's memory: JSON lines in a file, each on the disk before its call is answered."""

import errno
import io
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class JournalError(Exception):
    """A journal that cannot be read or written, in one line."""


def append_whole(file: io.FileIO, line: bytes) -> None:
    """Write a line at a file's end, whole or not at all. Raises ``OSError``."""
    before = os.fstat(file.fileno()).st_size
    written = 0
    try:
        written = file.write(line)
    finally:
        if written < len(line):
            # Or the next line would follow upon half of this one.
            os.ftruncate(file.fileno(), before)
    if written < len(line):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class Journal:
    """Append entries; read them back. A last line that was cut by a crash is dropped."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._cut_torn_line()
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            raise JournalError(f"{path}: {error.strerror}: make its folder writable") from error

    def append(self, entry: dict[str, Any]) -> None:
        """Write an entry and wait until it is on the disk.

        Raises ``OSError`` if the disk does not take it; nothing of it is left then.
        """
        line = json.dumps(entry, separators=(",", ":")).encode() + b"\n"
        with self._lock:
            append_whole(self._file, line)
            os.fsync(self._file.fileno())

    def entries(self) -> Iterator[dict[str, Any]]:
        """Yield everything from the beginning. Raises ``JournalError`` naming a bad line."""
        with self._path.open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    entry = json.loads(line)
                except ValueError as error:
                    raise JournalError(
                        f"{self._path}: line {number} is damaged: restore it, or move it away"
                    ) from error
                yield entry

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _cut_torn_line(self) -> None:
        """Cut off a last line without an end: its call was never answered."""
        if not self._path.exists():
            return
        data = self._path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            os.truncate(self._path, whole)

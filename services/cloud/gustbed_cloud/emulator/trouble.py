"""A disk that is full or read-only, until it is not: said once, and shown by the health checks."""

import os
import sys
from pathlib import Path

ROOM = 64 * 1024
"""Bytes that must fit before all is said to be well again."""


class Trouble:
    """The reason why nothing can be written below a folder, told when it comes and goes."""

    def __init__(self, who: str, folder: Path) -> None:
        self._who = who
        self._folder = folder
        self.reason = ""

    def has(self, error: OSError) -> None:
        """Something could not be written."""
        reason = f"{self._folder}: {error.strerror or error}"
        if reason != self.reason:
            _say(f"{self._who}: {reason}: nothing is kept until there is room")
        self.reason = reason

    def gone(self) -> None:
        """Something could be written."""
        if self.reason:
            _say(f"{self._who}: {self._folder}: can be written again")
        self.reason = ""

    def look(self) -> bool:
        """Try whether there is room. Returns whether there is."""
        probe = self._folder / ".room"
        try:
            with probe.open("wb", buffering=0) as file:
                file.write(b"\0" * ROOM)
                os.fsync(file.fileno())
        except OSError as error:
            self.has(error)
        else:
            self.gone()
        finally:
            _remove(probe)
        return not self.reason


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)

"""What lets the emulator be killed at any moment: whole snapshots, and the messages since.

A snapshot is a folder with one file per service, all of one instant; ``state`` is a link to the
latest, swapped in one step. Device messages that were acknowledged after it are in a journal and
go through the topic rules again at the next start; their consumers fold repeats by id.
"""

import base64
import errno
import hashlib
import io
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from journal import append_whole

Serialise = Callable[[str, Any], bytes]
"""From a service's name and state to its file's content."""
STATE = "state"


@dataclass(frozen=True)
class Message:
    """A device's message, acknowledged."""

    account: str
    region: str
    topic: str
    payload: bytes
    client: str | None

    def to_line(self) -> bytes:
        """One line of JSON."""
        payload = base64.b64encode(self.payload).decode()
        fields = [self.account, self.region, self.topic, payload, self.client]
        return json.dumps(fields).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> "Message":
        """Raises ``ValueError`` for a line that a crash has cut."""
        account, region, topic, payload, client = json.loads(line)
        return cls(account, region, topic, base64.b64decode(payload), client)


class Snapshots:
    """Snapshots below a folder, of which the latest is kept."""

    def __init__(self, root: Path, serialise: Serialise) -> None:
        self._root = root
        self._serialise = serialise
        self._written: dict[str, bytes] = {}
        self._adopt()

    @property
    def link(self) -> Path:
        """Where the emulator reads its state."""
        return self._root / STATE

    def take(self, services: Mapping[str, Callable[[], Any]]) -> bool:
        """Write every service's state if any has changed. Returns whether one had.

        Raises ``OSError`` if the disk does not take it; the snapshot before it then holds.
        """
        changed = {
            name: content
            for name, get_state in services.items()
            if (state := get_state()) is not None
            and _digest(content := self._serialise(name, state)) != self._written.get(name)
        }
        if not changed:
            return False
        old = self.link.resolve()
        fresh = self._root / f"snapshot-{_number(old) + 1}"
        shutil.rmtree(fresh, ignore_errors=True)
        try:
            # Links, because most of it has not changed; the services keep blobs of their own there.
            shutil.copytree(old, fresh, copy_function=os.link)
            for name, content in changed.items():
                path = fresh / f"{name}.json"
                path.unlink(missing_ok=True)
                path.write_bytes(content)
            self._point_to(fresh)
        except (OSError, shutil.Error) as error:
            # A full disk needs the room that half a snapshot takes.
            shutil.rmtree(fresh, ignore_errors=True)
            raise _one(error) from error
        shutil.rmtree(old, ignore_errors=True)
        self._written |= {name: _digest(content) for name, content in changed.items()}
        return True

    def _adopt(self) -> None:
        """Make sure that there is a snapshot, and clear away what a crash left."""
        self._root.mkdir(parents=True, exist_ok=True)
        if not self.link.is_symlink():
            first = self._root / "snapshot-0"
            first.mkdir(exist_ok=True)
            self._point_to(first)
        current = self.link.resolve()
        current.mkdir(exist_ok=True)
        for path in self._root.glob("snapshot-*"):
            if path.resolve() != current:
                shutil.rmtree(path, ignore_errors=True)

    def _point_to(self, folder: Path) -> None:
        swap = self._root / f".{STATE}"
        swap.unlink(missing_ok=True)
        swap.symlink_to(folder.name)
        swap.replace(self.link)


class MessageJournal:
    """Messages since the snapshot before the latest, a file per snapshot.

    Nothing is dropped until ``routed`` says that what an earlier process left has been routed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._epoch = max((_number(path) for path in self._files()), default=0)
        self._file: io.FileIO | None = None
        self._last: int | None = None
        self.routed = False

    def append(self, message: Message) -> None:
        """Hand a message to the operating system: it then survives this process.

        Raises ``OSError`` if the disk does not take it; nothing of it is left then.
        """
        if self._file is None:
            self._epoch += 1
            self._file = (self._folder / f"messages-{self._epoch}").open("ab", buffering=0)
        append_whole(self._file, message.to_line())

    def rotate(self) -> None:
        """Begin a new file; call before a snapshot is taken."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def forget(self) -> None:
        """Drop what the snapshot just taken surely holds.

        The latest file stays: a message of it may have been under way through the rules.
        """
        for path in self._files()[:-1] if self.routed else ():
            path.unlink(missing_ok=True)

    def freeze(self) -> None:
        """The end begins: what comes from now on may miss the last snapshot, and stays."""
        self.rotate()
        self._last = self._epoch

    def clear(self) -> None:
        """Drop what came before the end began: the state was saved in full."""
        self.rotate()
        for path in self._files() if self.routed else ():
            if self._last is None or _number(path) <= self._last:
                path.unlink(missing_ok=True)

    def messages(self) -> Iterator[Message]:
        """Yield what is kept, in order."""
        for path in self._files():
            for line in path.read_bytes().splitlines(keepends=True):
                try:
                    yield Message.from_line(line)
                except ValueError:
                    continue

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("messages-*"), key=_number)


def _one(error: OSError) -> OSError:
    """The first of the errors that ``copytree`` collects, which have no number of their own."""
    if isinstance(error, shutil.Error) and error.args and error.args[0]:
        return OSError(errno.EIO, str(error.args[0][0][2]))
    return error


def _digest(content: bytes) -> bytes:
    # Not the content itself: logs may be 50 MB of it.
    return hashlib.blake2b(content).digest()


def _number(path: Path) -> int:
    return int(path.name.rpartition("-")[2])

"""Keeps checkpoints while the twin runs: every so often, and whenever somebody asks."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from gustbed_core.errors import GustbedError
from gustbed_twin.checkpoints.file import Snapshot


@dataclass(frozen=True, slots=True)
class Requester:
    """Who wants to know when a checkpoint has been written: a turbine's position, a command."""

    position: int
    command: str


@dataclass(frozen=True, slots=True)
class CheckpointResult:
    """A checkpoint that was written, or ``reason`` why it was not."""

    askers: tuple[Requester, ...]
    reason: str


class CheckpointWriter:
    """Writes snapshots to ``path`` on a thread of its own, so that blocks are not held up.

    A snapshot is taken between blocks, never before it was asked for, and one at a time: who asks
    while one is being written gets the next. ``every_s`` is real time; 0 is only when asked.
    """

    def __init__(
        self,
        snapshot: Callable[[], Snapshot],
        path: Path,
        every_s: float,
        now: Callable[[], float],
    ) -> None:
        self.path = path
        self._snapshot = snapshot
        self._every_s = every_s
        self._now = now
        self._due = now() + every_s
        self._waiting: list[Requester] = []
        self._served: tuple[Requester, ...] = ()
        self._writing: Future[None] | None = None
        self._thread = ThreadPoolExecutor(1, "checkpoint")

    def ask(self, asked: Requester) -> None:
        """Have a checkpoint written; ``look`` tells when it is."""
        self._waiting.append(asked)

    def is_asked(self, asked: Requester) -> bool:
        """Whether this very request has been made and not yet answered."""
        return asked in self._waiting or asked in self._served

    def look(self) -> CheckpointResult | None:
        """Call between blocks: begins what is due; what has been written since the last call."""
        kept = None
        if self._writing is not None and self._writing.done():
            kept = CheckpointResult(self._served, _reason(self._writing))
            self._writing, self._served = None, ()
        due = self._every_s > 0.0 and self._now() >= self._due
        if self._writing is None and (due or self._waiting):
            self._due = self._now() + self._every_s
            self._served, self._waiting = tuple(self._waiting), []
            self._writing = self._thread.submit(self._snapshot(), self.path)
        return kept

    def close(self) -> CheckpointResult | None:
        """Wait for the one that is being written."""
        self._thread.shutdown(wait=True)
        if self._writing is None:
            return None
        kept = CheckpointResult(self._served, _reason(self._writing))
        self._writing = None
        return kept


def _reason(writing: Future[None]) -> str:
    try:
        writing.result()
    except GustbedError as error:
        return str(error)
    return ""

"""Calling plug-ins so that what they raise stays with them: logged, counted, shown in health."""

import logging
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Generic, ParamSpec, TypeVar

from gustbed_core.events import AnomalyEvent
from gustbed_core.worker import Worker
from gustbed_edge.ingest.receiver import ArrivedBlock
from gustbed_edge.plugins import Sink, Workload

log = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")

SINK_WAITING = 1000
"""Events that may wait for a sink."""
WORKLOAD_WAITING = 64
"""Batches of blocks that may wait for a workload."""
IDLE_SECONDS = 0.5
STOP_SECONDS = 1.0


class Guard:
    """One plug-in's failures. ``name`` is its group and name, such as ``sinks/announce``."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.failures = 0
        self.dropped = 0
        """What did not wait for it any longer."""
        self.counted: Counter[str] = Counter()
        """What it counted itself."""
        self.error = ""
        """The latest failure, in one line."""

    def call(self, function: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
        """Call it; a failure is noted and goes no further."""
        try:
            function(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - whatever a plug-in raises is its own
            self.fail(error)

    def fail(self, error: Exception) -> None:
        """Note a failure. The first is logged with its traceback, those that follow in a line."""
        self.failures += 1
        self.error = f"{type(error).__name__}: {error}"[:200]
        if self.failures == 1:
            log.error("plug-in %s failed", self.name, exc_info=error)
        else:
            log.warning("plug-in %s failed (%d times): %s", self.name, self.failures, self.error)


class _Queued(Worker, Generic[T]):
    """A plug-in called by a thread of its own: it may be slow, and nobody waits for it."""

    def __init__(self, guard: Guard, limit: int) -> None:
        super().__init__(guard.name)
        self.guard = guard
        self._waiting: deque[T] = deque(maxlen=limit)

    def put(self, item: T) -> None:
        """Let an item wait; the oldest goes if too many do. Never blocks."""
        if len(self._waiting) == self._waiting.maxlen:
            self.guard.dropped += 1
        self._waiting.append(item)
        self.wake()

    def take_all(self) -> list[T]:
        """What waits."""
        # popleft and not list(): another thread may append in between.
        return [self._waiting.popleft() for _ in range(len(self._waiting))]


class SinkWorker(_Queued[AnomalyEvent]):
    """A sink with its events."""

    def __init__(self, sink: Sink, guard: Guard) -> None:
        super().__init__(guard, SINK_WAITING)
        self._sink = sink

    def turn(self) -> None:
        """Send what waits."""
        for event in self.take_all():
            self.guard.call(self._sink.send, event)

    def finish(self) -> None:
        """Send what came while it stopped."""
        self.turn()


class WorkloadWorker(_Queued[Sequence[ArrivedBlock]]):
    """A workload that is not Gustbed's own, with its blocks."""

    def __init__(self, workload: Workload, guard: Guard) -> None:
        super().__init__(guard, WORKLOAD_WAITING)
        self._workload = workload

    def score(self, blocks: Sequence[ArrivedBlock]) -> None:
        """Let blocks wait; never blocks."""
        if blocks:
            self.put(blocks)

    def turn(self) -> float:
        """Give the workload what waits."""
        waiting = self.take_all()
        blocks = [block for batch in waiting for block in batch]
        self.guard.call(self._workload.score, blocks)
        return IDLE_SECONDS

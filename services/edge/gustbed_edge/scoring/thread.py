"""The scoring thread: takes what has come, checks it, and gives it to every workload."""

import logging
import threading
import time
from collections.abc import Sequence

from gustbed_edge.guard import Guard
from gustbed_edge.ingest.queue import Received, ReceiveQueue
from gustbed_edge.ingest.receiver import ArrivedBlock, BlockReceiver
from gustbed_edge.plugins import Workload

log = logging.getLogger(__name__)

IDLE_SECONDS = 0.5
STOP_SECONDS = 3.0


class ScoringThread:
    """From the queue to the workloads. Not a ``Worker``: it is woken by the queue alone.

    ``enough`` blocks are scored without waiting ``grace`` seconds for more.
    """

    def __init__(
        self,
        queue: ReceiveQueue,
        receiver: BlockReceiver,
        workloads: Sequence[tuple[Workload, Guard]],
        *,
        enough: int,
        grace: float,
    ) -> None:
        self.failures = 0
        """Batches that failed before any workload had them."""
        self.last_turn = time.monotonic()
        """When the thread last went round: how a stuck one is found."""
        self._queue = queue
        self._receiver = receiver
        self._workloads = tuple(workloads)
        self._enough = enough
        self._grace = grace
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="scoring", daemon=True)

    def start(self) -> None:
        """Begin scoring in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Score what has come, and end."""
        self._stopping = True
        self._thread.join(STOP_SECONDS)

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def _run(self) -> None:
        while not (self._stopping and not len(self._queue)):
            self.last_turn = time.monotonic()
            batch = self._queue.take(IDLE_SECONDS, self._grace, self._enough)
            blocks = self._read(batch)
            for workload, guard in self._workloads:
                guard.call(workload.score, blocks)

    def _read(self, batch: Sequence[Received]) -> list[ArrivedBlock]:
        try:
            return self._receiver.take(batch) if batch else []
        except Exception:
            # A fault of ours in one batch must not end the scoring of all that follow.
            self.failures += 1
            log.exception("a batch of %d payloads failed", len(batch))
            return []

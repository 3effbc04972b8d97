"""The scoring thread: takes what has come, scores it in one run, tells the result."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

import numpy as np

from gustbed_core import codec, topics
from gustbed_core.mqtt import Message
from gustbed_edge.capture.capturer import Capturer
from gustbed_edge.ingest.queue import ReceiveQueue
from gustbed_edge.outbox.recorder import Recorder
from gustbed_edge.scoring.detector import Detector
from gustbed_edge.scoring.scorer import Outcome, Received, Scorer
from gustbed_edge.scoring.shadow_models import ShadowModels

log = logging.getLogger(__name__)

IDLE_SECONDS = 0.5
LATENCIES_KEPT = 2048
SWAP_TIMEOUT = 10.0


class ScoringThread:
    """From the intake to verdicts on the site broker and records for the cloud."""

    def __init__(
        self,
        site: str,
        queue: ReceiveQueue,
        scorer: Scorer,
        shadow_models: ShadowModels,
        capturer: Capturer,
        recorder: Recorder,
        publish: Callable[[Message], bool],
        *,
        turbines: tuple[str, ...],
        grace: float,
        telemetry_interval: float,
    ) -> None:
        self.verdicts = 0
        self.failures = 0
        self.last_turn = time.monotonic()
        """When the thread last went round: how a stuck one is found."""
        self._queue = queue
        self._scorer = scorer
        self._shadow_models = shadow_models
        self._capturer = capturer
        self._recorder = recorder
        self._publish = publish
        self._site = site
        self._turbines = turbines
        self._topics = {turbine: topics.verdict(site, turbine) for turbine in turbines}
        self._grace = grace
        self._telemetry_interval = telemetry_interval
        self._latencies: deque[float] = deque(maxlen=LATENCIES_KEPT)
        self._next: Callable[[], None] | None = None
        self._changed = threading.Event()
        self._changing = threading.Lock()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="scoring", daemon=True)

    def start(self) -> None:
        """Begin scoring in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Score what has come, and end."""
        self._stopping = True
        self._thread.join(timeout=3)

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def serve(self, detector: Detector) -> None:
        """Let a model serve its type from the next batch on; blocks that come meanwhile wait.

        Raises ``TimeoutError`` if the thread does not get there, as do the three that follow.
        """
        self._between_batches(lambda: self._scorer.serve(detector))

    def withdraw(self, turbine_type: str) -> None:
        """Let no model serve this turbine type."""
        self._between_batches(lambda: self._scorer.withdraw(turbine_type))

    def start_shadow(self, detector: Detector) -> None:
        """Let a model run in shadow of the one that serves its type."""
        self._between_batches(lambda: self._shadow_models.begin(detector))

    def stop_shadow(self, turbine_type: str) -> None:
        """Let no model run in shadow of this turbine type's."""
        self._between_batches(lambda: self._shadow_models.end(turbine_type))

    def runs_shadow(self, turbine_type: str) -> bool:
        """Whether a shadow model of this turbine type runs."""
        return turbine_type in self._shadow_models.comparisons()

    def latency(self) -> dict[str, float]:
        """Seconds from a block's arrival to its verdict's publication, over the latest blocks."""
        latencies = np.array(self._latencies.copy())
        if not len(latencies):
            return {}
        p50, p99 = np.percentile(latencies, [50, 99]).tolist()
        return {"p50": p50, "p99": p99, "max": float(latencies.max())}

    def _between_batches(self, change: Callable[[], None]) -> None:
        self._changed.clear()
        self._next = change
        if self._changed.wait(SWAP_TIMEOUT):
            return
        with self._changing:
            if self._changed.is_set():
                return
            self._next = None
        raise TimeoutError("the scoring thread did not take the new model")

    def _run(self) -> None:
        summary_due = time.monotonic() + self._telemetry_interval
        while not (self._stopping and not len(self._queue)):
            self.last_turn = time.monotonic()
            batch = self._queue.take(IDLE_SECONDS, self._grace, len(self._turbines))
            try:
                self._take_change()
                if batch:
                    self._score(batch)
                if time.monotonic() >= summary_due:
                    summary_due += self._telemetry_interval
                    self._recorder.summaries(self._scorer.take_summaries())
            except Exception:
                # A fault of ours in one batch must not end the scoring of all that follow.
                self.failures += 1
                log.exception("a batch of %d payloads failed", len(batch))

    def _take_change(self) -> None:
        # Under the lock, so that a change is either given up or made, never both.
        with self._changing:
            change, self._next = self._next, None
            if change is not None:
                change()
                self._changed.set()

    def _score(self, batch: list[Received]) -> None:
        outcome = self._scorer.score(batch)
        self._tell(outcome)
        # Whatever follows comes after the verdicts, and gives way to a backlog.
        turbines = len(self._turbines)
        busy = len(self._queue) >= turbines or len(batch) > 2 * turbines
        for verdict in self._shadow_models.compare(outcome, busy=busy):
            topic = topics.challenger(self._site, verdict.turbine)
            self._publish(Message(topic, codec.encode(verdict), qos=0))
        self._capturer.watch(outcome)

    def _tell(self, outcome: Outcome) -> None:
        self._recorder.events(outcome.events)
        encoded = [codec.encode(verdict) for verdict in outcome.verdicts]
        arrived = (moment for part in outcome.rounds for moment in part.arrived)
        for verdict, payload, moment in zip(outcome.verdicts, encoded, arrived, strict=True):
            self._publish(Message(self._topics[verdict.turbine], payload, qos=0))
            self._latencies.append(time.monotonic() - moment)
        self.verdicts += len(encoded)
        self._recorder.verdicts(encoded)

"""The scoring thread: takes what has come, scores it in one run, tells the result."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

import numpy as np

from gustbed_edge.detector import Detector
from gustbed_edge.intake import Intake
from gustbed_edge.recorder import Recorder
from gustbed_edge.scoring import Outcome, Scorer
from gustbed_protocol import codec, topics
from gustbed_protocol.mqtt import Message

log = logging.getLogger(__name__)

IDLE_SECONDS = 0.5
LATENCIES_KEPT = 2048
SWAP_TIMEOUT = 10.0


class Pipeline:
    """From the intake to verdicts on the site broker and records for the cloud."""

    def __init__(
        self,
        site: str,
        intake: Intake,
        scorer: Scorer,
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
        self._intake = intake
        self._scorer = scorer
        self._recorder = recorder
        self._publish = publish
        self._topics = {turbine: topics.verdict(site, turbine) for turbine in turbines}
        self._grace = grace
        self._telemetry_interval = telemetry_interval
        self._latencies: deque[float] = deque(maxlen=LATENCIES_KEPT)
        self._next: Detector | None = None
        self._swapped = threading.Event()
        self._swapping = threading.Lock()
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

    def swap(self, detector: Detector) -> None:
        """Serve another model from the next batch on; blocks that come meanwhile wait.

        Raises ``TimeoutError`` if the thread does not get there.
        """
        self._swapped.clear()
        self._next = detector
        if self._swapped.wait(SWAP_TIMEOUT):
            return
        with self._swapping:
            if self._swapped.is_set():
                return
            self._next = None
        raise TimeoutError("the scoring thread did not take the new model")

    def latency(self) -> dict[str, float]:
        """Seconds from a block's arrival to its verdict's publication, over the latest blocks."""
        latencies = np.array(self._latencies.copy())
        if not len(latencies):
            return {}
        p50, p99 = np.percentile(latencies, [50, 99]).tolist()
        return {"p50": p50, "p99": p99, "max": float(latencies.max())}

    def _run(self) -> None:
        summary_due = time.monotonic() + self._telemetry_interval
        while not (self._stopping and not len(self._intake)):
            self.last_turn = time.monotonic()
            batch = self._intake.take(IDLE_SECONDS, self._grace, len(self._topics))
            try:
                self._take_swap()
                if batch:
                    self._tell(self._scorer.score(batch))
                if time.monotonic() >= summary_due:
                    summary_due += self._telemetry_interval
                    self._recorder.summaries(self._scorer.take_summaries())
            except Exception:
                # A fault of ours in one batch must not end the scoring of all that follow.
                self.failures += 1
                log.exception("a batch of %d payloads failed", len(batch))

    def _take_swap(self) -> None:
        # Under the lock, so that a swap is either given up or made, never both.
        with self._swapping:
            detector, self._next = self._next, None
            if detector is not None:
                self._scorer.serve(detector)
                self._swapped.set()

    def _tell(self, outcome: Outcome) -> None:
        self._recorder.events(outcome.events)
        encoded = [codec.encode(verdict) for verdict in outcome.verdicts]
        for verdict, payload, arrived in zip(
            outcome.verdicts, encoded, outcome.arrived, strict=True
        ):
            self._publish(Message(self._topics[verdict.turbine], payload, qos=0))
            self._latencies.append(time.monotonic() - arrived)
        self.verdicts += len(encoded)
        self._recorder.verdicts(encoded)

"""The cloud, read in the background so that no page ever waits for it."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from gustbed_cloud.operations import Job, ModelVersion
from gustbed_protocol.errors import GustbedError

REFRESH_SECONDS = 4.0
WATCHED_SECONDS = 15.0
"""The cloud is read only while somebody looks at a page that shows it."""


class Cloud(Protocol):
    """Blocking calls; each raises ``GustbedError`` when the cloud does not answer."""

    def models(self) -> list[ModelVersion]:
        """Every registered version, newest first."""
        ...

    def jobs(self) -> list[Job]:
        """Rollouts, newest first."""
        ...

    def approve(self, model: ModelVersion, *, rollback: bool) -> None:
        """Roll a version out; ``rollback`` says that it may replace a newer one."""
        ...

    def reject(self, model: ModelVersion) -> None:
        """Reject a version."""
        ...


@dataclass(frozen=True, slots=True)
class Decision:
    """What an operator decided about a version."""

    model: ModelVersion
    approve: bool
    rollback: bool = False


@dataclass(frozen=True, slots=True)
class CloudView:
    """The last answer, at ``asked`` (Unix seconds), None before the first.

    ``problem`` says why there is no newer one, ``refusal`` why the last decision failed;
    ``deciding`` holds the ARNs of versions whose decision is under way.
    """

    models: list[ModelVersion]
    jobs: list[Job]
    asked: float | None
    problem: str | None
    refusal: str | None
    deciding: frozenset[str]


class CloudReader:
    """Reads the cloud in a thread of its own while somebody watches.

    ``connect`` makes the client at the first need and again after a failure, so that a dashboard
    without a cloud starts, and one whose cloud returns recovers.
    """

    def __init__(self, connect: Callable[[], Cloud]) -> None:
        self._connect = connect
        self._cloud: Cloud | None = None
        self._lock = threading.Lock()
        self._models: list[ModelVersion] = []
        self._jobs: list[Job] = []
        self._asked: float | None = None
        self._problem: str | None = None
        self._refusal: str | None = None
        self._decisions: deque[Decision] = deque()
        self._watched = float("-inf")
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gustbed-cloud", daemon=True)

    def start(self) -> None:
        """Begin; nothing is asked before someone watches."""
        self._thread.start()

    def stop(self) -> None:
        """End without waiting for a call under way."""
        self._stopping.set()
        self._wake.set()

    def watch(self) -> CloudView:
        """The last answer, and a wish for a newer one. Never blocks on the cloud."""
        with self._lock:
            if time.monotonic() - self._watched > WATCHED_SECONDS:
                self._wake.set()
            self._watched = time.monotonic()
            return CloudView(
                self._models,
                self._jobs,
                self._asked,
                self._problem,
                self._refusal,
                frozenset(decision.model.arn for decision in self._decisions),
            )

    def decide(self, decision: Decision) -> None:
        """Send a decision in the background; the next views tell how it went."""
        with self._lock:
            self._refusal = None
            self._decisions.append(decision)
        self._wake.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.wait(REFRESH_SECONDS)
            self._wake.clear()
            wanted = self._decisions or time.monotonic() - self._watched < WATCHED_SECONDS
            if wanted and not self._stopping.is_set():
                self.refresh()

    def refresh(self) -> None:
        """Send waiting decisions, then read everything. Blocks; pages never call it."""
        try:
            cloud = self._cloud = self._cloud or self._connect()
            self._send_decisions(cloud)
            models, jobs = cloud.models(), cloud.jobs()
        except GustbedError as error:
            # Endpoints and names may have changed while it was away: find the cloud anew.
            self._cloud = None
            with self._lock:
                self._problem = str(error)
                if self._decisions:
                    self._refusal = str(error)
                    self._decisions.clear()
            return
        with self._lock:
            self._models, self._jobs = models, jobs
            self._asked, self._problem = time.time(), None

    def _send_decisions(self, cloud: Cloud) -> None:
        while self._decisions:
            decision = self._decisions[0]
            try:
                if decision.approve:
                    cloud.approve(decision.model, rollback=decision.rollback)
                else:
                    cloud.reject(decision.model)
            except GustbedError as error:
                with self._lock:
                    self._refusal = str(error)
            self._decisions.popleft()

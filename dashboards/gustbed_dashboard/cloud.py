"""What the dashboard asks of the cloud, and a reader that never makes a page wait for it."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

from gustbed_protocol.errors import GustbedError

log = logging.getLogger(__name__)

REFRESH_SECONDS = 4.0
WATCHED_SECONDS = 15.0
"""The cloud is read only while somebody looks at a page that shows it."""

Approval = Literal["pending", "approved", "rejected"]


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One version in the registry. ``key`` names it to the registry; ``created`` is Unix time."""

    key: str
    name: str
    version: str
    approval: Approval
    created: float | None = None
    note: str = ""
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Execution:
    """How a job stands on one edge. ``status`` is AWS IoT's word; ``reason`` explains it."""

    thing: str
    status: str
    reason: str = ""
    updated: float | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A rollout. ``status`` is AWS IoT's word for the job as a whole."""

    id: str
    model: str
    version: str
    status: str
    created: float | None
    executions: tuple[Execution, ...] = ()


class Cloud(Protocol):
    """Blocking calls; each raises ``GustbedError`` when the cloud does not answer."""

    def models(self) -> list[ModelVersion]:
        """Every registered version, newest first."""
        ...

    def jobs(self) -> list[Job]:
        """Rollouts, newest first."""
        ...

    def decide(self, model: ModelVersion, approve: bool) -> None:
        """Approve or reject a version."""
        ...


@dataclass(frozen=True, slots=True)
class CloudView:
    """The last answer. ``asked`` is None before the first; ``problem`` says why it is old."""

    models: list[ModelVersion]
    jobs: list[Job]
    asked: float | None
    problem: str | None


class CloudReader:
    """Reads the cloud in a thread of its own while somebody watches.

    ``connect`` makes the client at the first need, so that a dashboard without a cloud starts.
    """

    def __init__(self, connect: Callable[[], Cloud]) -> None:
        self._connect = connect
        self._cloud: Cloud | None = None
        self._view = CloudView([], [], None, None)
        self._watched = 0.0
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._decisions: list[tuple[ModelVersion, bool]] = []
        self._outcome: str | None = None
        self._thread = threading.Thread(target=self._run, name="gustbed-cloud", daemon=True)

    def start(self) -> None:
        """Begin; nothing is asked before someone watches."""
        self._thread.start()

    def stop(self) -> None:
        """End without waiting for a call under way."""
        self._stopping.set()
        self._wake.set()

    def watch(self) -> CloudView:
        """The last answer, and a wish for a newer one. Never blocks."""
        idle = time.monotonic() - self._watched > REFRESH_SECONDS
        self._watched = time.monotonic()
        if idle:
            self._wake.set()
        return self._view

    def decide(self, model: ModelVersion, approve: bool) -> None:
        """Send a decision in the background; ``outcome`` tells how it went."""
        self._outcome = None
        self._decisions.append((model, approve))
        self._wake.set()

    @property
    def deciding(self) -> list[str]:
        """Keys of versions whose decision is under way."""
        return [model.key for model, _ in self._decisions]

    @property
    def outcome(self) -> str | None:
        """Why the last decision failed, None while it has not."""
        return self._outcome

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.wait(REFRESH_SECONDS)
            self._wake.clear()
            if self._stopping.is_set():
                return
            if self._decisions or time.monotonic() - self._watched < WATCHED_SECONDS:
                self._refresh()

    def _refresh(self) -> None:
        try:
            if self._cloud is None:
                self._cloud = self._connect()
            self._send_decisions(self._cloud)
            models, jobs = self._cloud.models(), self._cloud.jobs()
        except GustbedError as error:
            self._decisions.clear()
            old = self._view
            self._view = CloudView(old.models, old.jobs, old.asked, str(error))
            return
        self._view = CloudView(models, jobs, time.time(), None)

    def _send_decisions(self, cloud: Cloud) -> None:
        while self._decisions:
            model, approve = self._decisions[0]
            try:
                cloud.decide(model, approve)
            except GustbedError as error:
                self._outcome = str(error)
            finally:
                self._decisions.pop(0)

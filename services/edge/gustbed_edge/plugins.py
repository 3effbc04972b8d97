"""What a package of yours can plug into the edge, and what it is given for that.

Each seam is an entry-point group; what is registered is a factory, which gets the seam's context
and returns the plug-in. See ``docs/extending.md``.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from gustbed_core.errors import GustbedError, PayloadError
from gustbed_core.event_kinds import EventKind
from gustbed_core.events import AnomalyEvent, ModelRef
from gustbed_core.mqtt import Handler, Message
from gustbed_core.plugins import Registry
from gustbed_core.settings import SiteSettings
from gustbed_core.telemetry import Samples
from gustbed_edge.ingest.receiver import ArrivedBlock
from gustbed_edge.settings import EdgeSettings

__all__ = [
    "INPUTS",
    "JOB_OPERATIONS",
    "SINKS",
    "WORKLOADS",
    "ArrivedBlock",
    "Input",
    "InputContext",
    "InputFactory",
    "JobContext",
    "JobFailedError",
    "JobOperation",
    "OperationFactory",
    "Sink",
    "SinkContext",
    "SinkFactory",
    "Workload",
    "WorkloadContext",
    "WorkloadFactory",
]


class Input(Protocol):
    """Delivers blocks, by a thread of its own or by subscriptions to the site broker.

    ``gustbed_core.worker.Worker`` is one.
    """

    def start(self) -> None:
        """Begin to deliver. Must not block."""

    def stop(self, timeout: float) -> None:
        """Deliver nothing any more; wait at most ``timeout`` seconds for the end."""


@dataclass(frozen=True)
class InputContext:
    """What an input may use. Every callable may be called by any thread, and none blocks.

    ``deliver`` takes a block, which is checked as any other; ``receive`` takes the payload of one
    from the site broker, by topic; ``reject`` puts what was not readable into quarantine, with
    where it came from. ``rate_hz`` tells how many samples a second the model of a turbine type
    reads, None while none serves it. ``subscribe`` works until ``start``; what
    the broker had retained is not live, and is quarantined as ``retained``. ``count`` adds one to
    a figure of the plug-in's own, which ``/metrics`` shows by its name.
    """

    site: SiteSettings
    settings: EdgeSettings
    deliver: Callable[[Samples], None]
    receive: Callable[[str, bytes], None]
    reject: Callable[[str, bytes, PayloadError], None]
    rate_hz: Callable[[str], float | None]
    subscribe: Callable[[str, Handler], None]
    count: Callable[[str], None] = lambda _what: None


class Workload(Protocol):
    """Looks at every block that was accepted."""

    def score(self, blocks: Sequence[ArrivedBlock]) -> None:
        """Take blocks in order of arrival; called at least once a second, with none if none came.

        What is not Gustbed's own is called by a thread of its own, with the oldest blocks left
        out if it cannot keep up.
        """


@dataclass(frozen=True)
class WorkloadContext:
    """What a workload may use. ``name`` is its own.

    ``events`` takes changes of anomaly events, whose ``model.name`` is the workload's: they go to
    every sink at once, and are kept on disk. ``open_events`` are this workload's that were open at
    the last stop. ``publish`` sends a message to the site broker; False if it cannot.
    """

    site: SiteSettings
    events: Callable[[Iterable[AnomalyEvent]], None]
    open_events: tuple[AnomalyEvent, ...]
    publish: Callable[[Message], bool]
    name: str

    def opened(self, turbine: str, kind: EventKind, t: float, score: float) -> AnomalyEvent:
        """An event of this workload that opens at ``t`` (Unix seconds), not told yet. ``score``
        is above 1 the stronger it is.
        """
        site, thing, model = self.site.site, self.site.thing, ModelRef(self.name, "1.0.0")
        return AnomalyEvent(
            str(uuid4()), site, thing, turbine, kind, t, None, score, model, "opened"
        )


class Sink(Protocol):
    """Takes anomaly events somewhere."""

    def send(self, event: AnomalyEvent) -> None:
        """Take a change of an event, at once: it may not be on disk yet. Called by a thread of its
        own, so that it may take its time; the oldest of 1000 that wait are dropped.
        """


@dataclass(frozen=True)
class SinkContext:
    """What a sink may use. ``publish`` sends a message to the site broker; ``wake_uplink`` makes
    the uplink look at once for what waits.
    """

    site: SiteSettings
    publish: Callable[[Message], bool]
    wake_uplink: Callable[[], None]


class JobFailedError(GustbedError):
    """A job that cannot be done. ``reason`` is a stable code, ``detail`` is for people."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class JobOperation(Protocol):
    """Executes jobs whose document names it in ``operation``."""

    def run(
        self, job: str, document: Mapping[str, object], progress: Callable[[str], None]
    ) -> Mapping[str, str]:
        """Do it; return details for the job's status. The document is untrusted input.

        Raises ``JobFailedError``. May be called again for a job that a restart cut off.
        """


@dataclass(frozen=True)
class JobContext:
    """What a job operation may use. ``data_dir`` is the edge's own folder."""

    site: SiteSettings
    data_dir: Path


InputFactory = Callable[[InputContext], Input | None]
WorkloadFactory = Callable[[WorkloadContext], Workload]
SinkFactory = Callable[[SinkContext], Sink]
OperationFactory = Callable[[JobContext], JobOperation]

INPUTS: Registry[InputFactory] = Registry("gustbed.inputs")
WORKLOADS: Registry[WorkloadFactory] = Registry("gustbed.workloads")
SINKS: Registry[SinkFactory] = Registry("gustbed.sinks")
JOB_OPERATIONS: Registry[OperationFactory] = Registry("gustbed.job_operations")

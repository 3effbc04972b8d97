"""What the edge needs of a cloud, whichever it is: publish, jobs, shadows, identity."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from gustbed_core.plugins import Registry
from gustbed_edge.models.orders import Trust


class Uplink(Protocol):
    """Messages up."""

    @property
    def connected(self) -> bool:
        """Whether the cloud has accepted this edge and not lost it since."""

    def publish(self, topic: str, payload: bytes, timeout: float) -> bool:
        """Publish and wait for the acknowledgement; False if there was none."""


class JobsUnavailableError(Exception):
    """The service did not answer: try again later."""


@dataclass(frozen=True, slots=True)
class Execution:
    """A job to execute, as the service gave it: untrusted."""

    job: str
    number: int
    document: object


@dataclass(frozen=True, slots=True)
class JobOutcome:
    """How one execution of a job ended."""

    job: str
    execution: int
    status: Literal["SUCCEEDED", "FAILED"]
    details: dict[str, str]
    reported: bool = False


class Jobs(Protocol):
    """Jobs for this edge, one after the other."""

    @property
    def connected(self) -> bool:
        """Whether it is worth trying."""

    def start_next(self) -> Execution | None:
        """The job that is in progress or the next in the queue, or None.

        Raises ``JobsUnavailableError``.
        """

    def report(self, outcome: JobOutcome) -> bool:
        """Tell how a job ended. False if the service will never take it: it is over there.

        Raises ``JobsUnavailableError``.
        """


class ShadowsUnavailableError(Exception):
    """The service did not answer: try again later."""


class ShadowRefusedError(Exception):
    """The service will not take this state: trying it again is no use."""


class Shadows(Protocol):
    """Reported and desired state of the turbines, one device shadow each."""

    @property
    def connected(self) -> bool:
        """Whether it is worth trying."""

    def update(self, shadow: str, reported: dict[str, object]) -> None:
        """Set what a shadow reports. Raises ``ShadowsUnavailableError`` or
        ``ShadowRefusedError``.
        """


class Identity(Protocol):
    """Who this edge is to the cloud, and whom it believes."""

    def request(self) -> Path:
        """Make the key and the request for a certificate unless they are there; where it lies.

        Raises ``GustbedError``.
        """

    def trust(self) -> Trust:
        """Who may sign releases now, for whom, and where packages may come from."""


@dataclass(frozen=True)
class CloudListener:
    """Whom a cloud tells what. None of these blocks; any thread may call them.

    ``desired`` gets a shadow's name and, as JSON, what it wants otherwise than reported.
    """

    connected: Callable[[], None]
    job: Callable[[], None]
    desired: Callable[[str, bytes], None]


class Cloud(Protocol):
    """One cloud. Its ports may be used from the beginning: not connected is what they say then."""

    @property
    def uplink(self) -> Uplink:
        """Messages up."""

    @property
    def jobs(self) -> Jobs:
        """Jobs for this edge."""

    @property
    def shadows(self) -> Shadows:
        """The turbines' device shadows."""

    @property
    def identity(self) -> Identity:
        """Keys and certificates."""

    def start(self, listener: CloudListener) -> None:
        """Connect in the background, and again whenever the connection is lost."""

    def stop(self) -> None:
        """Disconnect."""


@dataclass(frozen=True)
class CloudContext:
    """What a cloud is given: this edge's name there, and where its own files lie."""

    thing: str
    data_dir: Path
    enrol_dir: Path


CloudFactory = Callable[[CloudContext], Cloud]
CLOUDS: Registry[CloudFactory] = Registry("gustbed.clouds")

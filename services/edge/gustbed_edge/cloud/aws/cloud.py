"""AWS IoT behind the ports of a cloud."""

from functools import partial
from pathlib import Path
from typing import Any

from gustbed_edge.cloud.aws.connection import IotConnection
from gustbed_edge.cloud.aws.device_shadows import ShadowsClient
from gustbed_edge.cloud.aws.enrolment import Enrolment
from gustbed_edge.cloud.aws.identity import ensure_identity
from gustbed_edge.cloud.aws.jobs import JobsClient
from gustbed_edge.cloud.ports import (
    CloudContext,
    CloudListener,
    Execution,
    JobOutcome,
    JobsUnavailableError,
    ShadowsUnavailableError,
)
from gustbed_edge.models.signatures import Keys


class AwsIdentity:
    """The thing's key, its request, and what enrolment has answered."""

    def __init__(self, context: CloudContext) -> None:
        self._context = context
        self._enrolment = Enrolment(context.enrol_dir / context.thing)

    def request(self) -> Path:
        """Make key and request unless they are there. Raises ``GustbedError``."""
        context = self._context
        return ensure_identity(context.data_dir, context.enrol_dir, context.thing)

    def signing_keys(self) -> Keys:
        """Public keys that may sign releases now, by key id."""
        return self._enrolment.signing_keys()


class AwsJobs:
    """AWS IoT Jobs over whichever client there is."""

    def __init__(self, connection: IotConnection) -> None:
        self.client: JobsClient | None = None
        self._connection = connection

    @property
    def connected(self) -> bool:
        """Whether it is worth trying."""
        return self.client is not None and self._connection.connected

    def start_next(self) -> Execution | None:
        """The next job. Raises ``JobsUnavailableError``."""
        return self._now().start_next()

    def report(self, outcome: JobOutcome) -> bool:
        """How a job ended. Raises ``JobsUnavailableError``."""
        return self._now().report(outcome)

    def _now(self) -> JobsClient:
        client = self.client
        if client is None:
            raise JobsUnavailableError("not connected")
        return client


class AwsShadows:
    """AWS IoT named shadows over whichever client there is."""

    def __init__(self, connection: IotConnection) -> None:
        self.client: ShadowsClient | None = None
        self._connection = connection

    @property
    def connected(self) -> bool:
        """Whether it is worth trying."""
        return self.client is not None and self._connection.connected

    def update(self, shadow: str, reported: dict[str, object]) -> None:
        """Raises ``ShadowsUnavailableError`` or ``ShadowRefusedError``."""
        client = self.client
        if client is None:
            raise ShadowsUnavailableError("not connected")
        client.update(shadow, reported)


class AwsCloud:
    """One thing of AWS IoT."""

    def __init__(self, context: CloudContext) -> None:
        self._thing = context.thing
        self.identity = AwsIdentity(context)
        self.uplink = IotConnection(context.thing, context.data_dir, context.enrol_dir)
        self.jobs = AwsJobs(self.uplink)
        self.shadows = AwsShadows(self.uplink)

    def start(self, listener: CloudListener) -> None:
        """Wait for enrolment and connect, in the background."""
        self.uplink.connect(partial(self._use, listener), listener.connected)

    def stop(self) -> None:
        """Disconnect."""
        self.uplink.disconnect()

    def _use(self, listener: CloudListener, client: Any) -> None:
        """Take a new client up before it connects; None: there is none any more."""
        if client is None:
            self.jobs.client = self.shadows.client = None
            return
        self.jobs.client = JobsClient(client, self._thing, listener.job)
        self.shadows.client = ShadowsClient(client, self._thing, listener.desired)

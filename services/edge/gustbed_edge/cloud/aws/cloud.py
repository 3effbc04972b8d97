"""AWS IoT behind the ports of a cloud."""

from typing import Any

from gustbed_edge.cloud.aws.connection import IotConnection
from gustbed_edge.cloud.aws.device_shadows import AwsShadows
from gustbed_edge.cloud.aws.enrolment import AwsIdentity
from gustbed_edge.cloud.aws.jobs import AwsJobs
from gustbed_edge.cloud.ports import CloudContext, CloudListener


class AwsCloud:
    """One thing of AWS IoT."""

    def __init__(self, context: CloudContext) -> None:
        self.identity = AwsIdentity(context)
        self.uplink = IotConnection(self.identity)
        self.jobs = AwsJobs(context.thing, lambda: self.uplink.connected)
        self.shadows = AwsShadows(context.thing, lambda: self.uplink.connected)

    def start(self, listener: CloudListener) -> None:
        """Wait for enrolment and connect, in the background."""

        def use(client: Any) -> None:
            self.jobs.use(client, listener.job)
            self.shadows.use(client, listener.desired)

        self.uplink.connect(use, listener.connected)

    def stop(self) -> None:
        """Disconnect."""
        self.uplink.disconnect()

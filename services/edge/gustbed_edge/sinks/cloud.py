"""Events for the cloud."""

from gustbed_core.events import AnomalyEvent
from gustbed_edge.plugins import SinkContext

NAME = "cloud"


class CloudSink:
    """While it is chosen, the recorder puts what goes up into the outbox in the transaction that
    keeps the event itself, and wakes the uplink then: after a loss of power neither is there
    without the other.
    """

    def __init__(self, context: SinkContext) -> None:
        """There is nothing to be made."""

    def send(self, event: AnomalyEvent) -> None:
        """The recorder has it."""

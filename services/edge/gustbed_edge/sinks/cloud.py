"""Events for the cloud."""

from gustbed_core.events import AnomalyEvent
from gustbed_edge.plugins import SinkContext

NAME = "cloud"


class CloudSink:
    """Lets the uplink send at once.

    While this sink is chosen, the recorder puts what goes up into the outbox in the transaction
    that keeps the event itself: after a loss of power neither is there without the other.
    """

    def __init__(self, context: SinkContext) -> None:
        self._context = context

    def send(self, event: AnomalyEvent) -> None:
        """Say that something waits."""
        self._context.wake_uplink()

"""Events on the site broker, for everybody on the site."""

import logging

from gustbed_core import codec, topics
from gustbed_core.events import AnomalyEvent
from gustbed_core.mqtt import Message
from gustbed_edge.plugins import SinkContext

log = logging.getLogger(__name__)


class Announce:
    """Publishes each change of an event, and logs it."""

    def __init__(self, context: SinkContext) -> None:
        self._context = context

    def send(self, event: AnomalyEvent) -> None:
        """Queue it for the site broker."""
        # First: a log on a disk that hangs must not keep the site waiting.
        topic = topics.event(self._context.site.site, event.turbine)
        self._context.publish(Message(topic, codec.encode(event), qos=1))
        log.info(
            "%s on %s %s by %s, peak score %.2f%s",
            event.kind,
            event.turbine,
            event.change,
            ", ".join(event.signals),
            event.peak_score,
            f": {event.reason}" if event.reason else "",
        )

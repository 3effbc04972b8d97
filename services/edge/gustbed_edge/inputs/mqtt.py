"""Blocks that turbines publish on the site broker."""

from gustbed_core import topics
from gustbed_core.errors import PayloadError
from gustbed_edge.ingest.reader import check_size
from gustbed_edge.plugins import InputContext


class MqttInput:
    """The broker's session delivers; there is nothing to run."""

    def __init__(self, context: InputContext) -> None:
        self._context = context
        context.subscribe(topics.every("telemetry", context.site.site), self._received)

    def start(self) -> None:
        """The session starts by itself."""

    def stop(self, timeout: float) -> None:
        """And ends so."""

    def _received(self, topic: str, payload: bytes) -> None:
        try:
            check_size(payload)
        except PayloadError as error:
            self._context.reject(topic, payload, error)
        else:
            self._context.receive(topic, payload)

"""The edge's session with the site broker, whose subscriptions parts add before it starts."""

import time
from collections.abc import Iterable
from typing import Literal

from gustbed_core import codec, topics
from gustbed_core.events import ServiceState
from gustbed_core.mqtt import Handler, Live, Message, Session
from gustbed_core.settings import MqttSettings, SiteSettings

SERVICE = "edge"
USER = "edge"


class SiteBroker:
    """Says ``online`` and ``offline`` for the edge, and carries everybody's messages."""

    def __init__(self, site: SiteSettings, mqtt: MqttSettings) -> None:
        self._site = site
        self._mqtt = mqtt
        self._subscriptions: dict[str, Handler | Live] = {}
        self._session: Session | None = None

    @property
    def connected(self) -> bool:
        """Whether the broker serves this edge, subscriptions included."""
        return self._session is not None and self._session.connected

    @property
    def takeovers(self) -> int:
        """How often another client of the same user took the connection, since the start."""
        return 0 if self._session is None else self._session.takeovers.total

    def problems(self) -> Iterable[str]:
        """What keeps the edge from hearing its site."""
        if not self.connected:
            yield "not connected to the site broker"
        if self._session is not None and self._session.takeovers.disputed:
            yield (
                "another client uses this edge's identity, likely a second edge or a tool "
                f"with the password file {USER}.password"
            )

    def subscribe(self, topic_filter: str, handler: Handler | Live) -> None:
        """Hear a topic from ``start`` on. Raises ``ValueError`` if somebody hears it already."""
        if self._session is not None or topic_filter in self._subscriptions:
            raise ValueError(f"{topic_filter} is subscribed already, or it is too late")
        self._subscriptions[topic_filter] = handler

    def publish(self, message: Message) -> bool:
        """Queue a message. False if it cannot be."""
        return self._session is not None and self._session.publish(message)

    def start(self) -> None:
        """Begin connecting in the background."""
        self._session = Session(
            self._mqtt,
            user=USER,
            subscriptions=self._subscriptions,
            will=self._state("offline"),
            births=lambda: [self._state("online")],
        )
        self._session.start()

    def stop(self) -> None:
        """Say goodbye and disconnect."""
        if self._session is not None:
            self._session.stop(self._state("offline"))

    def _state(self, state: Literal["online", "offline"]) -> Message:
        payload = ServiceState(SERVICE, state, time.time())
        topic = topics.state(self._site.site, SERVICE)
        return Message(topic, codec.encode(payload), qos=1, retain=True)

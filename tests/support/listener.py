"""An operator who listens to what an edge says on its site's broker."""

from typing import Any, Self
from uuid import uuid4

from gustbed_core import codec, topics
from gustbed_core.events import AnomalyEvent, ServiceState, Verdict
from gustbed_core.mqtt import Session
from tests.support.mosquitto import Broker


class Listener:
    """Keeps everything that is said on the site, to be asked by topic."""

    def __init__(self, broker: Broker) -> None:
        self._site = broker.site.site
        self._messages: list[tuple[str, bytes]] = []
        everything = f"{topics.ROOT}/{self._site}/#"
        self._session = Session(
            broker.settings,
            user="operator",
            client_id=f"listener-{uuid4()}",
            subscriptions={everything: lambda topic, body: self._messages.append((topic, body))},
        )

    def __enter__(self) -> Self:
        self._session.start()
        self._session.wait_connected(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._session.stop()

    def of(self, topic: str, kind: Any) -> list[Any]:
        """Messages on a topic, read as the protocol says."""
        decode = codec.decoder(kind)
        return [decode(body) for where, body in list(self._messages) if where == topic]

    def verdicts(self, turbine: str, boot: str | None = None) -> list[Verdict]:
        """The serving model's verdicts on a turbine, all or those on one boot."""
        return self._verdicts(topics.verdict(self._site, turbine), boot)

    def shadow_verdicts(self, turbine: str, boot: str) -> list[Verdict]:
        """A shadow model's verdicts on a turbine on one boot."""
        return self._verdicts(topics.shadow_verdict(self._site, turbine), boot)

    def events(self, turbine: str) -> list[AnomalyEvent]:
        """Event changes of a turbine."""
        return self.of(topics.event(self._site, turbine), AnomalyEvent)

    def states(self) -> list[str]:
        """What the edge's state was."""
        return [s.state for s in self.of(topics.state(self._site, "edge"), ServiceState)]

    def _verdicts(self, topic: str, boot: str | None) -> list[Verdict]:
        return [verdict for verdict in self.of(topic, Verdict) if boot in (None, verdict.boot)]

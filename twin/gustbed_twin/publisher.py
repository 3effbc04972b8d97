"""The twin on the site broker: a session per turbine, one for its state, one for legacy."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Literal, Self

from gustbed_protocol import topics
from gustbed_protocol.codec import Encoding, encode
from gustbed_protocol.commands import Ack
from gustbed_protocol.events import ServiceState
from gustbed_protocol.mqtt import Handler, Message, Session
from gustbed_protocol.settings import MqttSettings, SiteSettings
from gustbed_protocol.telemetry import Samples, block_from_samples

SERVICE = "twin"
LEGACY_USER = "legacy"
QUEUED_BLOCKS = 240
"""Blocks that a turbine keeps while the broker is away: two minutes at two a second."""
_STOPPERS = 64

OnCommand = Callable[[int, bytes], None]
"""Called with a turbine's position and a payload, on that turbine's network thread."""


class Publisher:
    """Sessions of all turbines. Use as a context manager; it does not wait for the broker."""

    def __init__(
        self,
        mqtt: MqttSettings,
        site: SiteSettings,
        *,
        encoding: Encoding,
        on_command: OnCommand,
        legacy: bool,
    ) -> None:
        self._site = site.site
        self._encoding = encoding
        self._turbines = [
            self._turbine(mqtt, position, name, on_command)
            for position, name in enumerate(site.turbine_ids)
        ]
        self._legacy = self._session(mqtt, LEGACY_USER) if legacy else None
        self._state = Session(
            mqtt,
            user=SERVICE,
            client_id=f"{site.site}-{SERVICE}",
            will=self._service_state("offline"),
            births=lambda: [self._service_state("online")],
        )

    @property
    def connected(self) -> int:
        """How many turbines the broker has accepted."""
        return sum(session.connected for session in self._turbines)

    @property
    def ready(self) -> bool:
        """Whether everything that carries data is connected."""
        return all(session.connected for session in self._data_sessions())

    @property
    def online(self) -> bool:
        """Whether the state's session and every turbine's are connected."""
        return self._state.connected and self.connected == len(self._turbines)

    def announce(self) -> None:
        """Say that the twin is online, now and after each reconnection."""
        self._state.start()

    def publish(self, position: int, samples: Samples) -> bool:
        """Publish a turbine's block. False if the broker is away and the turbine's queue full."""
        payload = encode(block_from_samples(samples), self._encoding)
        topic = topics.telemetry(self._site, samples.turbine)
        return self._turbines[position].publish(Message(topic, payload))

    def publish_record(self, record: str) -> None:
        """Publish a legacy record, as the reference devices do: at most once."""
        if self._legacy is not None:
            self._legacy.publish(Message(topics.LEGACY_RAW, record.encode("ascii"), qos=0))

    def acknowledge(self, position: int, ack: Ack) -> None:
        """Answer a command."""
        topic = topics.command_ack(self._site, ack.turbine)
        self._turbines[position].publish(Message(topic, encode(ack)))

    def __enter__(self) -> Self:
        for session in self._data_sessions():
            session.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        sessions = self._data_sessions()
        # A session that is waiting to reconnect takes up to a second to stop: all at once.
        with ThreadPoolExecutor(min(_STOPPERS, len(sessions) + 1)) as pool:
            farewell = pool.submit(self._state.stop, self._service_state("offline"))
            list(pool.map(Session.stop, sessions))
            farewell.result()

    def _data_sessions(self) -> list[Session]:
        return [*self._turbines, *([self._legacy] if self._legacy else [])]

    def _turbine(
        self, mqtt: MqttSettings, position: int, name: str, on_command: OnCommand
    ) -> Session:
        def receive(_topic: str, payload: bytes) -> None:
            on_command(position, payload)

        subscriptions: dict[str, Handler] = {topics.command(self._site, name): receive}
        return self._session(mqtt, name, subscriptions)

    def _session(
        self, mqtt: MqttSettings, user: str, subscriptions: dict[str, Handler] | None = None
    ) -> Session:
        return Session(
            mqtt,
            user=user,
            client_id=f"{self._site}-{user}",
            subscriptions=subscriptions,
            max_queued=QUEUED_BLOCKS,
        )

    def _service_state(self, state: Literal["online", "offline"]) -> Message:
        payload = encode(ServiceState(SERVICE, state, time.time()))
        return Message(topics.state(self._site, SERVICE), payload, retain=True)

"""The twin on the site broker: a session per turbine, one for its state, one for legacy."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

from gustbed_core import topics
from gustbed_core.codec import Encoding, encode
from gustbed_core.commands import Ack
from gustbed_core.errors import GustbedError
from gustbed_core.events import ServiceState
from gustbed_core.mqtt import Handler, Message, Session
from gustbed_core.settings import MqttSettings
from gustbed_core.telemetry import Samples, block_from_samples
from gustbed_core.turbine_state import Reported, Truth

SERVICE = "twin"
LEGACY_USER = "legacy"
QUEUED_BLOCKS = 240
"""Blocks that a turbine keeps while the broker is away: two minutes at two a second."""
MAX_QUEUED = 60_000
"""What a shared session keeps at most."""
MOST_SESSIONS = 320
"""Of one process: each has three open files, and select(), by which paho waits, takes 1024."""
_STOPPERS = 64

OnMessage = Callable[[int, str, bytes], None]
"""Called with a turbine's position, ``command`` or ``desired``, and a payload, on a network
thread."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """Whose blocks are published: turbines by name, and how they connect.

    ``shared``: all over one session of user ``twin``, which the broker must have been told.
    """

    site: str
    turbine_ids: tuple[str, ...]
    shared: bool = False


class Publisher:
    """Sessions of all turbines. Use as a context manager; it does not wait for the broker.

    Raises ``GustbedError`` for more sessions than one process has room for.
    """

    def __init__(
        self,
        mqtt: MqttSettings,
        fleet: Fleet,
        *,
        encoding: Encoding,
        on_message: OnMessage,
        legacy: bool,
    ) -> None:
        self._site = fleet.site
        self._encoding = encoding
        self._fleet = fleet
        if fleet.shared:
            self._sessions = [self._everyone(mqtt, on_message)]
            self._turbines = self._sessions * len(fleet.turbine_ids)
        else:
            if len(fleet.turbine_ids) > MOST_SESSIONS:
                raise GustbedError(
                    f"GUSTBED_TWIN_CONNECTION=each: {len(fleet.turbine_ids)} turbines, and one "
                    f"process has room for {MOST_SESSIONS} sessions",
                    "set it to shared, or share the farm out by GUSTBED_TWIN_SHARD",
                )
            self._turbines = self._sessions = [
                self._turbine(mqtt, position, name, on_message)
                for position, name in enumerate(fleet.turbine_ids)
            ]
        self._legacy = self._session(mqtt, LEGACY_USER) if legacy else None
        self._state = Session(
            mqtt,
            user=SERVICE,
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

    def report(self, position: int, reported: Reported) -> None:
        """Say what a turbine does, retained."""
        topic = topics.reported(self._site, reported.turbine)
        self._turbines[position].publish(Message(topic, encode(reported), retain=True))

    def publish_truth(self, position: int, truth: Truth) -> None:
        """Say what is really wrong with a turbine, retained."""
        topic = topics.truth(self._site, truth.turbine)
        self._turbines[position].publish(Message(topic, encode(truth), retain=True))

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
        return [*self._sessions, *([self._legacy] if self._legacy else [])]

    def _turbine(
        self, mqtt: MqttSettings, position: int, name: str, on_message: OnMessage
    ) -> Session:
        def receive(topic: str, payload: bytes) -> None:
            on_message(position, topics.parse(topic).kind, payload)

        subscriptions: dict[str, Handler] = {
            topics.command(self._site, name): receive,
            topics.desired(self._site, name): receive,
        }
        return self._session(mqtt, name, subscriptions)

    def _everyone(self, mqtt: MqttSettings, on_message: OnMessage) -> Session:
        places = {name: position for position, name in enumerate(self._fleet.turbine_ids)}

        def receive(topic: str, payload: bytes) -> None:
            parsed = topics.parse(topic)
            if parsed.turbine in places:
                on_message(places[parsed.turbine], parsed.kind, payload)

        subscriptions: dict[str, Handler] = {
            topics.every(kind, self._site): receive for kind in ("command", "desired")
        }
        return Session(
            mqtt,
            user=SERVICE,
            subscriptions=subscriptions,
            max_queued=min(QUEUED_BLOCKS * len(places), MAX_QUEUED),
        )

    def _session(
        self, mqtt: MqttSettings, user: str, subscriptions: dict[str, Handler] | None = None
    ) -> Session:
        return Session(
            mqtt,
            user=user,
            subscriptions=subscriptions,
            max_queued=QUEUED_BLOCKS,
        )

    def _service_state(self, state: Literal["online", "offline"]) -> Message:
        payload = encode(ServiceState(SERVICE, state, time.time()))
        return Message(topics.state(self._site, SERVICE), payload, retain=True)

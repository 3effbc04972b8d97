"""The client keeps going whatever the broker and the edge do."""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import cast

import pytest

from gustbed_core import event_kinds, topics
from gustbed_core.codec import encode
from gustbed_core.commands import Command, decode_command
from gustbed_core.edge_http import ModelInfo
from gustbed_core.errors import GustbedError
from gustbed_core.events import AnomalyEvent
from gustbed_core.mqtt import Live, Message, Session
from gustbed_core.settings import SiteSettings
from gustbed_dashboard.site.client import SiteClient
from gustbed_dashboard.site.edge_client import EdgeClient
from gustbed_dashboard.site.snapshot import Condition
from tests.support.ports import wait_until
from tests.unit.dashboard.messages import MODEL, SITE, TYPES, block, event, heartbeat

NOW = 100.2


class FakeSession:
    """A session whose connection a test switches on and off."""

    def __init__(self, subscriptions: Mapping[str, Live]) -> None:
        self.subscriptions = subscriptions
        self.connected = True
        self.published: list[Message] = []

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def wait_connected(self, timeout: float) -> None:
        assert timeout == 0, "a page must never wait for the broker"
        if not self.connected:
            raise GustbedError("site broker 127.0.0.1:1: no answer", "is it running?")

    def publish(self, message: Message) -> bool:
        self.published.append(message)
        return True

    def receive(self, topic: str, payload: bytes) -> None:
        (handler,) = self.subscriptions.values()
        handler.handler(topic, payload)


class FakeSite:
    """What the client finds outside; ``refusal`` and ``away`` are failures."""

    def __init__(self) -> None:
        self.session: FakeSession | None = None
        self.refusal: GustbedError | None = None
        self.away: GustbedError | None = None
        self.history: list[AnomalyEvent] = []
        self.running: list[ModelInfo] = []
        self.asked = threading.Event()

    def open(self, subscriptions: Mapping[str, Live]) -> Session:
        if self.refusal is not None:
            raise self.refusal
        self.session = FakeSession(subscriptions)
        return cast(Session, self.session)

    def events(self, since: float) -> list[AnomalyEvent]:
        self.asked.set()
        if self.away is not None:
            raise self.away
        return self.history

    def models(self) -> list[ModelInfo]:
        return self.running


@pytest.fixture
def fake_site() -> FakeSite:
    return FakeSite()


@pytest.fixture
def start(
    fake_site: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], SiteClient]]:
    monkeypatch.setattr("gustbed_dashboard.site.client.RETRY_SECONDS", 0.02)
    clients = []

    def go() -> SiteClient:
        site, edge = SiteSettings(site=SITE, turbines=2), cast(EdgeClient, fake_site)
        client = SiteClient(site, fake_site.open, edge, TYPES, lambda: NOW)
        client.start()
        clients.append(client)
        return client

    yield go
    for client in clients:
        client.stop(3.0)


def test_messages_reach_the_snapshot(fake_site: FakeSite, start: Callable[[], SiteClient]) -> None:
    client = start()
    wait_until(lambda: fake_site.session, "the client opened a session")
    assert fake_site.session is not None
    fake_site.session.receive(topics.telemetry(SITE, "wt01"), encode(block()))
    fake_site.session.receive(topics.heartbeat(SITE), encode(heartbeat()))

    assert client.snapshot().turbines[0].condition is Condition.OK
    assert len(client.signals("wt01", 60).age) > 0
    assert len(client.signals("nobody", 60).age) == 0
    assert len(client.scores("nobody", 60).age) == 0
    assert len(client.shadow_scores("nobody", 60).age) == 0


def test_a_missing_password_is_told_and_the_hub_tries_again(
    fake_site: FakeSite, start: Callable[[], SiteClient]
) -> None:
    fake_site.refusal = GustbedError("/x/operator.password: missing", "set the folder")
    client = start()
    wait_until(
        lambda: client.snapshot().broker == "/x/operator.password: missing: set the folder",
        "the refusal is shown",
    )
    fake_site.refusal = None
    wait_until(lambda: client.snapshot().broker is None, "the client connected")


def test_a_command_goes_out_once_and_not_at_all_without_a_broker(
    fake_site: FakeSite, start: Callable[[], SiteClient]
) -> None:
    client = start()
    wait_until(lambda: fake_site.session, "the client opened a session")
    assert fake_site.session is not None
    command = Command("inject", event_kinds.VOLTAGE)
    client.send("wt01", command)
    (message,) = fake_site.session.published
    assert message.topic == topics.command(SITE, "wt01")
    assert decode_command(message.payload) == command
    assert [sent.turbine for sent in client.snapshot().sent] == ["wt01"]

    fake_site.session.connected = False
    with pytest.raises(GustbedError, match="no answer"):
        client.send("wt01", Command("clear"))
    assert len(fake_site.session.published) == 1


def test_the_edges_history_is_shown_and_its_absence_told(
    fake_site: FakeSite, start: Callable[[], SiteClient]
) -> None:
    fake_site.history = [event("old", opened=50.0, closed=60.0)]
    client = start()
    wait_until(lambda: [e.id for e in client.snapshot().events] == ["old"], "the history arrived")
    assert client.history_problem() is None


def test_what_the_edge_tells_of_its_models_is_known_by_version(
    fake_site: FakeSite, start: Callable[[], SiteClient]
) -> None:
    told = ModelInfo(MODEL, "mini", "serve", metrics={"vus_pr": 0.9}, card="# Card")
    fake_site.running = [told]
    client = start()
    wait_until(lambda: client.model_info(MODEL) == told, "the edge's models are known")
    assert client.model_info(replace(MODEL, version="9.9.9")) is None


def test_an_edge_that_is_away_is_told(fake_site: FakeSite, start: Callable[[], SiteClient]) -> None:
    fake_site.away = GustbedError("edge at http://x: refused", "is it running?")
    client = start()
    assert fake_site.asked.wait(30)
    wait_until(lambda: client.history_problem() is not None, "the problem is shown")
    assert "edge at http://x" in str(client.history_problem())

"""The hub keeps going whatever the broker and the edge do."""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import cast

import pytest

from gustbed_core import topics
from gustbed_core.codec import encode
from gustbed_core.commands import Command, decode_command
from gustbed_core.edge_http import ModelInfo
from gustbed_core.errors import GustbedError
from gustbed_core.events import AnomalyEvent
from gustbed_core.mqtt import Handler, Message, Session
from gustbed_core.settings import SiteSettings
from gustbed_core.violations import Violation
from gustbed_dashboard.hub import Hub
from gustbed_dashboard.snapshot import Condition
from tests.support.ports import wait_until
from tests.unit.dashboard.messages import MODEL, SITE, block, event, heartbeat

NOW = 100.2


class FakeSession:
    """A session whose connection a test switches on and off."""

    def __init__(self, subscriptions: Mapping[str, Handler]) -> None:
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
        handler(topic, payload)


class World:
    """What the hub finds outside; ``refusal`` and ``away`` are failures."""

    def __init__(self) -> None:
        self.session: FakeSession | None = None
        self.refusal: GustbedError | None = None
        self.away: GustbedError | None = None
        self.history: list[AnomalyEvent] = []
        self.running: list[ModelInfo] = []
        self.asked = threading.Event()

    def open(self, subscriptions: Mapping[str, Handler]) -> Session:
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
def world() -> World:
    return World()


@pytest.fixture
def start(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Hub]]:
    monkeypatch.setattr("gustbed_dashboard.hub.RETRY_SECONDS", 0.02)
    hubs = []

    def go() -> Hub:
        hub = Hub(SiteSettings(site=SITE, turbines=2), world.open, world, lambda: NOW)
        hub.start()
        hubs.append(hub)
        return hub

    yield go
    for hub in hubs:
        hub.stop()


def test_messages_reach_the_snapshot(world: World, start: Callable[[], Hub]) -> None:
    hub = start()
    wait_until(lambda: world.session, "the hub opened a session")
    assert world.session is not None
    world.session.receive(topics.telemetry(SITE, "wt01"), encode(block()))
    world.session.receive(topics.heartbeat(SITE), encode(heartbeat()))

    assert hub.snapshot().turbines[0].condition is Condition.OK
    assert len(hub.signals("wt01", 60).age) > 0
    assert len(hub.signals("nobody", 60).age) == 0
    assert len(hub.scores("nobody", 60).age) == 0
    assert len(hub.challenger_scores("nobody", 60).age) == 0


def test_a_missing_password_is_told_and_the_hub_tries_again(
    world: World, start: Callable[[], Hub]
) -> None:
    world.refusal = GustbedError("/x/operator.password: missing", "set the folder")
    hub = start()
    wait_until(
        lambda: hub.snapshot().broker == "/x/operator.password: missing: set the folder",
        "the refusal is shown",
    )
    world.refusal = None
    wait_until(lambda: hub.snapshot().broker is None, "the hub connected")


def test_a_command_goes_out_once_and_not_at_all_without_a_broker(
    world: World, start: Callable[[], Hub]
) -> None:
    hub = start()
    wait_until(lambda: world.session, "the hub opened a session")
    assert world.session is not None
    command = Command("inject", Violation.VOLTAGE)
    hub.send("wt01", command)
    (message,) = world.session.published
    assert message.topic == topics.command(SITE, "wt01")
    assert decode_command(message.payload) == command
    assert [sent.turbine for sent in hub.snapshot().sent] == ["wt01"]

    world.session.connected = False
    with pytest.raises(GustbedError, match="no answer"):
        hub.send("wt01", Command("clear"))
    assert len(world.session.published) == 1


def test_the_edges_history_is_shown_and_its_absence_told(
    world: World, start: Callable[[], Hub]
) -> None:
    world.history = [event("old", opened=50.0, closed=60.0)]
    hub = start()
    wait_until(lambda: [e.id for e in hub.snapshot().events] == ["old"], "the history arrived")
    assert hub.history_problem() is None


def test_what_the_edge_tells_of_its_models_is_known_by_version(
    world: World, start: Callable[[], Hub]
) -> None:
    told = ModelInfo(MODEL, "mini", "serve", metrics={"vus_pr": 0.9}, card="# Card")
    world.running = [told]
    hub = start()
    wait_until(lambda: hub.told_of(MODEL) == told, "the edge's models are known")
    assert hub.told_of(replace(MODEL, version="9.9.9")) is None


def test_an_edge_that_is_away_is_told(world: World, start: Callable[[], Hub]) -> None:
    world.away = GustbedError("edge at http://x: refused", "is it running?")
    hub = start()
    assert world.asked.wait(30)
    wait_until(lambda: hub.history_problem() is not None, "the problem is shown")
    assert "edge at http://x" in str(hub.history_problem())

"""A client id belongs to its user, on a real Mosquitto, whatever id a client asks for."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from gustbed_core import topics
from gustbed_core.codec import Encoding
from gustbed_core.mqtt import Message, Session
from gustbed_twin.publisher.sessions import Fleet, Publisher
from tests.support.mosquitto import Broker, mosquitto, serving
from tests.support.packages import calm, mini_block
from tests.support.ports import free_port, wait_until

VICTIMS = ("edge", "twin", "wt02", "operator")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with mosquitto(tmp_path_factory.mktemp("site"), shared_twin=True) as running:
        yield running


class Hostile:
    """A turbine that connects again and again with an id that is not its own."""

    def __init__(self, port: int, user: str, password: str, client_id: str) -> None:
        self.tries = 0
        self._stop = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id)
        self._client.username_pw_set(user, password)
        self._client.reconnect_delay_set(1, 1)
        self._port = port
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Hostile":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._client.connect("127.0.0.1", self._port)
            until = time.monotonic() + 0.1
            while time.monotonic() < until:
                self._client.loop(0.05)
            self._client.disconnect()
            self.tries += 1


def id_of(session: Session) -> str:
    return session._client._client_id.decode()


def password_of(broker: Broker, user: str) -> str:
    password = broker.settings.password(user)
    assert password is not None
    return password


@contextmanager
def connected(broker: Broker, *users: str) -> Iterator[dict[str, Session]]:
    sessions = {user: Session(broker.settings, user=user) for user in users}
    for session in sessions.values():
        session.start()
    try:
        for session in sessions.values():
            session.wait_connected(30)
        yield sessions
    finally:
        for session in sessions.values():
            session.stop()


@pytest.mark.promise("S6")
@pytest.mark.parametrize("victim", VICTIMS)
def test_a_turbine_unseats_nobody_by_any_client_id_on_any_listener(
    broker: Broker, victim: str
) -> None:
    password = password_of(broker, "wt01")
    ports = (broker.settings.port, broker.settings.port_of("operator"))
    with connected(broker, *VICTIMS) as sessions:
        for port in ports:
            for client_id in (victim, id_of(sessions[victim]), f"gustbed-{victim}-site-1"):
                with Hostile(port, "wt01", password, client_id) as hostile:
                    wait_until(lambda h=hostile: h.tries >= 2, "two tries")  # type: ignore[misc]
        time_of_truth = Message(topics.command("site-1", "wt02"), b"", qos=1)
        assert sessions["operator"].publish(time_of_truth)
        assert sessions["operator"].drain(30)
        assert all(session.connected for session in sessions.values())
        assert [session.takeovers.total for session in sessions.values()] == [0] * len(VICTIMS)


@pytest.mark.promise("S6")
def test_without_the_binding_a_turbine_steals_and_the_victim_tells(
    broker: Broker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # The configuration of before: one listener, ids as clients choose them.
    port = free_port()
    old = tmp_path / "mosquitto.conf"
    passwords, acl = broker.files.folder / "passwd", broker.files.folder / "acl"
    old.write_text(
        f"listener {port} 127.0.0.1\nuser root\nallow_anonymous false\n"
        f"password_file {passwords}\nacl_file {acl}\n"
    )
    settings = broker.settings.model_copy(update={"port": port})
    with serving(old, tmp_path / "log", port), Session(settings, user="edge") as edge:
        edge.wait_connected(30)
        with Hostile(port, "wt01", password_of(broker, "wt01"), id_of(edge)):
            wait_until(lambda: edge.takeovers.disputed, "the edge sees that it is not alone")
    assert "another client uses the broker's user 'edge'" in caplog.text


@pytest.mark.promise("S6")
def test_tools_of_one_user_run_side_by_side(broker: Broker) -> None:
    heard: list[int] = []
    topic = topics.heartbeat("site-1")
    watchers = [
        Session(
            broker.settings,
            user="operator",
            subscriptions={topic: lambda _topic, _payload, i=i: heard.append(i)},  # type: ignore[misc]
        )
        for i in range(4)
    ]
    try:
        for watcher in watchers:
            watcher.start()
        for watcher in watchers:
            watcher.wait_connected(30)
        with connected(broker, "edge") as sessions:
            sessions["edge"].publish(Message(topic, b"beat"))
            wait_until(lambda: sorted(heard) == [0, 1, 2, 3], "each of them hears it")
    finally:
        for watcher in watchers:
            watcher.stop()


@pytest.mark.promise("S6")
@pytest.mark.parametrize("shared", [True, False])
def test_shards_of_one_farm_speak_side_by_side(broker: Broker, *, shared: bool) -> None:
    def shard(*turbines: str) -> Publisher:
        fleet = Fleet("site-1", turbines, shared)
        return Publisher(
            broker.settings, fleet, encoding=Encoding.JSON, on_message=lambda *_: None, legacy=False
        )

    names = ("wt01", "wt02", "wt03", "wt04")
    heard: set[str] = set()
    watch = {topics.every("telemetry", "site-1"): lambda topic, _p: heard.add(topic)}
    first, second = shard(*names[:2]), shard(*names[2:])
    with Session(broker.settings, user="operator", subscriptions=watch) as operator, first, second:
        operator.wait_connected(30)
        for publisher in (first, second):
            publisher.announce()
        wait_until(lambda: first.online and second.online, "both shards are there")
        for publisher, turbines in ((first, names[:2]), (second, names[2:])):
            for place, name in enumerate(turbines):
                publisher.publish(place, mini_block(name, "boot", 0, time.time(), 0.05, calm()))
        wait_until(lambda: len(heard) == len(names), "every turbine is heard")
        assert first.online
        assert second.online


def test_retained_words_outlive_a_change_of_ports(tmp_path: Path) -> None:
    topic = topics.state("site-1", "edge")
    with mosquitto(tmp_path) as first, connected(first, "edge") as sessions:
        sessions["edge"].publish(Message(topic, b"kept", retain=True))
        assert sessions["edge"].drain(30)
    heard: list[bytes] = []
    with (
        mosquitto(tmp_path) as second,
        Session(
            second.settings, user="operator", subscriptions={topic: lambda _t, p: heard.append(p)}
        ),
    ):
        wait_until(lambda: heard == [b"kept"], "the retained word is heard")

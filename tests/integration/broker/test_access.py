"""A real Mosquitto keeps the site's promises."""

import threading
from collections.abc import Iterator

import pytest

from gustbed_core import topics
from gustbed_core.errors import GustbedError
from gustbed_core.mqtt import Message, Session
from gustbed_core.settings import MqttSettings
from tests.support.mosquitto import Broker, mosquitto
from tests.support.ports import wait_until


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    # A space in the path, because people have them.
    with mosquitto(tmp_path_factory.mktemp("a site")) as running:
        yield running


@pytest.mark.promise("S2")
def test_anonymous_clients_are_refused(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    nameless = MqttSettings(port=broker.settings.port)
    with Session(nameless, user="", client_id="nobody") as session:
        wait_until(lambda: "refused" in caplog.text, "the broker's answer")
        with pytest.raises(GustbedError, match="refused user ''"):
            session.wait_connected(0)


@pytest.mark.promise("S2")
def test_a_turbine_cannot_publish_as_another_turbine(broker: Broker) -> None:
    site = broker.site.site
    seen: list[str] = []
    done = threading.Event()

    def receive(topic: str, _payload: bytes) -> None:
        seen.append(topics.parse(topic).turbine)
        if len(seen) == 2:
            done.set()

    watch = {topics.every("telemetry", site): receive}
    with (
        Session(
            broker.settings, user="operator", client_id="watch", subscriptions=watch
        ) as watcher,
        Session(broker.settings, user="wt01", client_id="wt01") as turbine,
    ):
        watcher.wait_connected(30)
        turbine.wait_connected(30)
        for name in ("wt01", "wt02", "wt01"):
            turbine.publish(Message(topics.telemetry(site, name), b"block"))
        assert done.wait(30)
    assert seen == ["wt01", "wt01"]


@pytest.mark.promise("T7")
def test_a_lost_client_leaves_its_will_and_a_clean_one_does_not(broker: Broker) -> None:
    topic = topics.state(broker.site.site, "twin")
    will = Message(topic, b"lost", retain=True)
    birth = Message(topic, b"born", retain=True)
    received: list[bytes] = []
    news = threading.Event()

    def receive(_topic: str, payload: bytes) -> None:
        received.append(payload)
        news.set()

    watch = {topic: receive}
    with Session(broker.settings, user="operator", client_id="w7", subscriptions=watch) as watcher:
        watcher.wait_connected(30)
        twin = Session(
            broker.settings, user="twin", client_id="t7", will=will, births=lambda: [birth]
        )
        twin.start()
        assert news.wait(30)
        news.clear()
        # Cutting the socket under the client is what a power cut looks like to the broker.
        sock = twin._client.socket()
        assert sock is not None
        twin._client.loop_stop()
        sock.close()
        assert news.wait(30)
    assert received == [b"born", b"lost"]

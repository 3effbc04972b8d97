"""Applications of the reference systems, as they are, beside a site that trusts nobody."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from gustbed_broker.compat import CONFIG, CompatBroker
from gustbed_core import topics
from gustbed_core.legacy import CHANNELS, format_record, parse_record
from gustbed_core.mqtt import Message, Session
from tests.support.mosquitto import Broker, mosquitto, serving
from tests.support.ports import free_port, wait_until

RECORD = format_record(1000, 729, dict.fromkeys(CHANNELS, 1.0))
SUBSCRIBED_AND_SENT = 30


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "tls"])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Broker, int]]:
    folder = tmp_path_factory.mktemp("a site")
    compat = CompatBroker(folder / "compat", "127.0.0.1", free_port())
    with (
        mosquitto(folder, tls=request.param, compat=compat) as site,
        serving(compat.folder / CONFIG, folder / "compat.log", compat.port),
    ):
        yield site, compat.port


@contextmanager
def application(
    port: int, client_id: str, *heard_topics: str
) -> Iterator[tuple[paho.Client, list[str]]]:
    """Connects as the reference systems' programs do: no user, an id of its own, QoS 0."""
    heard: list[str] = []
    ready = threading.Event()
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id)
    client.on_connect = lambda c, *_: c.subscribe([(topic, 0) for topic in heard_topics or ("x",)])
    client.on_subscribe = lambda *_: ready.set()
    client.on_message = lambda _c, _u, message: heard.append(message.payload.decode())
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        assert ready.wait(SUBSCRIBED_AND_SENT)
        yield client, heard
    finally:
        client.disconnect()
        client.loop_stop()


def told_again_until(send: object, heard: list[str], what: str) -> None:
    """QoS 0 over a bridge that may still be connecting: what is lost is said again."""

    def condition() -> bool:
        send()  # type: ignore[operator]
        return bool(heard)

    wait_until(condition, what)


@pytest.mark.promise("P3")
def test_a_reference_device_is_heard_by_the_edge_and_the_reference_application(
    place: tuple[Broker, int],
) -> None:
    site, port = place
    by_edge: list[str] = []
    listen = {topics.LEGACY_RAW: lambda _t, payload: by_edge.append(payload.decode())}
    with (
        Session(site.settings, user="edge", subscriptions=listen) as edge,
        application(port, "edge_application", topics.LEGACY_RAW) as (_, by_application),
        application(port, "turbine_simulated_device") as (device, _),
    ):
        edge.wait_connected(30)
        told_again_until(
            lambda: device.publish(topics.LEGACY_RAW, RECORD), by_edge, "the edge hears"
        )
        wait_until(lambda: len(by_application) >= len(by_edge), "so does the application")
        assert set(by_edge) == set(by_application) == {RECORD}
        assert parse_record(by_edge[0])[0] == 1000


@pytest.mark.promise("P3")
def test_the_twins_records_reach_the_reference_application_once(place: tuple[Broker, int]) -> None:
    site, port = place
    with (
        Session(site.settings, user="legacy") as twin,
        application(port, "edge_application", topics.LEGACY_RAW) as (_, heard),
    ):
        twin.wait_connected(30)
        record = Message(topics.LEGACY_RAW, RECORD.encode(), qos=0)
        told_again_until(lambda: twin.publish(record), heard, "the application hears")
        last = RECORD.replace("1000", "2000", 1)
        twin.publish(Message(topics.LEGACY_RAW, last.encode(), qos=0))
        wait_until(lambda: last in heard, "the last one comes")
        # Nothing goes round in circles over the bridge.
        assert heard.count(last) == 1


@pytest.mark.promise("S6")
def test_the_anonymous_can_neither_unseat_nor_speak_for_anybody(place: tuple[Broker, int]) -> None:
    site, port = place
    heard: list[str] = []
    listen = {f"{topics.ROOT}/#": lambda topic, _payload: heard.append(topic)}
    verdict, telemetry = topics.verdict("site-1", "wt01"), topics.telemetry("site-1", "wt01")
    with (
        Session(site.settings, user="edge") as edge,
        Session(site.settings, user="operator", subscriptions=listen) as operator,
    ):
        edge.wait_connected(30)
        operator.wait_connected(30)
        for client_id in ("edge", "wt01", "reference", "legacy", edge._client._client_id.decode()):
            with application(port, client_id, verdict) as (intruder, secrets):
                edge.publish(Message(verdict, b"ok"))
                intruder.publish(telemetry, b"forged", qos=1).wait_for_publish(10)
                assert edge.drain(30)
                assert secrets == []
        assert edge.connected
        assert edge.takeovers.total == 0
        wait_until(lambda: len(heard) >= 5, "the verdicts are heard")
        assert set(heard) == {verdict}


def test_the_legacy_user_hears_what_it_says(place: tuple[Broker, int]) -> None:
    site, _ = place
    heard: list[bytes] = []
    with Session(
        site.settings,
        user="legacy",
        subscriptions={topics.LEGACY_RAW: lambda _t, payload: heard.append(payload)},
    ) as device:
        device.wait_connected(30)
        device.publish(Message(topics.LEGACY_RAW, RECORD.encode(), qos=1))
        wait_until(lambda: heard == [RECORD.encode()], "the device hears itself")

"""A full disk below the site broker: it goes on, its probe says why it is unwell, and it heals."""

import signal
from pathlib import Path

import pytest

from gustbed_cli.fleet import Fleet, PlaceSettings
from gustbed_cli.runtime import probes
from gustbed_core import topics
from gustbed_core.errors import GustbedError
from gustbed_core.mqtt import Message, Session
from gustbed_core.settings import MqttSettings
from tests.support.mosquitto import mosquitto
from tests.support.ports import wait_until
from tests.support.small_disk import needs_mount, small_disk

pytestmark = needs_mount
SAVE = signal.SIGUSR1
"""Lets Mosquitto save at once what it would save every 30 s."""


def heard(settings: MqttSettings, topic: str) -> list[bytes]:
    """What the broker keeps of a topic."""
    payloads: list[bytes] = []
    with Session(
        settings, user="operator", subscriptions={topic: lambda _topic, text: payloads.append(text)}
    ) as session:
        session.wait_connected(10)
        wait_until(lambda: payloads, "the retained message")
    return payloads


@pytest.mark.promise("T8")
def test_a_full_disk_stops_no_message_and_heals_by_itself(tmp_path: Path) -> None:
    with small_disk(tmp_path / "broker", 1) as disk:
        with mosquitto(tmp_path) as broker:
            site = broker.site.site
            fleet = Fleet(
                PlaceSettings(home=tmp_path, port_mqtt=broker.settings.port), broker.site, "local"
            )
            topic = topics.state(site, "twin")
            probes.broker(fleet)
            disk.fill()
            with Session(broker.settings, user="twin") as twin:
                twin.wait_connected(10)
                twin.publish(Message(topic, b"x" * 100_000, qos=1, retain=True))
                assert twin.drain(10)
                broker.process.send_signal(SAVE)
                assert heard(broker.settings, topic)
            with pytest.raises(GustbedError, match=r"broker: No space left"):
                probes.broker(fleet)
            assert broker.process.poll() is None
            disk.make_room()
            probes.broker(fleet)
            broker.process.send_signal(SAVE)
            wait_until(
                lambda: any(p.stat().st_size > 100_000 for p in disk.folder.rglob("*.db")),
                "it is on the disk",
            )
            broker.process.kill()
        with mosquitto(tmp_path, port=broker.settings.port) as again:
            assert heard(again.settings, topic) == [b"x" * 100_000]

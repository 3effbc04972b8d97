"""What an edge makes of messages that are not of now, and of blocks that it was not there for."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gustbed_core import codec, topics
from gustbed_core.mqtt import Message, Session
from gustbed_core.settings import SiteSettings
from gustbed_core.telemetry import block_from_samples
from tests.support.edge import RunningEdge, running_edge
from tests.support.listener import Listener
from tests.support.mosquitto import Broker
from tests.support.packages import calm, mini_block
from tests.support.ports import wait_until

SITE = SiteSettings(turbines=2)
TOPIC = topics.telemetry(SITE.site, "wt01")


@pytest.fixture
def turbine(broker: Broker) -> Iterator[Session]:
    with Session(broker.settings, user="wt01", client_id="restarting-wt01") as session:
        session.wait_connected(30)
        yield session


def say(turbine: Session, boot: str, seq: int, *, retain: bool = False) -> None:
    samples = mini_block("wt01", boot, seq, time.time() - 0.45, 0.05, calm())
    payload = codec.encode(block_from_samples(samples))
    turbine.publish(Message(TOPIC, payload, qos=1, retain=retain))


def heard(edge: RunningEdge, blocks: int) -> bool:
    return bool(edge.turbine("wt01")["blocks"] == blocks)


@pytest.mark.promise("T9")
def test_what_the_broker_retained_is_not_taken_as_live(
    broker: Broker, listener: Listener, turbine: Session, tmp_path: Path
) -> None:
    say(turbine, "old", 100, retain=True)
    turbine.drain(30)
    try:
        with running_edge(tmp_path, broker.settings, SITE) as edge:
            wait_until(lambda: edge.get("/status")["rejected"] == {"retained": 1}, "it is refused")
            assert heard(edge, 0)
            say(turbine, "old", 656)
            wait_until(lambda: heard(edge, 1), "a live one is taken")
            assert edge.turbine("wt01")["lost"] == 0
            # To those that are subscribed a block with the flag is live, and is as good as any.
            say(turbine, "old", 657, retain=True)
            wait_until(lambda: heard(edge, 2), "so is one that will be retained")
        assert [verdict.seq for verdict in listener.verdicts("wt01", "old")] == [656, 657]
        assert '"retained"' in (tmp_path / "edge" / "quarantine.jsonl").read_text()
    finally:
        turbine.publish(Message(TOPIC, b"", qos=1, retain=True))
        turbine.drain(30)


@pytest.mark.promise("T1")
def test_blocks_lost_while_the_edge_was_away_are_counted_once(
    broker: Broker, turbine: Session, tmp_path: Path
) -> None:
    with running_edge(tmp_path, broker.settings, SITE) as edge:
        for seq in range(5):
            say(turbine, "b", seq)
        wait_until(lambda: heard(edge, 5), "five have come")
    for seq in range(5, 12):
        say(turbine, "b", seq)
    turbine.drain(30)
    with running_edge(tmp_path, broker.settings, SITE) as edge:
        say(turbine, "b", 12)
        wait_until(lambda: heard(edge, 1), "the next one has come")
        assert edge.turbine("wt01")["lost"] == 7
    with running_edge(tmp_path, broker.settings, SITE) as edge:
        say(turbine, "b", 13)
        wait_until(lambda: heard(edge, 1), "and the one after it")
        assert edge.turbine("wt01")["lost"] == 0, "they were told of already"

"""A mirror's events on a real broker: who may speak of them, and that the edge keeps them."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from gustbed_core import topics
from gustbed_core.codec import encode
from gustbed_core.event_kinds import VOLTAGE
from gustbed_core.events import AnomalyEvent, ModelRef
from gustbed_core.mirror import Mirrored, MirroredChannel, model_name
from gustbed_core.mqtt import Message, Session
from gustbed_core.settings import SiteSettings
from gustbed_edge.outbox.store import Outbox
from tests.support.edge import RunningEdge, running_edge
from tests.support.mosquitto import Broker
from tests.support.ports import wait_until

SITE = SiteSettings(turbines=2)
TYPE = "my_turbine"
EVENTS = list[AnomalyEvent]
OPENED = AnomalyEvent(
    "mirror-1", SITE.site, SITE.thing, "wt01", VOLTAGE, 100.0, None, 1.1,
    ModelRef(model_name(TYPE), "0.4.0"), "opened", ["voltage"],
)  # fmt: skip
EVENT, MINUTE = topics.mirror_event(SITE.site, "wt01"), topics.mirror(SITE.site, "wt01")


def minute(*ids: str) -> bytes:
    channels = {"voltage": MirroredChannel(47.0, 48.0, -1.0, -3.3, -3.1)}
    return encode(Mirrored("wt01", TYPE, 300.0, 60.0, channels, limit=3.0, open=list(ids)))


def found(edge: RunningEdge) -> list[tuple[str, str, float | None]]:
    return [
        (each["id"], each["change"], each["closed"])
        for each in edge.get("/events?since=0")
        if each["model"]["name"] == OPENED.model.name
    ]


def waiting(folder: Path) -> list[AnomalyEvent]:
    """Changes of events on disk that are to go up."""
    outbox = Outbox(folder, max_bytes=10**9, max_rows=10**6, events_kept=100)
    try:
        bodies = [each.body for each in outbox.waiting_for("events", 10**6)]
    finally:
        outbox.close()
    return [
        event for body in bodies for event in msgspec.json.decode(b"[" + body + b"]", type=EVENTS)
    ]


def test_only_the_operators_tools_speak_as_a_mirror_and_the_operator_hears_it(
    broker: Broker,
) -> None:
    heard: list[tuple[str, bytes]] = []
    watch = dict.fromkeys((EVENT, MINUTE), lambda topic, payload: heard.append((topic, payload)))
    with (
        Session(broker.settings, user="operator", client_id="sees", subscriptions=watch) as sees,
        Session(broker.settings, user="operator", client_id="mirror") as mirror,
        Session(broker.settings, user="wt01", client_id="m-wt01") as turbine,
        Session(broker.settings, user="twin", client_id="m-twin") as twin,
    ):
        for session in (sees, mirror, turbine, twin):
            session.wait_connected(30)
        for nobody in (turbine, twin):
            for topic in (EVENT, MINUTE):
                nobody.publish(Message(topic, b"forged"))
            nobody.drain(30)
        mirror.publish(Message(EVENT, b"event"))
        mirror.publish(Message(MINUTE, b"minute"))
        wait_until(lambda: (MINUTE, b"minute") in heard, "the minute is heard")
    assert heard == [(EVENT, b"event"), (MINUTE, b"minute")]


@pytest.mark.parametrize("stopped", [False, True])
def test_the_edge_keeps_a_mirrors_event_over_a_restart_and_sends_it_up(
    broker: Broker, tmp_path: Path, stopped: bool
) -> None:
    with Session(broker.settings, user="operator", client_id="mirrors") as mirror:
        mirror.wait_connected(30)
        with running_edge(tmp_path, broker.settings, SITE) as edge:
            mirror.publish(Message(EVENT, encode(OPENED)))
            wait_until(lambda: found(edge) == [("mirror-1", "opened", None)], "it is known")
            mirror.publish(Message(EVENT, encode(replace(OPENED, turbine="wt02"))))
            wait_until(
                lambda: edge.get("/status")["rejected"] == {"wrong_turbine": 1}, "it is refused"
            )
        assert waiting(tmp_path / "edge") == [OPENED]
        with running_edge(tmp_path, broker.settings, SITE) as edge:
            assert found(edge) == [("mirror-1", "opened", None)]
            if stopped:
                mirror.publish(Message(MINUTE, minute()))
                closed = 300.0
            else:
                mirror.publish(Message(MINUTE, minute("mirror-1")))
                ended = replace(OPENED, closed=400.0, change="closed")
                mirror.publish(Message(EVENT, encode(ended)))
                closed = 400.0
            wait_until(lambda: found(edge) == [("mirror-1", "closed", closed)], "it is closed")

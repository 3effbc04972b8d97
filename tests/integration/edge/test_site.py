"""The edge on a real broker, with the users and rights of production."""

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from gustbed_core import codec, takeovers, topics
from gustbed_core.errors import GustbedError
from gustbed_core.events import Heartbeat
from gustbed_core.legacy import format_record, sample_as_mapping
from gustbed_core.mqtt import Message, Session
from gustbed_core.settings import SiteSettings
from gustbed_edge.ingest.quarantine import FILE
from tests.support.edge import RunningEdge, Turbines, running_edge
from tests.support.listener import Listener
from tests.support.mosquitto import Broker, mosquitto
from tests.support.packages import (
    BREAKING_VOLTAGE,
    SigningKey,
    calm,
    excited,
    sign_package,
    tiny_graph,
    tiny_package,
    write_factory,
)
from tests.support.ports import wait_until

SITE = SiteSettings(turbines=4)
"""The broker knows six turbines, the edge only these: wt05 and wt06 are strangers to it."""
ALL = ("wt01", "wt02", "wt03")


@contextmanager
def farm(broker: Broker, *turbines: str) -> Iterator[Turbines]:
    with Turbines(broker.settings, SITE, turbines or ALL) as running:
        yield running


@pytest.fixture
def edge(broker: Broker, tmp_path: Path) -> Iterator[RunningEdge]:
    with running_edge(tmp_path, broker.settings, SITE) as running:
        yield running


def all_scored(listener: Listener, turbines: Turbines, turbine: str) -> bool:
    return len(listener.verdicts(turbine)) == turbines.sent[turbine]


def scored(edge: RunningEdge, turbine: str = "wt01") -> bool:
    return edge.turbine(turbine)["state"] in ("ok", "anomaly")


def test_a_fault_is_one_event_on_its_turbine_and_clearing_closes_it(
    broker: Broker, edge: RunningEdge, listener: Listener
) -> None:
    with farm(broker) as turbines:
        wait_until(lambda: scored(edge), "wt01 is scored")
        turbines.values["wt02"] = excited()
        wait_until(lambda: edge.events(), "an event opens")
        turbines.values["wt02"] = calm()
        wait_until(lambda: edge.events()[0]["closed"], "the event closes")
        wait_until(lambda: len(listener.events("wt02")) >= 2, "both changes are told")
    assert [(e["turbine"], e["kind"]) for e in edge.events()] == [("wt02", "voltage")]
    changes = listener.events("wt02")
    assert [change.change for change in changes] == ["opened", "closed"]
    assert len({change.id for change in changes}) == 1
    assert listener.events("wt01") == listener.events("wt03") == []


def test_every_block_gets_its_verdict_in_order(
    broker: Broker, edge: RunningEdge, listener: Listener
) -> None:
    with farm(broker) as turbines:
        wait_until(lambda: turbines.sent["wt01"] >= 30, "30 blocks are sent")
    for turbine in ALL:
        wait_until(partial(all_scored, listener, turbines, turbine), "all scored")
        verdicts = listener.verdicts(turbine)
        assert [verdict.seq for verdict in verdicts] == list(range(turbines.sent[turbine]))
        assert {verdict.boot for verdict in verdicts} == {turbines.boot}


@pytest.mark.promise("T5")
def test_malformed_payloads_are_quarantined_with_a_reason_and_scoring_goes_on(
    broker: Broker, edge: RunningEdge, listener: Listener, tmp_path: Path
) -> None:
    bad = {
        "malformed": b'{"schema":1,',
        "oversized": b"{" + b" " * 10 * 1024 * 1024,
        "wrong_fields": b'{"schema":1}',
    }
    with farm(broker) as turbines:
        wait_until(lambda: all(scored(edge, t) for t in ALL), "all are scored")
        del turbines.values["wt01"]
        for payload in bad.values():
            turbines.raw("wt01", payload)
        turbines.send("wt01", calm(), schema=7)
        turbines.send("wt01", calm(), t0=4e9)
        turbines.send("wt01", calm(), dt=0.5)
        turbines.send("wt01", calm(), boot="x" * 100)
        turbines.send("wt01", calm(), turbine="wt02")
        turbines.send("wt01", calm() + np.inf, encoding=codec.Encoding.MSGPACK)
        turbines.send("wt01", calm(), t0=4e9)
        reasons = {*bad, "wrong_schema", "future_clock", "wrong_rate", "wrong_turbine"}
        reasons |= {"non_finite"}
        wait_until(lambda: set(edge.get("/status")["rejected"]) == reasons, "all are refused")
        refused = edge.turbine("wt01")["refused"]
        assert refused.endswith("s ahead of the edge's clock (GUSTBED_EDGE_MAX_CLOCK_AHEAD)")
        before = len(listener.verdicts("wt03"))
        wait_until(lambda: len(listener.verdicts("wt03")) > before + 3, "others are scored")
    assert edge.turbine("wt03")["lost"] == 0
    file = tmp_path / "edge" / FILE
    wait_until(lambda: file.exists() and reasons <= written(file), "all are kept")
    kept = [json.loads(line) for line in file.read_text().splitlines()]
    assert {entry["reason"] for entry in kept} == reasons
    assert {entry["topic"] for entry in kept} == {topics.telemetry(SITE.site, "wt01")}
    assert all(f'reason="{reason}"' in edge.get("/metrics") for reason in reasons)


def written(file: Path) -> set[str]:
    """Reasons in a quarantine's file, of its whole lines."""
    lines = file.read_text().split("\n")[:-1]
    return {json.loads(line)["reason"] for line in lines}


@pytest.mark.promise("T5")
def test_an_unknown_turbine_is_quarantined(
    broker: Broker, edge: RunningEdge, listener: Listener
) -> None:
    with farm(broker, "wt06") as stranger:
        wait_until(lambda: edge.get("/status")["rejected"], "the stranger is refused")
        assert stranger.sent["wt06"] > 0
    assert set(edge.get("/status")["rejected"]) == {"unknown_turbine"}
    assert listener.verdicts("wt06") == []


@pytest.mark.promise("T1")
def test_a_lost_block_is_counted_and_the_turbine_warms_up_again(
    broker: Broker, edge: RunningEdge, listener: Listener
) -> None:
    with farm(broker) as turbines:
        wait_until(lambda: scored(edge), "wt01 is scored")
        turbines.sent["wt01"] += 2
        wait_until(lambda: edge.turbine("wt01")["lost"] == 2, "the loss is seen")

        def states() -> list[str]:
            return [verdict.state for verdict in listener.verdicts("wt01")]

        wait_until(lambda: states().count("warming") == 2, "wt01 warms up again")
        wait_until(lambda: states()[-1] == "ok", "wt01 is scored again")
    assert 'gustbed_edge_lost_total{turbine="wt01"} 2' in edge.get("/metrics")


@pytest.mark.promise("T6")
def test_a_failing_model_is_said_and_the_others_go_on(
    broker: Broker, listener: Listener, tmp_path: Path
) -> None:
    key = SigningKey("k")
    package = tiny_package(model=tiny_graph(breakable=True))
    write_factory(tmp_path / "factory", sign_package(package, key, tmp_path), key)
    with running_edge(tmp_path, broker.settings, SITE) as edge, farm(broker) as turbines:
        wait_until(lambda: scored(edge), "wt01 is scored")
        turbines.values["wt02"] = excited(voltage=BREAKING_VOLTAGE)
        wait_until(lambda: edge.turbine("wt02")["state"] == "unknown", "wt02 is unknown")
        before = len(listener.verdicts("wt01"))
        wait_until(lambda: len(listener.verdicts("wt01")) > before + 3, "wt01 is scored on")
        turbines.values["wt02"] = calm()
        wait_until(lambda: edge.turbine("wt02")["state"] == "ok", "wt02 is scored again")


def test_without_a_model_verdicts_are_unknown_and_health_says_so(
    broker: Broker, listener: Listener, tmp_path: Path
) -> None:
    nowhere = tmp_path / "nowhere"
    with (
        running_edge(tmp_path, broker.settings, SITE, factory_dir=nowhere) as edge,
        farm(broker),
    ):
        wait_until(lambda: edge.turbine("wt01")["state"] == "unknown", "wt01 is unknown")
        assert edge.get("/health") is None, "not healthy"
        assert edge.get("/status")["model"] is None


@pytest.mark.promise("T7")
def test_birth_and_last_will_are_retained(broker: Broker, tmp_path: Path) -> None:
    def retained() -> list[str]:
        with Listener(broker) as late:
            wait_until(late.states, "a retained state")
            return late.states()

    with running_edge(tmp_path, broker.settings, SITE) as edge:
        wait_until(lambda: edge.get("/health"), "the edge is healthy")
        assert retained() == ["online"]
    assert retained() == ["offline"]


def test_the_heartbeat_is_retained_and_tells_of_every_turbine(
    broker: Broker, edge: RunningEdge
) -> None:
    topic, begun = topics.heartbeat(SITE.site), time.time()

    def heard(listener: Listener) -> list[Heartbeat]:
        """This edge's: the broker may still keep one of the edge before it."""
        return [beat for beat in listener.of(topic, Heartbeat) if beat.t >= begun]

    with farm(broker):
        wait_until(lambda: scored(edge), "wt01 is scored")
        with Listener(broker) as late:
            wait_until(lambda: heard(late), "a retained heartbeat")
            wait_until(
                lambda: (
                    {t.id: t.state for t in heard(late)[-1].turbines}
                    == {"wt01": "ok", "wt02": "ok", "wt03": "ok", "wt04": "silent"}
                ),
                "the states of all turbines",
            )
            heartbeat = heard(late)[-1]
    assert heartbeat.model is not None
    assert (heartbeat.thing, heartbeat.connected, heartbeat.model.name) == (
        SITE.thing,
        False,
        "mill",
    )


@pytest.mark.promise("T4")
def test_an_open_event_goes_on_over_a_restart(
    broker: Broker, listener: Listener, tmp_path: Path
) -> None:
    with farm(broker) as turbines:
        turbines.values["wt02"] = excited()
        with running_edge(tmp_path, broker.settings, SITE) as edge:
            wait_until(lambda: edge.events(), "an event opens")
            (opened,) = edge.events()
        with running_edge(tmp_path, broker.settings, SITE) as edge:
            wait_until(lambda: edge.turbine("wt02")["state"] == "anomaly", "wt02 is scored again")
            seen = len(listener.verdicts("wt02"))
            wait_until(lambda: len(listener.verdicts("wt02")) > seen + 8, "the fault lasts")
            assert [event["id"] for event in edge.events()] == [opened["id"]]
            turbines.values["wt02"] = calm()
            wait_until(lambda: edge.events()[0]["closed"], "the event closes")
            assert len(edge.events()) == 1


@pytest.mark.promise("T4")
def test_the_edge_goes_on_when_the_broker_comes_back(tmp_path: Path) -> None:
    folder = tmp_path / "broker"
    folder.mkdir()
    with mosquitto(folder) as first, running_edge(tmp_path, first.settings, SITE) as edge:
        wait_until(lambda: edge.get("/health"), "the edge is healthy")
        first.process.kill()
        first.process.wait()
        wait_until(lambda: edge.get("/health") is None, "the edge misses its broker")
        with mosquitto(folder, port=first.settings.port) as second:
            with Turbines(second.settings, SITE, ("wt01",)):
                wait_until(lambda: scored(edge), "wt01 is scored")
            with Listener(second) as late:
                wait_until(lambda: late.states() == ["online"], "the birth is told again")


@pytest.mark.promise("S6")
def test_an_edge_whose_identity_is_used_twice_says_so_until_it_stops(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(takeovers, "WINDOW_SECONDS", 12.0)

    def refusal(edge: RunningEdge) -> str:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{edge.edge.http_port}/health").close()
        except urllib.error.HTTPError as error:
            return error.read().decode()
        return ""

    with running_edge(tmp_path, broker.settings, SITE) as edge:
        wait_until(lambda: edge.get("/health"), "the edge is healthy")
        with Session(broker.settings, user="edge"):
            wait_until(lambda: "another client" in refusal(edge), "the edge tells")
        wait_until(lambda: edge.get("/health"), "the edge is healthy again")
        assert "gustbed_edge_takeovers_total 0.0" not in edge.get("/metrics")


@pytest.mark.promise("P3")
def test_a_reference_device_is_scored_beside_the_others(
    broker: Broker, listener: Listener, tmp_path: Path
) -> None:
    sample = sample_as_mapping(excited(1)[:, 0])
    session = Session(broker.settings, user="legacy", client_id="device")
    with (
        running_edge(tmp_path, broker.settings, SITE, legacy_turbine="wt04") as edge,
        session,
        farm(broker, "wt01"),
    ):
        session.wait_connected(30)
        wait_until(lambda: edge.get("/health"), "the edge is healthy")
        for i in range(100):
            record = format_record(1000 + i * 50, 900, sample).encode()
            session.publish(Message(topics.LEGACY_RAW, record, qos=1))
        wait_until(lambda: edge.events(), "an event opens")
        wait_until(lambda: scored(edge, "wt01"), "wt01 is scored too")
        assert [event["turbine"] for event in edge.events()] == ["wt04"]
        # Five seconds of signal came at once.
        assert 'gustbed_edge_plugin_counted_total{what="legacy_reanchored"}' in edge.get("/metrics")


def test_two_edges_on_one_folder_are_refused(
    broker: Broker, edge: RunningEdge, tmp_path: Path
) -> None:
    other = type(edge.edge)(SITE, broker.settings, edge.settings)
    with pytest.raises(GustbedError, match="another edge"):
        other.run(threading.Event())

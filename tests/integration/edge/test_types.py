"""A real edge on a real broker with two types of turbines, a shadow model, and captures."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from gustbed_core import topics
from gustbed_core.capture import Capture, unpack
from gustbed_core.enrolment import SIGNING_KEYS, answer_folder
from gustbed_core.events import AnomalyEvent, Heartbeat
from gustbed_core.jobs import RELEASE_FILE
from gustbed_core.settings import SiteSettings
from gustbed_edge.capture.capturer import WINDOWS
from gustbed_edge.models.store import ModelStore
from gustbed_edge.outbox.store import Outbox
from tests.support.edge import Mill, RunningEdge, Turbines, running_edge
from tests.support.listener import Listener
from tests.support.mosquitto import Broker
from tests.support.packages import (
    MILL,
    MILL_CHANNELS,
    MILL_THRESHOLDS,
    THRESHOLDS,
    SigningKey,
    calm,
    excited,
    mill_package,
    sign_package,
    tiny_package,
    write_factory,
)
from tests.support.ports import wait_until

SITE = SiteSettings(turbines=2)
MINI_ONE, MILL_ONE = "wt01", "wt02"
KEY = SigningKey("k1")


@dataclass(frozen=True)
class Farm:
    """An edge, the miniature and the mill."""

    edge: RunningEdge
    minis: Turbines
    mill: Mill


@contextmanager
def farm(broker: Broker, folder: Path, **changes: Any) -> Iterator[Farm]:
    """An edge with a miniature that runs by itself and a mill."""
    with (
        running_edge(folder, broker.settings, SITE, **changes) as edge,
        Turbines(broker.settings, SITE, (MINI_ONE,)) as minis,
        Mill(broker.settings, SITE, MILL_ONE) as mill,
    ):
        wait_until(lambda: edge.turbine(MINI_ONE)["state"] == "ok", "the miniature is scored")
        yield Farm(edge, minis, mill)


def test_a_site_with_two_types_runs_two_models(
    broker: Broker, listener: Listener, tmp_path: Path
) -> None:
    with farm(broker, tmp_path) as running:
        edge, mill = running.edge, running.mill
        mill.send(8)
        wait_until(lambda: edge.turbine(MILL_ONE)["state"] == "ok", "the mill is scored")
        mill.send(3, slip=20.0)
        wait_until(lambda: edge.events(), "an event opens")
        wait_until(lambda: len(listener.verdicts(MILL_ONE, mill.boot)) == 11, "every verdict")
        status, health = edge.get("/status"), edge.get("/health")
        heartbeat = topics.heartbeat(SITE.site)
        wait_until(lambda: listener.of(heartbeat, Heartbeat), "a heartbeat")
        metrics = edge.get("/metrics")
    versions = {
        "mini": {"name": "tiny", "version": "1.0.0"},
        MILL: {"name": "mill", "version": "1.0.0"},
    }
    assert status["models"] == health["models"] == versions
    assert status["model"] == versions["mill"]
    assert {row["id"]: row["type"] for row in status["turbines"]} == {
        MINI_ONE: "mini",
        MILL_ONE: MILL,
    }
    assert status["rejected"] == {}
    (event,) = edge_events(listener)
    assert (event.turbine, event.kind, event.signals) == (MILL_ONE, "rotation", ["slip"])
    verdicts = listener.verdicts(MILL_ONE, mill.boot)
    assert [verdict.seq for verdict in verdicts] == list(range(11))
    assert [verdict.state for verdict in verdicts[:8]] == ["warming"] * 4 + ["ok"] * 4
    assert set(verdicts[-1].ratios) == set(MILL_THRESHOLDS)
    assert listener.of(heartbeat, Heartbeat)[-1].models[MILL].name == "mill"
    assert 'gustbed_edge_model_info{name="mill",type="mill",version="1.0.0"} 1' in metrics


def edge_events(listener: Listener) -> list[AnomalyEvent]:
    return [event for event in listener.events(MILL_ONE) if event.change == "opened"]


def keep_shadow_model(folder: Path) -> None:
    """Leave a shadow model on the edge's disk, as an update before a restart would."""
    keys = answer_folder(folder / "enrol", SITE.thing) / SIGNING_KEYS
    keys.mkdir(parents=True)
    (keys / "k1.pem").write_bytes(KEY.public_pem())
    store = ModelStore(folder / "edge" / "models")
    strict = {**THRESHOLDS, "voltage": 50.0}
    package = tiny_package("2.0.0", thresholds=strict, window=30)
    signed = sign_package(package, KEY, folder, role="shadow")
    store.set_shadow("mini", store.stage(signed.release, signed.signature, signed.archive, "job"))


def test_a_shadow_model_disagrees_beside_the_serving_model_and_opens_nothing(
    broker: Broker, listener: Listener, tmp_path: Path
) -> None:
    keep_shadow_model(tmp_path)
    with farm(broker, tmp_path) as running:
        edge, mill = running.edge, running.mill
        boot = running.minis.boot
        mill.send(8)

        def compared() -> Any:
            return edge.get("/status")["shadow_models"].get("mini", {})

        wait_until(lambda: compared().get("only_shadow", 0) > 5, "they disagree")
        wait_until(
            lambda: len(listener.shadow_verdicts(MINI_ONE, boot)) > 8, "its verdicts are told"
        )
        assert edge.turbine(MINI_ONE)["state"] == "ok"
        assert edge.events() == []
        tally, health = compared(), edge.get("/health")
        models, metrics = edge.get("/models"), edge.get("/metrics")
    assert (tally["both"], tally["neither"], tally["only_serving"]) == (0, 0, 0)
    assert health["shadow_models"] == {"mini": {"name": "tiny", "version": "2.0.0"}}
    told_of = {(model["role"], model["turbine_type"]): model["model"] for model in models}
    serving = {("serve", kind): model for kind, model in health["models"].items()}
    assert told_of == serving | {("shadow", "mini"): health["shadow_models"]["mini"]}
    assert 'agreement="only_shadow"' in metrics
    told = listener.shadow_verdicts(MINI_ONE, boot)
    assert [v.state for v in told[:4]] == ["warming", "warming", "anomaly", "anomaly"]
    assert {v.model.version for v in told if v.model} == {"2.0.0"}
    states = {v.seq: v.state for v in listener.verdicts(MINI_ONE, boot)}
    # The serving model's last word may be lost where the edge stops between the two.
    beside = [states[v.seq] for v in told[2:] if v.seq in states]
    assert len(beside) > 4
    assert set(beside) == {"ok"}
    assert listener.shadow_verdicts(MILL_ONE, mill.boot) == []


def test_captures_of_both_types_wait_for_the_cloud(broker: Broker, tmp_path: Path) -> None:
    changes = {"capture_interval": 2.0, "capture_seconds": 3.0}
    with farm(broker, tmp_path, **changes) as running:
        edge, mill = running.edge, running.mill
        running.minis.values[MINI_ONE] = excited()

        def counts() -> Any:
            mill.send()
            return edge.get("/status")["captures"]["captures"]

        wait_until(lambda: counts().get("sample", 0) >= 4, "captures are drawn")
        wait_until(lambda: counts().get("event", 0) >= 1, "one around the event")
        assert edge.get("/status")["captures"]["stopped"] is False
    captures = waiting(tmp_path)
    by_type = {capture.type: capture for capture in captures}
    mill_one = by_type[MILL]
    assert mill_one.channels == list(MILL_CHANNELS)
    # Three of its seconds hold no window of five: two windows are kept instead.
    kept = WINDOWS * mill_package().manifest.window
    np.testing.assert_array_equal(
        unpack(mill_one.values, 3), np.array([[v] * kept for v in (10.0, 20.1, 20.0)], dtype="f4")
    )
    event = next(capture for capture in captures if capture.reason == "event")
    assert (event.turbine, event.type) == (MINI_ONE, "mini")
    assert event.anomalies > 0
    voltages = unpack(event.values, len(event.channels))[event.channels.index("voltage")]
    assert set(np.unique(voltages)) <= {100.0, 900.0}
    assert voltages[-1] == 900.0


def waiting(folder: Path) -> list[Capture]:
    """The captures in a stopped edge's outbox."""
    box = Outbox(folder / "edge", max_bytes=10**9, max_rows=10**6, events_kept=10)
    bodies = b",".join(pending.body for pending in box.waiting_for("capture", 10**9))
    box.close()
    return msgspec.json.decode(b"[" + bodies + b"]", type=list[Capture])


def test_without_captures_none_waits(broker: Broker, tmp_path: Path) -> None:
    with farm(broker, tmp_path, capture_interval=0.0) as running:
        edge = running.edge
        running.minis.values[MINI_ONE] = excited()
        wait_until(lambda: edge.events(), "an event opens")
        running.minis.values[MINI_ONE] = calm()
        wait_until(lambda: edge.events()[0]["closed"], "and closes")
        assert edge.get("/status")["captures"]["captures"] == {}
    assert waiting(tmp_path) == []


def test_a_mill_in_the_place_of_a_miniature_is_scored_as_what_it_is(
    broker: Broker, tmp_path: Path
) -> None:
    with farm(broker, tmp_path) as running:
        edge = running.edge
        running.minis.values[MINI_ONE] = excited()
        wait_until(lambda: edge.events(), "an event opens")
        del running.minis.values[MINI_ONE]
        with Mill(broker.settings, SITE, MINI_ONE) as other:
            other.send()
            wait_until(lambda: edge.events()[0]["closed"], "the event is closed")
            other.send(6)
            wait_until(lambda: edge.turbine(MINI_ONE)["state"] == "ok", "the mill is scored")
            assert edge.turbine(MINI_ONE)["type"] == MILL


def test_a_site_whose_miniatures_model_does_not_load_is_not_healthy(
    broker: Broker, tmp_path: Path
) -> None:
    key = SigningKey("factory")
    write_factory(tmp_path / "factory", sign_package(mill_package(), key, tmp_path / "p"), key)
    spoilt = tmp_path / "factory" / "windturbine"
    spoilt.mkdir()
    (spoilt / RELEASE_FILE).write_text("{")
    with (
        running_edge(tmp_path, broker.settings, SITE) as edge,
        Mill(broker.settings, SITE, MILL_ONE) as mill,
    ):
        mill.send(6)
        wait_until(lambda: edge.turbine(MILL_ONE)["state"] == "ok", "the mill is scored")
        assert edge.get("/health")["status"] == "ok"
        assert edge.get("/status")["model"]["name"] == "mill"
        with Turbines(broker.settings, SITE, (MINI_ONE,)):
            wait_until(lambda: edge.get("/health") is None, "its miniature has no model")

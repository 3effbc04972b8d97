"""The shadow bridge: changes only, at its pace, latest wins, and nothing untrusted gets through."""

import json
import threading
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import pytest

from gustbed_core import codec, topics
from gustbed_core.mqtt import Message
from gustbed_core.turbine_state import Desired, Reported, decode_desired
from gustbed_edge.cloud.device_shadows import (
    MAX_REPORTED_BYTES,
    PAUSE_SECONDS,
    RETRY_SECONDS,
    DeviceShadows,
)
from gustbed_edge.cloud.ports import ShadowRefusedError, ShadowsUnavailableError
from tests.support.ports import wait_until

SECONDS = 3.0
REPORT = Reported("wt01", "nrel_5mw", "production", True, "none", 0.0, 0.0, 0.0, 4)


class FakeShadows:
    """A shadow service. ``error`` makes every update fail, ``during`` is called in each."""

    def __init__(self) -> None:
        self.connected = True
        self.updates: list[tuple[str, dict[str, object]]] = []
        self.error: Exception | None = None
        self.during: Callable[[], None] = lambda: None

    def update(self, shadow: str, reported: dict[str, object]) -> None:
        self.during()
        if self.error is not None:
            raise self.error
        self.updates.append((shadow, reported))

    def modes(self) -> list[object]:
        return [reported["mode"] for _, reported in self.updates]


class Bench:
    """A bridge with a clock of its own, its messages and refusals collected."""

    def __init__(self) -> None:
        self.now = 100.0
        self.messages: list[Message] = []
        self.refused: list[str] = []
        self.shadows = FakeShadows()
        self.device_shadows = DeviceShadows(
            "s",
            ("wt01", "wt02"),
            self._publish,
            lambda _topic, _payload, error: self.refused.append(error.reason),
            self.shadows,
            update_seconds=SECONDS,
            pace_seconds=0.0,
            monotonic=lambda: self.now,
        )

    def report(self, turbine: str = "wt01", **changes: Any) -> None:
        report = replace(REPORT, turbine=turbine, **changes)
        self.device_shadows.reported(topics.reported("s", turbine), codec.encode(report))

    def delta(self, shadow: str = "wt01", **state: Any) -> None:
        self.device_shadows.delta(shadow, json.dumps({"version": 3, "state": state}).encode())

    def desired(self) -> list[Desired]:
        return [decode_desired(message.payload) for message in self.messages]

    def _publish(self, message: Message) -> bool:
        self.messages.append(message)
        return True


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_report_goes_up_once_and_again_only_when_it_changes(bench: Bench) -> None:
    bench.report()
    assert bench.device_shadows.turn() is None
    assert bench.shadows.updates == [("wt01", asdict(REPORT))]
    bench.now += 10 * SECONDS
    bench.report()
    bench.device_shadows.turn()
    assert len(bench.shadows.updates) == 1


def test_changes_within_a_few_seconds_go_up_as_one_and_the_latest_wins(bench: Bench) -> None:
    bench.report(mode="starting")
    bench.device_shadows.turn()
    for mode in ("production", "stopping", "idle"):
        bench.report(mode=mode)
    assert bench.device_shadows.turn() == SECONDS
    assert bench.shadows.modes() == ["starting"]
    bench.now += SECONDS
    bench.device_shadows.turn()
    assert bench.shadows.modes() == ["starting", "idle"]


def test_a_change_during_the_update_is_not_lost(bench: Bench) -> None:
    bench.report(mode="starting")
    bench.shadows.during = lambda: bench.report(mode="production")
    bench.device_shadows.turn()
    bench.now += SECONDS
    bench.device_shadows.turn()
    assert bench.shadows.modes() == ["starting", "production"]


def test_one_turbine_does_not_hold_up_another(bench: Bench) -> None:
    bench.report("wt01")
    bench.device_shadows.turn()
    bench.report("wt01", mode="idle")
    bench.report("wt02")
    bench.device_shadows.turn()
    assert [shadow for shadow, _ in bench.shadows.updates] == ["wt01", "wt02"]


def test_without_a_connection_reports_wait_and_go_up_after_it(bench: Bench) -> None:
    bench.shadows.connected = False
    bench.report(mode="starting")
    bench.report(mode="idle")
    assert bench.device_shadows.turn() is None
    bench.shadows.connected = True
    bench.device_shadows.turn()
    assert bench.shadows.modes() == ["idle"]


def test_a_new_connection_reports_everything_again(bench: Bench) -> None:
    bench.report()
    bench.device_shadows.turn()
    bench.device_shadows.connected()
    bench.now += SECONDS
    bench.device_shadows.turn()
    assert len(bench.shadows.updates) == 2


def test_what_the_service_missed_is_tried_again_and_what_it_refused_is_not(bench: Bench) -> None:
    bench.report()
    bench.shadows.error = ShadowsUnavailableError("no answer")
    assert bench.device_shadows.turn() == PAUSE_SECONDS
    assert bench.device_shadows.turn() == RETRY_SECONDS
    bench.now += RETRY_SECONDS
    bench.shadows.error = ShadowRefusedError("413 too large")
    bench.device_shadows.turn()
    bench.now += RETRY_SECONDS
    bench.shadows.error = None
    assert bench.device_shadows.turn() is None
    assert bench.shadows.updates == []
    assert bench.device_shadows.counts == {"refused": 1}


def test_the_thread_goes_on_after_a_failure_and_stops(bench: Bench) -> None:
    tried = threading.Event()
    bench.shadows.during = tried.set
    bench.shadows.error = ZeroDivisionError()
    bench.device_shadows.start()
    bench.report("wt01")
    assert tried.wait(30)
    bench.shadows.error = None
    bench.report("wt02")
    wait_until(lambda: bench.shadows.updates, "the next one goes up")
    bench.device_shadows.stop(30)
    assert not bench.device_shadows.alive


@pytest.mark.promise("T5")
@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        ("wrong_turbine", {"turbine": "wt02"}),
        ("wrong_schema", {"schema": 2}),
        ("wrong_fields", {"power_limit_kw": "much"}),
        ("wrong_fields", {"version": -1}),
        ("wrong_fields", {"version": 2**60}),
        ("oversized", {"reason": "x" * MAX_REPORTED_BYTES}),
    ],
)
def test_a_bad_report_is_quarantined(bench: Bench, reason: str, changes: dict[str, Any]) -> None:
    payload = codec.encode(asdict(REPORT) | changes)
    bench.device_shadows.reported(topics.reported("s", "wt01"), payload)
    bench.device_shadows.turn()
    assert (bench.refused, bench.shadows.updates) == ([reason], [])


@pytest.mark.promise("T5")
def test_infinity_and_strangers_and_nonsense_are_quarantined(bench: Bench) -> None:
    infinite = codec.encode(replace(REPORT, yaw_offset_deg=float("inf")), codec.Encoding.MSGPACK)
    bench.device_shadows.reported(topics.reported("s", "wt01"), infinite)
    bench.device_shadows.reported(topics.reported("s", "wt09"), codec.encode(REPORT))
    bench.device_shadows.reported(topics.reported("s", "wt01"), b"[]")
    assert bench.refused == ["non_finite", "unknown_turbine", "malformed"]


def test_a_cleared_report_is_nothing(bench: Bench) -> None:
    bench.device_shadows.reported(topics.reported("s", "wt01"), b"")
    assert bench.device_shadows.turn() is None
    assert bench.refused == []


def test_what_a_shadow_wants_is_desired_of_its_turbine_retained(bench: Bench) -> None:
    bench.delta("wt02", run=False, power_limit_kw=1500, version=9)
    (message,) = bench.messages
    assert (message.topic, message.qos, message.retain) == (topics.desired("s", "wt02"), 1, True)
    assert bench.desired() == [Desired(run=False, power_limit_kw=1500.0, version=9)]


def test_a_delta_without_version_echoes_the_one_reported(bench: Bench) -> None:
    bench.report(version=4)
    bench.delta(yaw_offset_deg=-3.5)
    assert bench.desired() == [Desired(yaw_offset_deg=-3.5, version=4)]


@pytest.mark.promise("T5")
@pytest.mark.parametrize(
    "state",
    [
        {"run": "yes"},
        {"run": 1},
        {"power_limit_kw": [1]},
        {"power_limit_kw": True},
        {"version": -1},
        {"version": 2**60},
        {"version": 1.5},
        {"run": True, "schema": 2},
    ],
)
def test_a_bad_desired_state_reaches_no_turbine(bench: Bench, state: dict[str, Any]) -> None:
    bench.delta(**state)
    assert bench.messages == []
    assert bench.device_shadows.counts == {"bad": 1}


@pytest.mark.promise("T5")
@pytest.mark.parametrize(
    "payload",
    [b"", b"{", b"[]", b'{"state": 3}', b'{"state": {"power_limit_kw": 1e999}}', b"{" * 100_000],
)
def test_nonsense_from_the_cloud_reaches_no_turbine(bench: Bench, payload: bytes) -> None:
    bench.device_shadows.delta("wt01", payload)
    assert bench.messages == []
    assert bench.device_shadows.counts == {"bad": 1}


def test_unknown_wishes_and_strangers_shadows_are_passed_over(bench: Bench) -> None:
    bench.delta(colour="red", mode="production")
    bench.delta("wt09", run=True)
    bench.delta("+", run=True)
    bench.delta("../wt01", run=True)
    assert bench.messages == []
    bench.delta(colour="red", run=True)
    assert bench.desired() == [Desired(run=True)]

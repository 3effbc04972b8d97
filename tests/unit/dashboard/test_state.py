"""Messages in, state out."""

from dataclasses import replace

import numpy as np
import pytest

from gustbed_core import event_kinds, topics
from gustbed_core.codec import Encoding, encode
from gustbed_core.commands import Ack, Command
from gustbed_core.commissioning.messages import CommissionAck, CommissionCommand, Refusal
from gustbed_core.events import ServiceState
from gustbed_dashboard.site.snapshot import Condition, SiteSnapshot, judge, take
from gustbed_dashboard.site.state import SiteState
from gustbed_dashboard.site.turbine_buffers import KEPT_SECONDS, Heard
from tests.unit.dashboard import messages
from tests.unit.dashboard.messages import (
    KNOWN,
    MINI,
    SITE,
    TYPES,
    block,
    event,
    heartbeat,
    status,
    verdict,
)

NOW = 100.2


@pytest.fixture
def state() -> SiteState:
    return SiteState(SITE, ["wt01", "wt02"], TYPES)


def snapshot(state: SiteState, now: float = NOW) -> SiteSnapshot:
    return take(state, now, None)


def fold_normal_site(state: SiteState) -> None:
    state.fold(topics.telemetry(SITE, "wt01"), encode(block()), NOW)
    state.fold(topics.verdict(SITE, "wt01"), encode(verdict()), NOW)
    state.fold(topics.heartbeat(SITE), encode(heartbeat()), NOW)


@pytest.mark.parametrize("encoding", list(Encoding))
def test_a_running_turbine_is_normal_with_its_score_and_signals(
    state: SiteState, encoding: Encoding
) -> None:
    state.fold(topics.telemetry(SITE, "wt01"), encode(block(), encoding), NOW)
    state.fold(topics.verdict(SITE, "wt01"), encode(verdict(), encoding), NOW)
    state.fold(topics.heartbeat(SITE), encode(heartbeat(), encoding), NOW)

    site = snapshot(state)
    card = site.turbines[0]
    assert (card.id, card.condition, card.score) == ("wt01", Condition.OK, 0.4)
    rotor, voltage = card.readings
    assert rotor.value == pytest.approx(1.0)
    assert voltage.trend[-1] == pytest.approx(48.0)
    assert card.trend[-1] == pytest.approx(0.4)
    assert rotor.trend[0] is None
    assert site.edge_alive
    assert site.cloud_connected
    assert site.models == {MINI: messages.MODEL}


def test_every_configured_turbine_is_shown_before_anything_is_heard(state: SiteState) -> None:
    cards = snapshot(state).turbines

    assert [card.id for card in cards] == ["wt01", "wt02"]
    assert {card.condition for card in cards} == {Condition.WAITING}


def test_a_violation_shows_and_goes(state: SiteState) -> None:
    fold_normal_site(state)
    state.fold(topics.heartbeat(SITE), encode(heartbeat(100.1, status(state="anomaly"))), NOW)
    assert snapshot(state).turbines[0].condition is Condition.ANOMALY

    state.fold(topics.heartbeat(SITE), encode(heartbeat(100.2)), NOW)
    assert snapshot(state).turbines[0].condition is Condition.OK


@pytest.mark.parametrize(
    ("topic", "payload", "reason"),
    [
        (topics.telemetry(SITE, "wt01"), b"{", "malformed"),
        (topics.telemetry(SITE, "wt01"), b"\x00\x01", "malformed"),
        (topics.telemetry(SITE, "wt01"), b'{"t": NaN}', "non_finite"),
        (topics.telemetry(SITE, "wt01"), b"{" + b" " * 200_000, "oversized"),
        (topics.telemetry(SITE, "wt01"), encode(block("wt02")), "wrong_turbine"),
        (topics.telemetry(SITE, "wt77"), encode(block("wt77")), "unknown_turbine"),
        (topics.verdict(SITE, "wt01"), b'{"turbine": 1}', "wrong_fields"),
        (topics.heartbeat(SITE), encode(heartbeat(100.0, status("a/b"))), "wrong_fields"),
        (topics.event(SITE, "wt02"), encode(event()), "wrong_turbine"),
        (topics.command_ack(SITE, "wt02"), encode(Ack("x", "wt01", True)), "wrong_turbine"),
        (topics.state(SITE, "other"), encode(ServiceState("other", "online", 1)), "unknown_topic"),
        (f"gustbed/{SITE}/wt01/nonsense", b"{}", "unknown_topic"),
        ("gustbed/site-2/wt01/telemetry", encode(block()), "unknown_topic"),
        ("elsewhere", b"{}", "unknown_topic"),
    ],
)
def test_a_bad_message_is_counted_and_changes_nothing(
    state: SiteState, topic: str, payload: bytes, reason: str
) -> None:
    fold_normal_site(state)
    before = snapshot(state)

    state.fold(topic, payload, NOW)

    after = snapshot(state)
    assert after.ignored == {reason: 1}
    assert after.turbines == before.turbines
    assert after.events == []


def test_a_retained_heartbeat_of_a_dead_edge_does_not_count_as_life(state: SiteState) -> None:
    state.fold(topics.heartbeat(SITE), encode(heartbeat(t=10.0)), NOW)
    assert not snapshot(state).edge_alive

    state.fold(topics.heartbeat(SITE), encode(heartbeat(t=11.0)), NOW + 1)
    assert snapshot(state, NOW + 1).edge_alive


def test_a_silent_edge_is_noticed_and_its_turbines_lose_their_verdict(state: SiteState) -> None:
    fold_normal_site(state)
    state.fold(topics.telemetry(SITE, "wt01"), encode(block(end=110.0, seq=1)), 110.2)

    site = snapshot(state, 110.3)

    assert not site.edge_alive
    assert not site.cloud_connected
    assert site.turbines[0].condition is Condition.UNKNOWN
    assert site.turbines[0].score is None


def test_the_edges_last_will_is_believed_at_once(state: SiteState) -> None:
    fold_normal_site(state)
    state.fold(topics.state(SITE, "edge"), encode(ServiceState("edge", "offline", 100.1)), NOW)

    assert not snapshot(state).edge_alive


def test_a_turbine_that_stops_sending_is_silent(state: SiteState) -> None:
    fold_normal_site(state)

    card = snapshot(state, NOW + 8).turbines[0]

    assert card.condition is Condition.SILENT
    assert "8 s" in card.note
    assert [reading.value for reading in card.readings] == [None, None]


def test_a_turbine_with_a_wrong_clock_is_still_seen_live(state: SiteState) -> None:
    for seq in range(4):
        late = encode(block(end=5_000_000.0 + seq / 2, seq=seq))
        state.fold(topics.telemetry(SITE, "wt01"), late, NOW + seq / 2)

    rotor, _ = snapshot(state, NOW + 1.6).turbines[0].readings

    assert [value is not None for value in rotor.trend[-2:]] == [True, True]


def test_only_turbines_that_the_site_knows_take_memory(state: SiteState) -> None:
    state.fold(topics.heartbeat(SITE), encode(heartbeat(100.0, status("wt09"))), NOW)
    state.fold(topics.telemetry(SITE, "wt09"), encode(block("wt09")), NOW)
    for i in range(50):
        state.fold(topics.telemetry(SITE, f"x{i}"), encode(block(f"x{i}")), NOW)

    assert set(state.turbines) == {"wt01", "wt02", "wt09"}
    assert state.ignored["unknown_turbine"] == 50
    assert [card.id for card in snapshot(state).turbines] == ["wt09"]


def test_a_turbine_that_left_the_edges_list_goes_once_nothing_of_it_is_left(
    state: SiteState,
) -> None:
    both = heartbeat(100.0, status("wt01"), status("wt09"))
    state.fold(topics.heartbeat(SITE), encode(both), NOW)
    for name in ("wt01", "wt09"):
        state.fold(topics.telemetry(SITE, name), encode(block(name)), NOW)

    def shown_after(seconds: float) -> list[str]:
        now = NOW + seconds
        state.fold(topics.heartbeat(SITE), encode(heartbeat(now, status("wt01"))), now)
        return [card.id for card in snapshot(state, now).turbines]

    assert shown_after(KEPT_SECONDS - 1) == ["wt01", "wt09"], "it may only be away"
    assert shown_after(KEPT_SECONDS + 1) == ["wt01"]
    assert "wt09" not in state.turbines


def test_scores_are_kept_by_feature_and_a_missing_score_is_a_gap(state: SiteState) -> None:
    state.fold(topics.verdict(SITE, "wt01"), encode(verdict(t=99.5)), NOW)
    state.fold(topics.verdict(SITE, "wt01"), encode(verdict(t=100.0, score=None)), NOW)

    scores = state.turbines["wt01"].scores(0, NOW)

    assert (scores.age + NOW).tolist() == pytest.approx([99.5, 100.0])
    assert scores.largest[0] == pytest.approx(0.4)
    assert np.isnan(scores.largest[1])
    assert set(scores.ratios) == set(KNOWN[MINI].schema.feature_names)
    assert all(column[0] == pytest.approx(0.4) for column in scores.ratios.values())
    assert all(np.isnan(column[1]) for column in scores.ratios.values())


def test_commands_are_followed_from_sending_to_answer(state: SiteState) -> None:
    inject = Command("inject", event_kinds.VOLTAGE, 0.5, id="c1")
    state.fold(topics.command(SITE, "wt01"), encode(inject), NOW)
    assert [sent.outcome(NOW) for sent in snapshot(state).sent] == ["waiting"]
    assert [sent.outcome(NOW + 30) for sent in snapshot(state).sent] == ["unanswered"]

    state.fold(topics.command_ack(SITE, "wt01"), encode(Ack("c1", "wt01", True)), NOW)
    site = snapshot(state)
    assert [sent.outcome(NOW) for sent in site.sent] == ["accepted"]
    assert [(f.turbine, f.fault, f.severity) for f in site.faults] == [("wt01", "voltage", 0.5)]

    state.fold(topics.command(SITE, "wt01"), encode(Command("clear", id="c2")), NOW + 1)
    state.fold(topics.command_ack(SITE, "wt01"), encode(Ack("c2", "wt01", True)), NOW + 1)
    assert snapshot(state, NOW + 1).faults == []


def test_a_refused_command_says_why_and_is_no_active_fault(state: SiteState) -> None:
    state.fold(
        topics.command(SITE, "wt01"), encode(Command("inject", event_kinds.VOLTAGE, id="c1")), NOW
    )
    state.fold(
        topics.command_ack(SITE, "wt01"), encode(Ack("c1", "wt01", False, "severity above 1")), NOW
    )

    site = snapshot(state)

    assert site.sent[0].outcome(NOW) == "refused"
    assert site.sent[0].ack is not None
    assert site.sent[0].ack.reason == "severity above 1"
    assert site.faults == []


def test_the_edges_refusal_to_commission_is_told_until_somebody_asks_again(
    state: SiteState,
) -> None:
    refusal = Refusal("wt01", "open_event", "an event is open: voltage", "mend it")
    asked, answered = topics.commission(SITE), topics.commission_ack(SITE)
    state.fold(asked, encode(CommissionCommand("start", ["wt01"], id="c1")), NOW)
    state.fold(answered, encode(CommissionAck("unseen", [], [refusal])), NOW)
    assert snapshot(state).refusals == {}
    state.fold(answered, encode(CommissionAck("c1", [], [refusal])), NOW)
    assert snapshot(state).refusals == {"wt01": "an event is open: voltage: mend it"}
    state.fold(asked, encode(CommissionCommand("start", ["wt01"], id="c2")), NOW)
    assert snapshot(state).refusals == {}
    state.fold(answered, encode(CommissionAck("c2", ["wt01"])), NOW)
    assert snapshot(state).refusals == {}
    state.fold(answered, b"{", NOW)
    state.fold(asked.replace("/edge/", "/wt01/"), encode(CommissionCommand("undo")), NOW)
    assert state.ignored == {"malformed": 1, "unknown_topic": 1}


def test_a_restarted_twin_has_no_faults(state: SiteState) -> None:
    state.fold(
        topics.command(SITE, "wt01"), encode(Command("inject", event_kinds.VOLTAGE, id="c1")), NOW
    )
    state.fold(topics.command_ack(SITE, "wt01"), encode(Ack("c1", "wt01", True)), NOW)

    state.fold(topics.state(SITE, "twin"), encode(ServiceState("twin", "online", NOW + 1)), NOW + 1)

    assert snapshot(state, NOW + 1).faults == []


def test_a_turbine_whose_blocks_the_edge_refuses_says_why() -> None:
    refused = replace(messages.status(), state="silent", refused="131 s ahead of the edge's clock")
    condition, note = judge(refused, True, 1.0, Heard.LIVE)
    assert condition is Condition.SILENT
    assert note == "the edge refuses what it sends: 131 s ahead of the edge's clock"

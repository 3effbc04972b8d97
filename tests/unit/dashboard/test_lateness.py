"""What is old, late or left out: a page that lags says so, and blames nobody else for it."""

from dataclasses import replace
from datetime import UTC
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from gustbed_core import topics
from gustbed_core.codec import encode
from gustbed_core.events import ServiceState
from gustbed_dashboard import formatting
from gustbed_dashboard.components import fleet_cards, html
from gustbed_dashboard.site.load import Load
from gustbed_dashboard.site.snapshot import MAX_CARDS, Condition, SiteSnapshot, take
from gustbed_dashboard.site.source_clock import SourceClock
from gustbed_dashboard.site.state import READ_PER_SECOND, SiteState
from gustbed_dashboard.site.turbine_buffers import Heard
from gustbed_dashboard.views.page_elements import problems
from tests.unit.dashboard.messages import SITE, TYPES, block, event, heartbeat, status, verdict

NOW = 1000.0


@pytest.fixture
def state() -> SiteState:
    return SiteState(SITE, ["wt01", "wt02"], TYPES)


def hear(state: SiteState, end: float, now: float, seq: int = 0, boot: str = "b1") -> None:
    message = encode(block(end=end, seq=seq, boot=boot))
    state.fold(topics.telemetry(SITE, "wt01"), message, now)


def said(site: SiteSnapshot) -> str:
    return " ".join(line for _, line in problems(site))


@pytest.mark.promise("T9")
def test_a_backlog_is_never_drawn_as_now(state: SiteState) -> None:
    """An hour of blocks arrives within seconds, as after an outage."""
    state.fold(topics.heartbeat(SITE), encode(heartbeat(NOW)), NOW)
    state.fold(topics.verdict(SITE, "wt01"), encode(verdict(t=NOW - 3600)), NOW)
    for seq in range(60):
        hear(state, NOW - 3600 + 30 * seq, NOW + seq / 10, seq)

    site = take(state, NOW + 6, None)
    card = site.turbines[0]

    assert card.condition is Condition.UNKNOWN
    assert card.note.startswith("catching up: what comes is 30 min old")
    assert card.score is None
    assert {value for reading in card.readings for value in (reading.value, *reading.trend)} == {
        None
    }
    assert site.behind == pytest.approx(1836, abs=1)
    assert "What is shown here is 30 min old" in said(site)


@pytest.mark.promise("T9")
def test_one_old_message_is_not_taken_as_live(state: SiteState) -> None:
    """What a broker had kept, say."""
    hear(state, NOW - 600, NOW)

    assert take(state, NOW + 0.1, None).turbines[0].condition is not Condition.OK
    assert take(state, NOW + 8, None).turbines[0].condition is Condition.SILENT
    assert "10 min" in take(state, NOW + 8, None).turbines[0].note
    assert state.turbines["wt01"].hears(NOW + 0.1) is Heard.LATE, "no value of it is told as newest"


def test_a_clock_that_is_behind_is_known_by_being_steady(state: SiteState) -> None:
    for seq in range(14):
        hear(state, NOW + seq / 2 - 600, NOW + seq / 2, seq)

    site = take(state, NOW + 6.6, None)

    assert site.turbines[0].readings[0].value is not None
    assert site.turbines[0].readings[0].trend[-1] is not None


def test_a_clock_that_was_right_does_not_go_wrong_within_a_start() -> None:
    clock = SourceClock()
    assert clock.place("b", NOW, NOW + 0.1) == 0.0
    offsets = {clock.place("b", NOW + n, NOW + n + 60) for n in range(20)}

    assert offsets == {0.0}
    assert clock.place("c", NOW + 500, NOW) == -500.0, "what comes from the future is placed now"


@pytest.mark.promise("T9")
def test_a_page_that_lags_does_not_blame_the_edge(state: SiteState) -> None:
    """One message in a hundred gets through: heartbeats come far apart, and all comes late."""
    hear(state, NOW, NOW)
    state.fold(topics.heartbeat(SITE), encode(heartbeat(NOW)), NOW)
    for second in range(1, 90):
        hear(state, NOW + second / 100, NOW + second, second)

    site = take(state, NOW + 89.5, None, load=0.97)

    assert site.edge_alive
    assert site.behind > 80
    assert "this dashboard cannot keep up with the site (it takes 97.0 % of a core)" in said(site)
    assert "Waiting for the edge" not in said(site)


@pytest.mark.promise("T10")
def test_a_cloud_that_falls_behind_is_told_though_it_is_connected(state: SiteState) -> None:
    beat = replace(heartbeat(NOW), buffered=4200, lag=900.0)
    state.fold(topics.heartbeat(SITE), encode(beat), NOW)

    site = take(state, NOW, None)

    assert site.cloud_connected
    assert "The cloud is 15 min behind the site: 4200 messages wait" in said(site)
    assert "waiting, 15 min" in fleet_cards.strip(site)
    assert "behind" not in said(replace(site, uplink_lag=70.0))


def test_an_edge_that_is_silent_beside_punctual_turbines_is_told(state: SiteState) -> None:
    state.fold(topics.heartbeat(SITE), encode(heartbeat(NOW)), NOW)
    for second in range(1, 20):
        hear(state, NOW + second, NOW + second, second)

    site = take(state, NOW + 19.5, None)

    assert not site.edge_alive
    assert site.behind == 0
    assert "Waiting for the edge" in said(site)
    assert "too busy" not in said(site)
    assert "or this dashboard is too busy" in said(take(state, NOW + 19.5, None, load=0.95))


@pytest.mark.parametrize("twin_too", [False, True])
def test_an_alarm_outlives_its_edge_as_last_known_with_its_time(
    twin_too: bool, state: SiteState
) -> None:
    hear(state, NOW, NOW)
    state.fold(topics.event(SITE, "wt01"), encode(event(opened=NOW - 60)), NOW)
    beat = heartbeat(NOW, status(state="anomaly"), status("wt02"))
    state.fold(topics.heartbeat(SITE), encode(beat), NOW)
    state.fold(topics.state(SITE, "edge"), encode(ServiceState("edge", "offline", NOW + 1)), NOW)
    if not twin_too:
        hear(state, NOW + 20, NOW + 20, 1)

    site = take(state, NOW + 20.1, None)
    alarmed, other = site.turbines
    card = fleet_cards.card(alarmed, [2.0, 100.0], UTC)

    assert alarmed.condition is Condition.ANOMALY
    assert alarmed.note == ("last known, no telemetry" if twin_too else "last known")
    assert "1 Jan 1970, 00:16:40 UTC" in card
    assert 'data-violation="vibration"' in card
    assert other.condition is not Condition.OK
    assert "1 with an anomaly, last known" in fleet_cards.strip(site)
    shown = html.render(
        "events",
        events=site.events,
        now=site.now,
        zone=UTC,
        limit=5,
        alive=site.edge_alive,
        empty="",
        type_of=site.type_of,
        query={},
    )
    assert "Last known open" in shown


def test_of_many_turbines_only_those_with_cards_are_taken_in_detail() -> None:
    names = [f"wt{i + 1:02d}" for i in range(200)]
    state = SiteState(SITE, names, TYPES)
    for name in names:
        state.fold(topics.telemetry(SITE, name), encode(block(name, NOW)), NOW)
    sick = names[100 : 100 + 2 * MAX_CARDS]
    beat = heartbeat(NOW, *(status(n, "anomaly" if n in sick else "ok") for n in names))
    state.fold(topics.heartbeat(SITE), encode(beat), NOW)

    cards = take(state, NOW, None).turbines

    assert [card.id for card in cards if card.detailed] == sick[:MAX_CARDS]
    assert all(bool(card.readings) is card.detailed for card in cards)


def test_above_some_rate_blocks_of_unwatched_turbines_are_passed_over_without_a_gap() -> None:
    names = [f"wt{i + 1:02d}" for i in range(READ_PER_SECOND)]
    state = SiteState(SITE, names, TYPES)
    state.turbines["wt02"].watch(NOW + 5)
    for seq in range(24):
        now = NOW + seq / 2
        for name in names:
            state.fold(topics.telemetry(SITE, name), encode(block(name, now, seq)), now)
            state.fold(topics.verdict(SITE, name), encode(verdict(name, now)), now)

    now = NOW + 11.5
    thinned, whole = (state.turbines[name].signals.since(NOW + 4, ["rps"])[0] for name in names[:2])

    assert state.blocks_per_second(now) == pytest.approx(2 * READ_PER_SECOND, rel=0.1)
    assert len(thinned) == pytest.approx(len(whole) / 2, rel=0.2)
    assert max(b - a for a, b in pairwise(thinned)) < 2.0
    scores = [len(state.turbines[name].scores(NOW + 4, now).age) for name in names[:2]]
    assert scores[0] == pytest.approx(scores[1] / 2, rel=0.2)
    assert state.turbines["wt01"].score(now) == pytest.approx(0.4)
    assert state.turbines["wt01"].age(now) == pytest.approx(0, abs=0.6)


def test_turbines_are_listed_as_people_count() -> None:
    state = SiteState(SITE, ["wt10", "wt1", "wt100", "wt2"], TYPES)

    assert state.names() == ["wt1", "wt2", "wt10", "wt100"]


def test_tiles_and_events_lead_to_the_turbines_page() -> None:
    state = SiteState(SITE, [f"wt{i}" for i in range(30)], TYPES)
    state.fold(topics.event(SITE, "wt01"), encode(event()), NOW)
    site = take(state, NOW, None)
    events = html.render(
        "events",
        events=site.events,
        now=NOW,
        zone=UTC,
        limit=5,
        alive=True,
        empty="",
        type_of=site.type_of,
        query={},
    )

    assert 'href="turbine?turbine=wt7"' in fleet_cards.tiles(site.turbines)
    assert 'href="turbine?turbine=wt01"' in events
    assert "1 Jan 1970, 00:01:30 UTC" in events
    assert html.address("a&b c", {}) == "turbine?turbine=a%26b%20c"


def test_times_carry_their_date_and_zone() -> None:
    moment = 1_795_761_902.0
    assert formatting.stamp(moment, ZoneInfo("Europe/Berlin")) == "27 Nov 2026, 07:45:02 CET"
    assert formatting.moment(moment, UTC) == "27 Nov 2026, 06:45 UTC"
    assert formatting.stamp(moment, None).count(" ") == 4, "this machine's zone has a name too"
    assert formatting.stamp(1e30, UTC) == "–"


def test_load_is_the_share_of_a_core_over_some_seconds() -> None:
    now, spent = [0.0], [0.0]
    load = Load(lambda: now[0], lambda: spent[0])
    now[0], spent[0] = 2.0, 2.0
    load.look()
    assert load.share == 0.0
    now[0], spent[0] = 10.0, 9.0
    load.look()
    assert load.share == pytest.approx(0.9)


@pytest.mark.promise("T9")
def test_what_a_broker_had_kept_is_not_taken_as_live(state: SiteState) -> None:
    now = NOW + 0.2
    for topic, message in (
        (topics.telemetry(SITE, "wt01"), encode(block(end=NOW))),
        (topics.verdict(SITE, "wt01"), encode(verdict(t=NOW))),
        (topics.event(SITE, "wt01"), encode(event())),
        (topics.heartbeat(SITE), encode(heartbeat(NOW - 60, status(blocks=0)))),
    ):
        state.fold(topic, message, now, retained=True)

    site = take(state, now, None)

    assert state.ignored == {"retained": 3}
    assert site.turbines[0].condition is Condition.WAITING
    assert site.events == []
    assert site.thing == "gustbed-site-1", "a heartbeat that was kept still says who the edge is"

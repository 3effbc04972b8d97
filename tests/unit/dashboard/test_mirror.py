"""A mirror's minutes: kept, aged, said to be stale, and shown with its events."""

from dataclasses import replace
from datetime import UTC

import numpy as np
import pytest

from gustbed_core import topics
from gustbed_core.codec import encode
from gustbed_core.event_kinds import VOLTAGE
from gustbed_core.events import AnomalyEvent, ModelRef
from gustbed_core.mirror import Mirrored, MirroredChannel, model_name
from gustbed_dashboard.components import charts, fleet_cards, mirror
from gustbed_dashboard.components.html import render
from gustbed_dashboard.site.mirror_log import (
    KEPT_SECONDS,
    MAX_CHANNELS,
    STALE_AFTER,
    MirrorHistory,
    MirrorLog,
)
from gustbed_dashboard.site.snapshot import take
from gustbed_dashboard.site.state import SiteState
from tests.unit.dashboard.messages import KNOWN, MINI, SITE, TYPES, block, event, heartbeat

NOW = 1000.0
TYPE = "my_turbine"
CHANNEL = MirroredChannel(47.0, 47.5, -0.5, -3.4, -3.1)
OPENED = AnomalyEvent(
    "mirror-1", SITE, "gustbed-site-1", "wt01", VOLTAGE, 880.0, None, 1.09,
    ModelRef(model_name(TYPE), "0.4.0"), "opened", ["voltage"],
)  # fmt: skip
CLOSED = replace(OPENED, id="mirror-0", opened=400.0, closed=700.0, change="closed")


def minute(
    channels: dict[str, MirroredChannel] | None = None, *, kind: str = TYPE, turbine: str = "wt01"
) -> Mirrored:
    return Mirrored(turbine, kind, 5.0, 60.0, channels or {"voltage": CHANNEL}, limit=3.0)


def log(*minutes: Mirrored, every: float = 60.0) -> MirrorLog:
    """The last of them comes at ``NOW``."""
    made = MirrorLog()
    for place, each in enumerate(minutes):
        made.add(each, NOW - every * (len(minutes) - 1 - place))
    return made


def history(age: float = 0.0) -> MirrorHistory:
    found = log(minute(), minute()).history(NOW + age)
    assert found is not None
    return found


def panel(age: float, *events: AnomalyEvent) -> str:
    return mirror.panel("wt01", KNOWN[MINI], history(age), events, NOW + age, UTC)


def test_minutes_lie_where_they_were_heard_and_a_missing_channel_is_a_gap() -> None:
    first = minute({"voltage": CHANNEL, "rps": replace(CHANNEL, judged=None)})
    found = log(minute(), first).history(NOW + 10.0)
    assert found is not None
    assert found.age.tolist() == [-70.0, -10.0]
    assert (found.heard, found.limit, found.type) == (10.0, 3.0, TYPE)
    assert found.measured["voltage"].tolist() == [47.0, 47.0]
    assert found.expected["voltage"].tolist() == [47.5, 47.5]
    assert found.judged["voltage"].tolist() == [-3.1, -3.1]
    np.testing.assert_array_equal(found.judged["rps"], [np.nan, -3.4])


def test_another_twins_minutes_and_old_ones_are_not_shown() -> None:
    found = log(minute(kind="another"), minute()).history(NOW)
    assert found is not None
    assert len(found.age) == 1
    assert log(minute()).history(NOW + KEPT_SECONDS + 1.0) is None
    assert MirrorLog().history(NOW) is None


@pytest.mark.parametrize(("age", "stale"), [(0.0, False), (STALE_AFTER, False), (151.0, True)])
def test_a_mirror_that_falls_silent_is_stale(age: float, stale: bool) -> None:
    assert history(age).stale is stale


def test_a_minute_reaches_its_turbine_and_what_is_none_is_counted() -> None:
    state = SiteState(SITE, ["wt01"], TYPES)
    state.fold(topics.mirror(SITE, "wt01"), encode(minute()), NOW)
    state.fold(topics.mirror(SITE, "wt01"), encode(minute(turbine="wt02")), NOW)
    many = {f"c{number}": CHANNEL for number in range(MAX_CHANNELS + 1)}
    state.fold(topics.mirror(SITE, "wt01"), encode(minute(many)), NOW)
    state.fold(topics.mirror(SITE, "wt01"), encode(minute()), NOW, retained=True)
    assert state.ignored == {"wrong_turbine": 1, "wrong_fields": 1, "retained": 1}
    found = state.turbines["wt01"].mirror.history(NOW)
    assert found is not None
    assert found.age.tolist() == [0.0]


def test_the_panel_says_in_words_how_turbine_and_twin_stand() -> None:
    calm = panel(20.0, CLOSED, event())
    assert 'data-state="As its twin"' in calm
    assert "last minute <b>20 s ago</b>" in calm
    assert "Voltage, carried by voltage: closed after 5 min 00 s" in calm
    assert "Vibration" not in calm
    apart = panel(20.0, OPENED, CLOSED)
    assert 'data-state="Apart from its twin"' in apart
    assert "Voltage, carried by voltage: open for 2 min 20 s" in apart
    assert "peak 1.09 × limit" in apart
    assert panel(20.0, replace(OPENED, turbine="wt02")).count("data-mirror-event") == 0


def test_a_stale_mirror_says_how_to_go_on() -> None:
    found = panel(200.0, OPENED)
    assert 'data-state="Mirror is silent"' in found
    assert "<code>gustbed twin mirror wt01 --type my_turbine.yaml</code>" in found


def test_older_events_are_counted_and_names_are_escaped() -> None:
    evil = "<script>"
    many = [replace(CLOSED, id=f"mirror-{number}", signals=[evil]) for number in range(5)]
    found = panel(0.0, *many)
    assert found.count("data-mirror-event") == mirror.EVENTS_SHOWN
    assert "and 2 older" in found
    assert evil not in found


def test_lists_of_events_and_cards_tell_a_mirrors_from_the_edges() -> None:
    state = SiteState(SITE, ["wt01"], TYPES)
    state.fold(topics.heartbeat(SITE), encode(heartbeat(NOW)), NOW)
    state.fold(topics.telemetry(SITE, "wt01"), encode(block(end=NOW)), NOW)
    state.fold(topics.mirror_event(SITE, "wt01"), encode(OPENED), NOW)
    site = take(state, NOW, None)
    [card] = site.turbines
    assert (card.mirrored, card.carried_by) == ((VOLTAGE,), ["voltage"])
    assert "apart from its twin: Voltage" in fleet_cards.card(card, [1.0, 1.0], UTC)
    listed = render(
        "events", events=[OPENED, event()], now=NOW, zone=UTC, limit=8, alive=True, empty="",
        type_of=site.type_of, query={},
    )  # fmt: skip
    assert "mirror 0.4.0" in listed
    assert "model 1.0.0" in listed


def test_a_chart_of_minutes_counts_minutes_marks_values_and_both_limits() -> None:
    chart = charts.LineChart(
        {"a": "#fff"}, "z", 1800, -5.0, 5.0, thresholds=(-3.0, 3.0), points=True, gap=150.0
    )
    spec = charts.specification(chart)
    line, *rules = spec["layer"]
    assert "min" in line["encoding"]["x"]["axis"]["labelExpr"]
    assert line["mark"]["point"]["filled"]
    assert [rule["encoding"]["y"]["datum"] for rule in rules] == [-3.0, 3.0]
    table = charts.rows(np.array([-360.0, -120.0, -60.0]), {"a": np.arange(3.0)}, chart.gap)
    assert table.column(charts.VALUE).to_pylist() == [0.0, None, 1.0, 2.0]

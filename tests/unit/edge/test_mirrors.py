"""Events of mirrors in the edge's history: taken, closed when nobody speaks for them, checked."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from gustbed_core import topics
from gustbed_core.codec import Encoding, encode
from gustbed_core.event_kinds import ROTATION, VOLTAGE
from gustbed_core.events import AnomalyEvent, ModelRef
from gustbed_core.mirror import Mirrored, MirroredChannel, is_mirrors, model_name
from gustbed_edge.events.mirrors import MAX_OPEN, MAX_SIGNALS, SILENT_AFTER, Mirrors
from gustbed_edge.events.owners import of_mirrors, of_workload
from gustbed_edge.events.tracker import UPDATE_SECONDS, Site

SITE = Site("s", "gustbed-s", ("wt01", "wt02"))
TYPE = "my_turbine"
MODEL = ModelRef(model_name(TYPE), "0.4.0")
OPENED = AnomalyEvent(
    "mirror-1", "s", "gustbed-s", "wt01", VOLTAGE, 100.0, None, 1.1, MODEL, "opened", ["voltage"]
)
CLOSED = replace(OPENED, closed=400.0, change="closed")


class Bench:
    """Mirrors on a clock of their own; what they told and refused."""

    def __init__(self, open_events: Iterable[AnomalyEvent] = ()) -> None:
        self.now = 1000.0
        self.told: list[AnomalyEvent] = []
        self.refused: list[str] = []
        self.mirrors = Mirrors(
            SITE,
            self.told.extend,
            lambda _topic, _payload, error: self.refused.append(error.reason),
            open_events,
            lambda: self.now,
            lambda: 9000.0,
        )

    def say(self, event: AnomalyEvent, on: str = "wt01") -> None:
        self.mirrors.event(topics.mirror_event("s", on), encode(event))

    def minute(self, *ids: str, t: float = 300.0, kind: str = TYPE, turbine: str = "wt01") -> None:
        channels = {"voltage": MirroredChannel(47.0, 48.0, -1.0, -3.3, -3.1)}
        minute = Mirrored(turbine, kind, t, 60.0, channels, limit=3.0, open=list(ids))
        self.mirrors.minute(topics.mirror("s", turbine), encode(minute))

    def changes(self) -> list[tuple[str, str, float | None]]:
        return [(each.id, each.change, each.closed) for each in self.told]


def test_an_event_is_told_as_it_opens_grows_and_closes_and_stays_closed() -> None:
    bench = Bench()
    bench.say(OPENED)
    bench.say(OPENED)
    bench.say(replace(OPENED, peak_score=1.3, change="updated"))
    assert [each.change for each in bench.told] == ["opened"], "not more often than that"
    bench.now += UPDATE_SECONDS
    bench.say(replace(OPENED, peak_score=1.3, change="updated"))
    bench.say(CLOSED)
    bench.say(replace(OPENED, peak_score=9.0, change="updated"))
    assert [each.change for each in bench.told] == ["opened", "updated", "closed"]
    assert bench.told[0] == OPENED
    assert bench.told[-1].closed == 400.0
    assert bench.refused == []


def test_an_event_that_its_mirror_no_longer_names_is_closed_at_that_minute() -> None:
    bench = Bench()
    bench.say(OPENED)
    bench.minute("mirror-1")
    bench.minute(kind="another_twin")
    bench.minute(turbine="wt02")
    assert bench.changes() == [("mirror-1", "opened", None)]
    bench.minute(t=360.0)
    assert bench.changes()[1:] == [("mirror-1", "closed", 360.0)]


def test_an_event_of_a_mirror_that_is_silent_is_closed_when_it_was_last_heard() -> None:
    bench = Bench()
    bench.say(OPENED)
    bench.minute("mirror-1", t=310.0)
    bench.now += SILENT_AFTER
    bench.mirrors.turn()
    assert len(bench.told) == 1
    bench.now += 1.0
    bench.mirrors.turn()
    assert bench.changes()[1:] == [("mirror-1", "closed", 310.0)]


def test_an_event_that_was_open_before_a_restart_goes_on() -> None:
    bench = Bench([OPENED])
    bench.minute("mirror-1")
    assert bench.told == []
    bench.say(CLOSED)
    assert bench.changes() == [("mirror-1", "closed", 400.0)]


def test_an_event_of_before_a_restart_whose_mirror_never_came_back_is_closed() -> None:
    bench = Bench([OPENED])
    bench.now += SILENT_AFTER + 1.0
    bench.mirrors.turn()
    assert bench.changes() == [("mirror-1", "closed", 9000.0)]


def test_what_was_missed_is_made_up_for() -> None:
    bench = Bench()
    bench.say(replace(OPENED, peak_score=1.4, change="updated"))
    assert bench.told == [replace(OPENED, peak_score=1.4)]
    other = replace(CLOSED, id="mirror-2", turbine="wt02")
    bench.say(other, on="wt02")
    assert bench.told[1:] == [other]


def test_a_mirror_that_begins_anew_speaks_for_what_the_last_one_said() -> None:
    bench = Bench()
    bench.say(OPENED)
    bench.say(replace(OPENED, id="mirror-2", opened=500.0))
    bench.say(replace(OPENED, id="mirror-3", kind=ROTATION))
    assert [(each.id, each.change) for each in bench.told] == [
        ("mirror-1", "opened"), ("mirror-1", "closed"), ("mirror-2", "opened"),
        ("mirror-3", "opened"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("event", "on", "reason"),
    [
        (OPENED, "wt02", "wrong_turbine"),
        (replace(OPENED, turbine="wt09"), "wt09", "unknown_turbine"),
        (replace(OPENED, site="t"), "wt01", "wrong_site"),
        (replace(OPENED, thing="gustbed-t"), "wt01", "wrong_site"),
        (replace(OPENED, id="7f1c"), "wt01", "wrong_fields"),
        (replace(OPENED, model=ModelRef("windturbine", "1.0.0")), "wt01", "wrong_fields"),
        (replace(OPENED, kind="a kind"), "wt01", "wrong_fields"),
        (replace(OPENED, signals=["s"] * (MAX_SIGNALS + 1)), "wt01", "wrong_fields"),
        (replace(OPENED, signals=["<b>"]), "wt01", "wrong_fields"),
        (replace(OPENED, closed=99.0), "wt01", "wrong_fields"),
    ],
)
def test_what_no_mirror_of_this_site_says_is_refused(
    event: AnomalyEvent, on: str, reason: str
) -> None:
    bench = Bench()
    bench.say(event, on)
    assert (bench.told, bench.refused) == ([], [reason])


def test_numbers_that_are_none_and_floods_are_refused() -> None:
    bench = Bench()
    endless = encode(replace(OPENED, peak_score=float("inf")), Encoding.MSGPACK)
    bench.mirrors.event(topics.mirror_event("s", "wt01"), endless)
    bench.mirrors.minute(topics.mirror("s", "wt01"), b"{")
    assert bench.refused == ["non_finite", "malformed"]
    for number in range(MAX_OPEN + 1):
        bench.say(replace(OPENED, id=f"mirror-{number}", kind=f"kind_{number}"))
    assert len(bench.told) == MAX_OPEN
    assert bench.refused[2:] == ["too_many"]


def test_open_events_go_back_to_whoever_found_them() -> None:
    own = replace(OPENED, id="1", model=ModelRef("windturbine", "1.0.0"))
    storm = replace(OPENED, id="2", model=ModelRef("storm_watch", "1.0.0"))
    every = [own, storm, OPENED]
    assert is_mirrors(OPENED)
    assert list(of_mirrors(every)) == [OPENED]
    assert list(of_workload("telemetry", every, ["storm_watch"], rest=True)) == [own]
    assert list(of_workload("storm_watch", every, [], rest=False)) == [storm]

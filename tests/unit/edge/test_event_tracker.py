"""Hysteresis: one event per lasting fault, none for a flicker, continued over a restart."""

import itertools
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gustbed_core import event_kinds
from gustbed_core.events import AnomalyEvent, ModelRef
from gustbed_core.signals import Decision
from gustbed_edge.events.judge import Judge
from gustbed_edge.events.tracker import UPDATE_SECONDS, EventTracker, Site
from tests.support.packages import tiny_package

SITE = Site("s", "gustbed-s", ("wt01", "wt02"))
OPEN, CLOSE = 3, 4
JUDGE = Judge.of(tiny_package().manifest, Decision(OPEN, CLOSE))
MODEL = JUDGE.model
KINDS = JUDGE.kinds
CALM, FAULT = 0.5, 2.0


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def tracker(clock: Clock | None = None) -> EventTracker:
    return EventTracker(SITE, clock or Clock())


def feed(
    tracker: EventTracker, *voltages: float, row: int = 0, start: float = 100.0
) -> list[AnomalyEvent]:
    changes: list[AnomalyEvent] = []
    for i, voltage in enumerate(voltages):
        ratios = np.full((1, len(JUDGE.features)), CALM)
        ratios[0, JUDGE.features.index("voltage")] = voltage
        rows, times = np.array([row], dtype=np.intp), np.array([start + i])
        changes += tracker.update(rows, times, ratios, JUDGE.by_kind(ratios), JUDGE)
    return changes


def test_a_lasting_fault_is_exactly_one_event() -> None:
    one = tracker()
    changes = feed(one, *[CALM] * 5, *[FAULT] * 50, *[CALM] * CLOSE)
    assert [change.change for change in changes] == ["opened", "closed"]
    opened, closed = changes
    assert opened.id == closed.id
    assert (opened.turbine, opened.kind, opened.model) == ("wt01", event_kinds.VOLTAGE, MODEL)
    assert opened.opened == 105.0
    assert closed.closed == 100.0 + 5 + 50 + CLOSE - 1


def test_a_flicker_opens_nothing() -> None:
    assert feed(tracker(), *([FAULT] * (OPEN - 1) + [CALM]) * 20) == []


def test_a_short_recovery_does_not_split_an_event() -> None:
    changes = feed(tracker(), *[FAULT] * OPEN, *([CALM] * (CLOSE - 1) + [FAULT]) * 10)
    assert [change.change for change in changes] == ["opened"]


def test_a_fault_that_returns_after_closing_is_a_new_event() -> None:
    one = tracker()
    changes = feed(one, *[FAULT] * OPEN, *[CALM] * CLOSE, *[FAULT] * OPEN)
    assert [change.change for change in changes] == ["opened", "closed", "opened"]
    assert changes[0].id != changes[2].id


def test_a_growing_peak_is_told_but_not_more_often_than_the_interval() -> None:
    clock = Clock()
    one = tracker(clock)
    feed(one, *[FAULT] * OPEN)
    assert feed(one, 5.0, 6.0) == []
    clock.now += UPDATE_SECONDS
    (updated,) = feed(one, 7.0)
    assert (updated.change, updated.peak_score) == ("updated", 7.0)
    assert feed(one, 9.0) == []
    (closed,) = feed(one, *[CALM] * CLOSE)
    assert closed.peak_score == 9.0


def test_turbines_and_kinds_do_not_touch_each_other() -> None:
    one = tracker()
    ratios = np.full((2, len(JUDGE.features)), CALM)
    ratios[0, JUDGE.features.index("roll")] = ratios[1, JUDGE.features.index("voltage")] = FAULT
    changes: list[AnomalyEvent] = []
    for t in range(OPEN):
        rows = np.array([0, 1], dtype=np.intp)
        changes += one.update(
            rows, np.array([t, t], dtype=float), ratios, JUDGE.by_kind(ratios), JUDGE
        )
    assert [(c.turbine, c.kind) for c in changes] == [("wt01", KINDS[0]), ("wt02", KINDS[2])]
    assert one.open_kinds(0) == [KINDS[0]]


def test_an_open_event_goes_on_after_a_restart_and_closes() -> None:
    (opened,) = feed(tracker(), *[FAULT] * OPEN)
    restarted = tracker()
    assert restarted.resume([opened]) == []
    assert feed(restarted, *[FAULT] * 20) == []
    (closed,) = feed(restarted, *[CALM] * CLOSE)
    assert (closed.id, closed.change) == (opened.id, "closed")


def test_an_open_event_of_a_turbine_that_is_gone_is_closed() -> None:
    (opened,) = feed(tracker(), *[FAULT] * OPEN)
    smaller = EventTracker(Site("s", "gustbed-s", ("wt09",)), Clock())
    (closed,) = smaller.resume([opened])
    assert (closed.id, closed.change, closed.closed) == (opened.id, "closed", 1000.0)


def test_two_open_events_for_one_fault_become_one() -> None:
    (first,) = feed(tracker(), *[FAULT] * OPEN)
    (second,) = feed(tracker(), *[FAULT] * OPEN)
    (closed,) = tracker().resume([first, second])
    assert closed.id == second.id


def reference(violated: list[bool]) -> list[tuple[int, str]]:
    """The rule written down the slow way."""
    changes: list[tuple[int, str]] = []
    is_open = False
    for i in range(len(violated)):
        last = violated[: i + 1]
        if not is_open and len(last) >= OPEN and all(last[-OPEN:]):
            is_open = True
            changes.append((i, "opened"))
        elif is_open and len(last) >= CLOSE and not any(last[-CLOSE:]):
            is_open = False
            changes.append((i, "closed"))
    return changes


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 6)), max_size=15))
def test_hysteresis_equals_its_definition(runs: list[tuple[bool, int]]) -> None:
    violated = list(itertools.chain.from_iterable([hit] * length for hit, length in runs))
    one = tracker()
    seen = []
    for i, hit in enumerate(violated):
        changes = feed(one, FAULT if hit else CALM, start=float(i))
        seen += [(i, change.change) for change in changes]
    assert seen == reference(violated)


def judge(tracker: EventTracker, *, clock: Clock | None = None, **ratios: float) -> AnomalyEvent:
    """One verdict with some features high; the one change that it makes."""
    values = np.full((1, len(JUDGE.features)), CALM)
    for name, ratio in ratios.items():
        values[0, JUDGE.features.index(name)] = ratio
    if clock is not None:
        clock.now += UPDATE_SECONDS
    rows, times = np.zeros(1, dtype=np.intp), np.array([200.0])
    changes = tracker.update(rows, times, values, JUDGE.by_kind(values), JUDGE)
    return changes[0] if changes else NOTHING


NOTHING = AnomalyEvent("", "", "", "", event_kinds.SENSOR, 0, None, 0, MODEL, "updated")


def test_an_event_names_the_signals_that_carry_it_strongest_first() -> None:
    one = tracker()
    judge(one, roll=1.2)
    judge(one, roll=1.1, yaw=3.0)
    opened = judge(one, roll=1.5, voltage=0.9)
    assert (opened.kind, opened.signals) == (event_kinds.VIBRATION, ["yaw", "roll"])


def test_signals_are_merged_over_the_events_life_and_a_new_one_is_told() -> None:
    clock = Clock()
    one = tracker(clock)
    for _ in range(OPEN - 1):
        judge(one, pitch=2.0)
    assert judge(one, pitch=2.0).signals == ["pitch"]
    assert judge(one, clock=clock, pitch=2.0) is NOTHING
    updated = judge(one, clock=clock, roll=1.5)
    assert (updated.change, updated.signals) == ("updated", ["pitch", "roll"])
    assert judge(one, roll=9.0) is NOTHING
    closed = [judge(one) for _ in range(CLOSE)][-1]
    assert (closed.change, closed.signals, closed.peak_score) == ("closed", ["roll", "pitch"], 9.0)


def test_signals_of_a_flicker_before_do_not_count() -> None:
    one = tracker()
    judge(one, pitch=2.0)
    judge(one)
    for _ in range(OPEN - 1):
        judge(one, roll=2.0)
    assert judge(one, roll=2.0).signals == ["roll"]


def test_signals_outlive_a_restart_of_the_edge() -> None:
    one = tracker()
    for _ in range(OPEN):
        opened = judge(one, pitch=4.0, roll=3.0)
    restarted = tracker()
    restarted.resume([opened])
    judge(restarted, yaw=2.0)
    closed = [judge(restarted) for _ in range(CLOSE)][-1]
    assert closed.signals == ["pitch", "yaw", "roll"]


def test_a_turbine_that_is_another_now_has_its_events_closed_and_its_counts_gone() -> None:
    one = tracker()
    (opened,) = feed(one, *[FAULT] * OPEN)
    feed(one, *[FAULT] * (OPEN - 1), row=1)
    (closed,) = one.restart(0, 111.0)
    assert (closed.id, closed.change, closed.closed) == (opened.id, "closed", 111.0)
    assert one.open_kinds(0) == []
    assert one.restart(1, 111.0) == []
    assert feed(one, *[FAULT] * (OPEN - 1), row=1) == []


def test_an_event_of_a_kind_that_the_model_no_longer_has_closes_by_normal_verdicts() -> None:
    (opened,) = feed(tracker(), *[FAULT] * OPEN)
    gone = replace(opened, kind="icing", model=ModelRef("older", "0.1.0"))
    restarted = tracker()
    assert restarted.resume([gone]) == []
    assert restarted.open_kinds(0) == ["icing"]
    changes = feed(restarted, *[FAULT] * CLOSE)
    assert [(each.kind, each.change) for each in changes] == [
        (event_kinds.VOLTAGE, "opened"),
        ("icing", "closed"),
    ]
    assert restarted.open_kinds(0) == [event_kinds.VOLTAGE]


def test_models_name_their_own_kinds_and_a_next_one_goes_on_with_those_it_shares() -> None:
    manifest = tiny_package(
        "2.0.0",
        violations={
            "icing": ("roll",),
            event_kinds.VOLTAGE: ("voltage",),
            "noise": ("pitch", "yaw", "wind_speed_rps", "rps"),
        },
    ).manifest
    other = Judge.of(manifest, Decision(OPEN, CLOSE))
    one = tracker()
    feed(one, *[FAULT] * (OPEN - 1))
    ratios = np.full((1, len(other.features)), CALM)
    ratios[0, other.features.index("voltage")] = ratios[0, other.features.index("roll")] = FAULT
    rows = np.zeros(1, dtype=np.intp)
    told = [
        one.update(rows, np.array([200.0 + i]), ratios, other.by_kind(ratios), other)
        for i in range(OPEN)
    ]
    assert [event.kind for event in told[0]] == [event_kinds.VOLTAGE], "its run goes on"
    assert [event.kind for event in told[-1]] == ["icing"]
    assert one.open_kinds(0) == [event_kinds.VOLTAGE, "icing"]

"""The latest word on every event, from two sources and in any order."""

from gustbed_dashboard.site.event_log import CAPACITY, EventLog
from tests.unit.dashboard.messages import event


def test_a_closed_event_stays_closed_whatever_comes_late() -> None:
    log = EventLog()
    log.add(event(closed=95.0))
    log.add(event(peak=9.0))

    assert [e.closed for e in log.newest()] == [95.0]


def test_open_events_come_first_then_the_newest() -> None:
    log = EventLog()
    for name, opened, closed in (("a", 1.0, 2.0), ("b", 3.0, None), ("c", 5.0, 6.0)):
        log.add(event(name, opened, closed))

    assert [e.id for e in log.newest()] == ["b", "c", "a"]


def test_an_event_that_closed_while_nobody_listened_is_closed_by_the_history() -> None:
    log = EventLog()
    log.add(event())
    log.reconcile([event(closed=95.0)], asked=200.0)

    assert [e.closed for e in log.newest()] == [95.0]


def test_an_open_event_that_the_edge_forgot_is_dropped_but_a_fresh_one_stays() -> None:
    log = EventLog()
    log.add(event("old", opened=90.0))
    log.add(event("fresh", opened=199.0))
    log.reconcile([], asked=200.0)

    assert [e.id for e in log.newest()] == ["fresh"]


def test_the_log_is_bounded_and_open_events_outlive_closed_ones() -> None:
    log = EventLog()
    log.add(event("open", opened=0.0))
    for i in range(CAPACITY + 10):
        log.add(event(f"e{i}", opened=float(i + 1), closed=float(i + 2)))

    kept = log.newest()
    assert len(kept) == CAPACITY
    assert kept[0].id == "open"

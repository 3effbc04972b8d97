"""A turbine that differs and had a calm minute does not cry wolf for ever; a real fault may."""

from pathlib import Path

import pytest

from gustbed_core.commissioning.messages import DIFFERS
from gustbed_core.events import AnomalyEvent
from gustbed_edge.commissioning.trust import Patience
from gustbed_edge.scoring.detector import Detector
from tests.support.commissionable import WANTED, Commissioned, Machine, commissionable

PATIENCE = Patience(calm=5.0, alarm=20.0)
"""Of 10 verdicts, and of 40."""
LULL = Machine(slope=2.5, gusts=False)
GUSTY = Machine(slope=2.5)
AWAY = Machine(offset=5.0)
"""All three differ as machines of their type do; in a lull nothing shows."""


@pytest.fixture
def bench(tmp_path: Path) -> Commissioned:
    return Commissioned(tmp_path, commissionable(), patience=PATIENCE)


def trusted(bench: Commissioned) -> None:
    """Let wt01 have its calm minute."""
    bench.run(30, wt01=LULL)
    assert bench.standing("wt01").basis == "factory"


def told(bench: Commissioned, count: int, machine: Machine) -> list[AnomalyEvent]:
    """Score so many blocks one by one; return what changed."""
    events: list[AnomalyEvent] = []
    for _ in range(count):
        events += bench.score(bench.block("wt01", machine.values())).events
        bench.commissioner.turn()
    return events


def again(bench: Commissioned, tmp_path: Path) -> Commissioned:
    """The same edge after a restart, with the events that were open."""
    other = Commissioned(tmp_path, commissionable(), patience=PATIENCE)
    other.boots, other.seqs, other.ends = bench.boots, bench.seqs, bench.ends
    return other


def test_a_machine_that_differs_loses_trust_and_its_event_is_closed_with_the_reason(
    bench: Commissioned,
) -> None:
    trusted(bench)
    events = told(bench, 80, AWAY)
    assert [event.change for event in events if event.change != "updated"] == ["opened", "closed"]
    closed = events[-1]
    assert closed.reason == DIFFERS
    assert closed.closed is not None
    assert closed.closed - events[0].opened >= PATIENCE.alarm
    state = bench.standing("wt01")
    assert (state.basis, state.differs) == ("prior", True)
    assert bench.tracker.open_kinds(0) == []
    assert bench.run(5, wt01=AWAY)[-1].commissioning == "prior"


def test_alarms_that_come_and_go_with_the_wind_cost_trust_too(bench: Commissioned) -> None:
    trusted(bench)
    bench.run(600, wt01=GUSTY)
    assert bench.standing("wt01").differs
    assert {verdict.state for verdict in bench.run(100, wt01=GUSTY)} == {"ok"}


def test_a_calm_minute_does_not_win_it_back_nor_does_a_restart(
    bench: Commissioned, tmp_path: Path
) -> None:
    trusted(bench)
    bench.run(80, wt01=AWAY)
    bench.run(100, wt01=LULL)
    assert bench.standing("wt01").differs
    other = again(bench, tmp_path)
    verdicts = other.run(100, wt01=LULL)
    assert {verdict.commissioning for verdict in verdicts if verdict.ratios} == {"prior"}
    assert other.standing("wt01").differs


def test_what_speaks_against_it_outlives_a_restart(bench: Commissioned, tmp_path: Path) -> None:
    trusted(bench)
    bench.run(35, wt01=AWAY)
    assert bench.standing("wt01").basis == "factory"
    other = again(bench, tmp_path)
    other.run(30, wt01=AWAY)
    assert other.standing("wt01").differs, "neither stretch is long enough alone"


def test_a_strong_fault_stays_an_alarm(bench: Commissioned) -> None:
    trusted(bench)
    events = told(bench, 400, Machine(offset=40.0))
    assert [event.change for event in events if event.change != "updated"] == ["opened"]
    assert bench.standing("wt01").basis == "factory"
    assert bench.tracker.open_kinds(0) == ["voltage"]


def test_a_weak_fault_keeps_its_event_as_long_as_patience_lasts(bench: Commissioned) -> None:
    trusted(bench)
    events = told(bench, 38, AWAY)
    assert [event.change for event in events if event.change != "updated"] == ["opened"]
    events = told(bench, 10, Machine())
    assert (events[-1].change, events[-1].reason) == ("closed", "")
    assert bench.standing("wt01").basis == "factory"


def test_a_fault_that_grows_has_an_event_of_its_own_after_trust_is_lost(
    bench: Commissioned,
) -> None:
    trusted(bench)
    bench.run(80, wt01=AWAY)
    events = told(bench, 10, Machine(offset=40.0))
    assert events[0].change == "opened"
    assert bench.standing("wt01").differs


def test_a_commissioning_ends_it_and_undoing_that_does_not_bring_trust_back(
    bench: Commissioned,
) -> None:
    trusted(bench)
    bench.run(80, wt01=AWAY)
    assert bench.ask("start", "wt01", accept=True).done == ["wt01"]
    bench.run(WANTED + 20, wt01=AWAY)
    state = bench.standing("wt01")
    assert (state.basis, state.differs) == ("own", False)
    bench.ask("undo", "wt01")
    bench.run(40, wt01=LULL)
    assert bench.standing("wt01").differs


def test_a_new_model_is_trusted_anew_and_the_old_one_is_remembered(bench: Commissioned) -> None:
    trusted(bench)
    bench.run(80, wt01=AWAY)
    bench.scorer.serve(Detector(commissionable("1.1.0", centre=100.1)))
    bench.run(40, wt01=LULL)
    state = bench.standing("wt01")
    assert (state.basis, state.differs) == ("factory", False)
    bench.scorer.serve(Detector(commissionable("1.0.0")))
    bench.run(40, wt01=LULL)
    assert bench.standing("wt01").differs


def test_others_keep_their_trust_and_their_events(bench: Commissioned) -> None:
    bench.run(30, wt01=LULL, wt02=Machine())
    bench.run(80, wt01=AWAY, wt02=Machine(offset=40.0))
    assert bench.standing("wt01").differs
    assert bench.standing("wt02").basis == "factory"
    assert bench.tracker.open_kinds(1) == ["voltage"]


def test_a_running_period_is_judged_as_it_began(bench: Commissioned) -> None:
    trusted(bench)
    told(bench, 30, AWAY)
    told(bench, 10, LULL)
    assert bench.ask("start", "wt01").done == ["wt01"]
    # Too few in a row for an event, and in sum too many to be trusted.
    for _ in range(30):
        bench.run(2, wt01=AWAY)
        bench.run(1, wt01=LULL)
    assert bench.standing("wt01").running is not None
    assert bench.standing("wt01").basis == "factory"

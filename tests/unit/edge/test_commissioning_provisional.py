"""A turbine that nobody commissioned, and that differs, is soon judged by what it showed itself."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gustbed_core.commissioning.messages import DIFFERS
from gustbed_edge.commissioning.trust import Patience
from gustbed_edge.scoring.detector import Detector
from tests.support.commissionable import WANTED, Commissioned, Machine, commissionable

PATIENCE = Patience(calm=20.0, alarm=20.0, unasked=180.0)
"""Of 40 verdicts, of 40, and of 360."""
AWAY = Machine(offset=6.0, slope=1.0)
"""Differs as machines of its type do, and is never calm by the factory's measure."""
WEAK = Machine(offset=11.0, slope=1.0)
"""The same with a fault that other machines of the type would explain."""
LATER = WANTED + 20


@pytest.fixture
def bench(tmp_path: Path) -> Commissioned:
    return Commissioned(tmp_path, commissionable(), patience=PATIENCE)


def again(bench: Commissioned, tmp_path: Path, patience: Patience = PATIENCE) -> Commissioned:
    """The same edge after a restart."""
    other = Commissioned(tmp_path, commissionable(), patience=patience)
    other.boots, other.seqs, other.ends = bench.boots, bench.seqs, bench.ends
    return other


def provisional(bench: Commissioned) -> None:
    """Let wt01 show what it is."""
    bench.run(LATER, wt01=AWAY)
    assert bench.standing("wt01").basis == "provisional", bench.standing("wt01")


@pytest.mark.promise("F1")
def test_a_weak_fault_is_seen_though_nobody_commissioned_the_turbine(bench: Commissioned) -> None:
    bench.run(60, wt01=AWAY)
    state = bench.standing("wt01")
    assert (state.basis, state.warning) == ("prior", "not commissioned")
    assert state.learning is not None
    assert state.running is None, "nobody has declared a period"
    assert {verdict.state for verdict in bench.run(30, wt02=WEAK)} <= {"warming", "ok"}
    provisional(bench)
    state = bench.standing("wt01")
    assert state.version.startswith("p")
    assert state.warning == "not commissioned: judged provisionally"
    calm = bench.run(60, wt01=AWAY)
    assert {(verdict.state, verdict.commissioning) for verdict in calm} == {("ok", "provisional")}
    assert bench.run(20, wt01=WEAK)[-1].state == "anomaly"


def test_only_what_somebody_declared_normal_counts_as_commissioned(bench: Commissioned) -> None:
    provisional(bench)
    assert bench.commissioner.corrections("mini") == {}
    info = bench.commissioner.infos()[0]
    assert info.correction is not None
    assert info.correction.version == bench.standing("wt01").version
    assert info.waiting is None
    refused = {action: bench.ask(action, "wt01").refused for action in ("accept", "undo", "cancel")}
    assert all(refused.values()), refused


def test_it_goes_on_after_a_restart_and_so_does_what_was_being_learnt(
    bench: Commissioned, tmp_path: Path
) -> None:
    bench.run(200, wt01=AWAY)
    bench.commissioner.finish()
    before = bench.standing("wt01").learning
    assert before is not None
    other = again(bench, tmp_path)
    other.run(10, wt01=AWAY)
    after = other.standing("wt01").learning
    assert after is not None
    assert after == pytest.approx(before, abs=0.03)
    other.run(WANTED - 160, wt01=AWAY)
    assert other.standing("wt01").basis == "provisional"
    third = again(other, tmp_path)
    assert third.run(4, wt01=AWAY)[-1].commissioning == "provisional"


def test_a_turbine_that_fits_the_factory_s_measure_learns_nothing(bench: Commissioned) -> None:
    bench.run(20, wt01=Machine())
    assert bench.standing("wt01").learning is not None
    bench.run(LATER, wt01=Machine())
    state = bench.standing("wt01")
    assert (state.basis, state.learning, state.warning, state.note) == ("factory", None, "", "")


def step(bench: Commissioned) -> str:
    """Change within the period."""
    bench.run(WANTED // 3, wt01=AWAY)
    bench.run(WANTED // 3 + 10, wt01=Machine(offset=-6.0))
    return "changed within the period"


def far(bench: Commissioned) -> str:
    """Be further off than machines of the type are."""
    bench.run(60, wt01=AWAY)
    bench.run(40, wt01=Machine(offset=40.0))
    return "an event opened: voltage"


@pytest.mark.parametrize("spoil", [step, far])
def test_what_is_not_normal_is_not_learnt_and_the_next_takes_twice_as_long(
    bench: Commissioned, spoil: Callable[[Commissioned], str]
) -> None:
    why = spoil(bench)
    state = bench.standing("wt01")
    assert state.basis == "prior"
    assert why in state.note
    assert state.refused == "", "nobody asked for it"
    bench.run(2 * WANTED - 20, wt01=AWAY)
    assert bench.standing("wt01").basis == "prior"
    bench.run(60, wt01=AWAY)
    state = bench.standing("wt01")
    assert (state.basis, state.note) == ("provisional", "")


def test_a_declared_period_takes_its_place_and_is_judged_as_it_began(bench: Commissioned) -> None:
    bench.run(100, wt01=AWAY)
    assert bench.ask("start", "wt01").done == ["wt01"]
    bench.run(200, wt01=AWAY)
    state = bench.standing("wt01")
    assert (state.basis, state.learning) == ("prior", None)
    assert state.running is not None
    bench.run(WANTED - 180, wt01=AWAY)
    assert bench.standing("wt01").ready
    bench.run(LATER, wt01=AWAY)
    assert bench.standing("wt01").basis == "prior", "it waits for somebody to accept it"
    bench.ask("accept", "wt01")
    state = bench.standing("wt01")
    assert state.basis == "own"
    assert state.version.startswith("c")


def test_a_provisional_turbine_is_commissioned_like_any_other(bench: Commissioned) -> None:
    provisional(bench)
    bench.ask("start", "wt01", accept=True)
    assert {v.commissioning for v in bench.run(200, wt01=AWAY)} == {"provisional"}
    bench.run(WANTED - 180, wt01=AWAY)
    assert bench.standing("wt01").basis == "own"
    bench.ask("undo", "wt01")
    state = bench.standing("wt01")
    assert state.basis == "prior", "what it showed before is out of date"
    bench.run(LATER, wt01=AWAY)
    assert bench.standing("wt01").basis == "provisional"


def test_alarms_that_machines_of_the_type_explain_cost_it_again(bench: Commissioned) -> None:
    provisional(bench)
    bench.run(100, wt01=WEAK)
    state = bench.standing("wt01")
    assert (state.basis, state.warning) == ("prior", DIFFERS)
    assert bench.tracker.open_kinds(0) == []
    bench.run(2 * WANTED + 20, wt01=WEAK)
    assert bench.standing("wt01").basis == "provisional"


def test_a_strong_fault_is_an_alarm_for_as_long_as_it_lasts(bench: Commissioned) -> None:
    provisional(bench)
    bench.run(400, wt01=Machine(offset=46.0))
    assert bench.standing("wt01").basis == "provisional"
    assert bench.tracker.open_kinds(0) == ["voltage"]


def test_after_a_rollout_it_shows_itself_first_and_then_the_accepted_period_is_repeated(
    bench: Commissioned,
) -> None:
    bench.run(10, wt01=AWAY)
    bench.ask("start", "wt01", accept=True, hours=0.1)
    bench.run(2 * WANTED + 20, wt01=AWAY)
    assert bench.standing("wt01").basis == "own"
    bench.scorer.serve(Detector(commissionable("1.1.0", centre=101.0)))
    bench.commissioner.turn()
    bench.run(LATER, wt01=AWAY)
    state = bench.standing("wt01")
    assert state.basis == "provisional"
    assert state.running is not None
    bench.run(2 * WANTED + 20, wt01=AWAY)
    assert bench.standing("wt01").basis == "own"


def test_a_rollout_begins_anew_what_was_being_learnt(bench: Commissioned) -> None:
    bench.run(200, wt01=AWAY)
    bench.scorer.serve(Detector(commissionable("1.1.0", centre=101.0)))
    bench.commissioner.turn()
    bench.run(20, wt01=AWAY)
    learning = bench.standing("wt01").learning
    assert learning is not None
    assert learning < 0.2
    assert not (bench.folder / "wt01.period").exists()


@pytest.mark.parametrize("shown", [WANTED // 2, LATER])
def test_none_is_learnt_nor_used_where_the_setting_says_so(
    bench: Commissioned, tmp_path: Path, shown: int
) -> None:
    bench.run(shown, wt01=AWAY)
    bench.commissioner.finish()
    other = again(bench, tmp_path, Patience(20.0, 20.0, 0.0))
    other.run(LATER, wt01=AWAY)
    state = other.standing("wt01")
    assert (state.basis, state.learning) == ("prior", None)


def opened(bench: Commissioned, count: int, machine: Machine) -> int:
    """How many events open in so many blocks."""
    events = []
    for _ in range(count):
        events += bench.score(bench.block("wt01", machine.values())).events
        bench.commissioner.turn()
    return sum(event.change == "opened" for event in events)


NEAR = Machine(slope=2.2)
"""Calm in most winds by the factory's measure, and in alarm in the strongest."""
LULL = Machine(slope=2.2, gusts=False)


@pytest.mark.promise("F1")
def test_a_trusted_turbine_that_cries_wolf_is_soon_judged_by_what_it_showed(tmp_path: Path) -> None:
    patience = Patience(calm=5.0, alarm=1800.0, unasked=180.0)
    bench = Commissioned(tmp_path, commissionable(), patience=patience)
    bench.run(30, wt01=LULL)
    assert bench.standing("wt01").basis == "factory"
    assert bench.standing("wt01").learning is None, "it fits so far"
    assert opened(bench, 1500, NEAR) > 0
    assert bench.standing("wt01").basis == "provisional"
    assert opened(bench, 500, NEAR) == 0


def test_a_weak_fault_of_a_trusted_turbine_is_not_learnt_while_it_is_an_event(
    tmp_path: Path,
) -> None:
    patience = Patience(calm=5.0, alarm=1800.0, unasked=180.0)
    bench = Commissioned(tmp_path, commissionable(), patience=patience)
    bench.run(30, wt01=Machine())
    bench.run(2 * WANTED, wt01=Machine(offset=5.0))
    state = bench.standing("wt01")
    assert state.basis == "factory"
    assert bench.tracker.open_kinds(0) == ["voltage"]
    assert (state.learning or 0.0) < 0.1

"""A turbine is judged by what its own normal period told, and by nothing else of it."""

from pathlib import Path

import numpy as np
import pytest

from gustbed_core.commissioning import normality
from gustbed_core.commissioning.correction import uncorrected_ratios
from gustbed_core.commissioning.messages import CommissionAck
from gustbed_core.events import Verdict
from gustbed_edge.commissioning.trust import Patience
from gustbed_edge.scoring.detector import Detector
from tests.support.commissionable import (
    WANTED,
    Commissioned,
    Machine,
    commissionable,
    population,
)


@pytest.fixture
def bench(tmp_path: Path) -> Commissioned:
    return Commissioned(tmp_path, commissionable())


def reasons(answer: CommissionAck) -> dict[str, str]:
    return {refusal.turbine: refusal.reason for refusal in answer.refused}


def states(verdicts: list[Verdict]) -> set[str]:
    return {verdict.state for verdict in verdicts if verdict.state != "warming"}


def test_a_machine_like_the_factorys_is_judged_sharply_after_a_calm_minute(
    bench: Commissioned,
) -> None:
    bench.run(100, wt01=Machine())
    assert bench.standing("wt01").basis == "prior"
    verdicts = bench.run(40, wt01=Machine())
    assert bench.standing("wt01").basis == "factory"
    verdicts += bench.run(1, wt01=Machine())
    assert [verdicts[0].commissioning, verdicts[-1].commissioning] == ["prior", ""]


def test_a_machine_that_differs_is_not_cried_wolf_over_and_stays_not_commissioned(
    bench: Commissioned,
) -> None:
    verdicts = bench.run(200, wt01=Machine(offset=5.0))
    assert bench.standing("wt01").basis == "prior"
    assert states(verdicts) == {"ok"}
    away = np.stack([Machine(offset=5.0).values(20)])
    assert Detector(commissionable()).score(away).max() > 1, "the factory alone would"


def test_a_strong_fault_is_found_before_anything_is_known_of_a_turbine(
    bench: Commissioned,
) -> None:
    bench.run(10, wt01=Machine())
    assert states(bench.run(10, wt01=Machine(offset=40.0))[2:]) == {"anomaly"}
    assert bench.tracker.open_kinds(0) == ["voltage"]


def test_without_patience_the_factory_judges_at_once(tmp_path: Path) -> None:
    bench = Commissioned(tmp_path, commissionable(), patience=Patience(0.0, 1800.0))
    verdicts = bench.run(10, wt01=Machine(offset=5.0))
    assert states(verdicts) == {"anomaly"}
    assert bench.standing("wt01").basis == "factory"


def test_calm_begins_anew_after_a_gap_and_after_a_violation(bench: Commissioned) -> None:
    bench.run(100, wt01=Machine())
    bench.seqs["wt01"] += 1
    bench.run(100, wt01=Machine())
    assert bench.standing("wt01").basis == "prior"
    bench.run(3, wt01=Machine(offset=5.0))
    bench.run(100, wt01=Machine())
    assert bench.standing("wt01").basis == "prior"
    bench.run(40, wt01=Machine())
    assert bench.standing("wt01").basis == "factory"


def test_a_period_makes_a_machine_its_own_measure(bench: Commissioned) -> None:
    machine = Machine(offset=5.0, slope=1.0)
    bench.run(10, wt01=machine, wt02=Machine())
    assert bench.ask("start", "wt01").done == ["wt01"]
    bench.run(WANTED // 2, wt01=machine, wt02=Machine())
    running = bench.standing("wt01").running
    assert running is not None
    assert 0.4 < running < 0.6
    bench.run(WANTED // 2 + 20, wt01=machine, wt02=Machine())
    assert (bench.standing("wt01").running, bench.standing("wt01").ready) == (None, True)
    assert bench.standing("wt01").basis == "prior", "nobody has accepted it"
    assert bench.ask("accept").done == ["wt01"]
    state = bench.standing("wt01")
    assert (state.basis, state.ready) == ("own", False)
    verdicts = [v for v in bench.run(60, wt01=machine, wt02=Machine()) if v.turbine == "wt01"]
    assert states(verdicts) == {"ok"}
    assert verdicts[-1].commissioning == state.version
    assert bench.commissioner.corrections("mini") == {"wt01": state.version}
    assert bench.scorer.commissioning(0) == state.version
    assert np.mean([verdict.score or 0.0 for verdict in verdicts]) < 0.5
    # What a machine of the factory's would hardly show is far from what this one does.
    assert states(bench.run(30, wt01=Machine(offset=-3.0))[10:]) == {"anomaly"}


def test_what_was_corrected_is_told_in_numbers(bench: Commissioned) -> None:
    own(bench, Machine(offset=5.0))
    info = bench.commissioner.infos()[0]
    assert info.correction is not None
    assert list(info.correction.shifts) == ["voltage"]
    assert info.correction.shifts["voltage"] == pytest.approx(5.0, abs=0.5)
    assert (info.correction.blocks, info.correction.model) == (2, "tiny 1.0.0")
    assert info.correction.room == {}


def own(bench: Commissioned, machine: Machine, turbine: str = "wt01") -> str:
    """Commission a turbine; return its correction's version."""
    bench.run(10, **{turbine: machine})
    assert bench.ask("start", turbine, accept=True).done == [turbine]
    bench.run(WANTED + 20, **{turbine: machine})
    state = bench.standing(turbine)
    assert state.basis == "own", state
    return state.version


def test_undo_goes_back_to_the_correction_before_and_then_to_none(bench: Commissioned) -> None:
    first = own(bench, Machine(offset=3.0))
    second = own(bench, Machine(offset=4.0))
    assert first != second
    assert bench.ask("undo", "wt01").done == ["wt01"]
    assert bench.standing("wt01").version == first
    assert bench.ask("undo").done == ["wt01"]
    assert bench.standing("wt01").basis == "prior"
    assert reasons(bench.ask("undo", "wt01")) == {"wt01": "nothing"}


def test_a_running_period_can_be_cancelled_and_not_doubled(bench: Commissioned) -> None:
    bench.run(10, wt01=Machine())
    bench.ask("start", "wt01")
    assert reasons(bench.ask("start", "wt01")) == {"wt01": "running"}
    assert bench.ask("cancel", "wt01").done == ["wt01"]
    assert bench.standing("wt01").running is None
    assert reasons(bench.ask("cancel", "wt01")) == {"wt01": "not_running"}
    assert bench.ask("start", "wt01").done == ["wt01"]


@pytest.mark.parametrize(
    ("reason", "first", "last"),
    [
        ("changed within the period", Machine(), Machine(offset=6.0)),
        ("times as far off as machines", Machine(offset=11.0), Machine(offset=11.0)),
        ("too little operation", Machine(gusts=False), Machine(gusts=False)),
    ],
)
def test_a_period_that_is_not_normal_is_refused_with_its_reason(
    bench: Commissioned,
    reason: str,
    first: Machine,
    last: Machine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Narrow enough for these machines: at the usual bounds their events would come first.
    monkeypatch.setattr(normality, "IMPLAUSIBLE", 2.0)
    monkeypatch.setattr(normality, "WIDEST", 2.0)
    bench.run(10, wt01=first)
    bench.ask("start", "wt01", accept=True)
    bench.run(WANTED // 3, wt01=first)
    bench.run(WANTED, wt01=last)
    state = bench.standing("wt01")
    assert reason in state.refused
    assert "voltage" in state.refused
    assert state.basis != "own"


def test_a_fault_in_the_last_third_is_refused(bench: Commissioned) -> None:
    bench.run(10, wt01=Machine())
    bench.ask("start", "wt01", accept=True)
    bench.run(280, wt01=Machine())
    bench.run(40, wt01=Machine(offset=5.5))
    assert "strayed to" in bench.standing("wt01").refused


def test_an_open_event_refuses_a_period_and_ends_one(bench: Commissioned) -> None:
    bench.run(10, wt01=Machine())
    bench.ask("start", "wt01")
    bench.run(10, wt01=Machine(offset=60.0))
    state = bench.standing("wt01")
    assert "an event opened: voltage" in state.refused
    assert state.running is None
    assert reasons(bench.ask("start", "wt01")) == {"wt01": "open_event"}


def test_what_cannot_be_commissioned_says_why(tmp_path: Path) -> None:
    bench = Commissioned(tmp_path, commissionable())
    answer = bench.ask("start", "wt01", "wt09")
    assert reasons(answer) == {"wt01": "silent", "wt09": "unknown_turbine"}
    bench.run(10, wt01=Machine())
    short = bench.ask("start", "wt01", hours=0.05)
    assert short.done == ["wt01"]
    assert reasons(bench.ask("accept", "wt01")) == {"wt01": "not_ready"}
    assert reasons(bench.ask("accept")) == {"": "nothing"}


def test_a_period_whose_telemetry_stops_is_ended(bench: Commissioned) -> None:
    bench.run(10, wt01=Machine())
    bench.ask("start", "wt01")
    bench.run(100, wt01=Machine())
    bench.now += 3 * 180 + 1
    bench.commissioner.turn()
    state = bench.standing("wt01")
    assert "of the wanted verdicts" in state.refused
    assert state.running is None


def test_a_command_that_comes_twice_is_done_once(bench: Commissioned) -> None:
    bench.run(10, wt01=Machine())
    first = bench.ask("start", "wt01", id="same")
    again = bench.ask("start", "wt01", id="same")
    assert first == again
    assert again.done == ["wt01"]


@pytest.mark.parametrize("options", [{"hours": 0.01}, {"hours": 1e9}, {"id": ""}, {"id": "x" * 65}])
def test_commands_that_nobody_would_send_are_quarantined(
    bench: Commissioned, options: dict[str, object]
) -> None:
    bench.answers.append(CommissionAck("none", []))
    bench.ask("start", **options)
    assert [error.reason for error in bench.rejected] == ["wrong_fields"]
    bench.commissioner.receive("t", b'{"action": "explode"}')
    bench.commissioner.receive("t", b"{")
    assert [error.reason for error in bench.rejected[1:]] == ["wrong_fields", "malformed"]


def test_the_commissioned_do_not_touch_the_others(tmp_path: Path) -> None:
    bench = Commissioned(tmp_path, commissionable())
    own(bench, Machine(offset=5.0))
    bench.run(130, wt02=Machine())
    assert bench.standing("wt02").basis == "factory"
    verdicts = bench.run(30, wt01=Machine(offset=5.0), wt02=Machine(offset=5.0))
    of = {name: [v for v in verdicts if v.turbine == name] for name in ("wt01", "wt02")}
    assert states(of["wt01"]) == {"ok"}
    assert states(of["wt02"]) == {"anomaly"}
    assert bench.tracker.open_kinds(1) == ["voltage"]
    assert {v.commissioning for v in of["wt02"]} == {""}


def test_terms_and_ratios_of_a_graph_are_one() -> None:
    package = commissionable()
    ratios, terms = Detector(package).ratios_and_terms(package.golden_windows)
    np.testing.assert_allclose(ratios, package.golden_ratios, rtol=1e-5)
    np.testing.assert_allclose(ratios, uncorrected_ratios(terms, population().explains), rtol=1e-5)

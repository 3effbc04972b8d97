"""What was learnt of a turbine outlives restarts, spoilt files, full disks and other models."""

import errno
from pathlib import Path

import pytest

from gustbed_edge.commissioning import store
from gustbed_edge.scoring.detector import Detector
from tests.support.commissionable import WANTED, Commissioned, Machine, commissionable
from tests.support.packages import tiny_package

MACHINE = Machine(offset=5.0)


@pytest.fixture
def bench(tmp_path: Path) -> Commissioned:
    return Commissioned(tmp_path, commissionable())


def again(bench: Commissioned, tmp_path: Path) -> Commissioned:
    """The same edge after a restart."""
    other = Commissioned(tmp_path, commissionable())
    other.boots, other.seqs, other.ends = bench.boots, bench.seqs, bench.ends
    other.now = bench.now
    return other


def own(bench: Commissioned) -> str:
    bench.run(10, wt01=MACHINE)
    assert bench.ask("start", "wt01", accept=True).done == ["wt01"]
    bench.run(WANTED + 20, wt01=MACHINE)
    assert bench.standing("wt01").basis == "own"
    return bench.standing("wt01").version


def serve(bench: Commissioned, version: str, centre: float) -> None:
    bench.scorer.serve(Detector(commissionable(version, centre=centre)))
    bench.commissioner.turn()


def test_a_correction_and_trust_are_there_from_the_first_verdict_after_a_restart(
    bench: Commissioned, tmp_path: Path
) -> None:
    version = own(bench)
    bench.run(130, wt02=Machine())
    other = again(bench, tmp_path)
    verdicts = other.run(4, wt01=MACHINE, wt02=Machine())
    assert {v.commissioning for v in verdicts if v.turbine == "wt01" and v.ratios} == {version}
    assert {v.commissioning for v in verdicts if v.turbine == "wt02"} == {""}


def test_a_period_goes_on_where_it_was_last_written(bench: Commissioned, tmp_path: Path) -> None:
    bench.run(10, wt01=MACHINE)
    bench.ask("start", "wt01")
    bench.run(250, wt01=MACHINE)
    before = bench.standing("wt01").running
    # As after a loss of power: nothing is said at the end.
    other = again(bench, tmp_path)
    other.run(2, wt01=MACHINE)
    after = other.standing("wt01").running
    assert before is not None
    assert after is not None
    assert before - 140 / WANTED <= after <= before
    other.run(240, wt01=MACHINE)
    assert other.standing("wt01").ready


def test_a_period_that_is_stopped_goes_on_from_there(bench: Commissioned, tmp_path: Path) -> None:
    bench.run(10, wt01=MACHINE)
    bench.ask("start", "wt01")
    bench.run(96, wt01=MACHINE)
    bench.commissioner.finish()
    other = again(bench, tmp_path)
    other.run(1, wt01=MACHINE)
    assert other.standing("wt01").running == pytest.approx(96 / WANTED, abs=0.002)


def test_what_waits_for_acceptance_waits_across_restarts(
    bench: Commissioned, tmp_path: Path
) -> None:
    bench.run(10, wt01=MACHINE)
    bench.ask("start", "wt01")
    bench.run(WANTED + 20, wt01=MACHINE)
    other = again(bench, tmp_path)
    other.run(3, wt01=MACHINE)
    assert other.standing("wt01").ready
    assert other.ask("accept", "wt01").done == ["wt01"]
    assert other.standing("wt01").basis == "own"


@pytest.mark.parametrize("spoil", [b"", b"x" * 100, None])
def test_a_spoilt_record_is_logged_and_its_turbine_is_not_commissioned(
    bench: Commissioned, tmp_path: Path, spoil: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    own(bench)
    path = bench.folder / "wt01.record"
    path.write_bytes(path.read_bytes()[:-3] if spoil is None else spoil)
    other = again(bench, tmp_path)
    verdicts = other.run(4, wt01=MACHINE)
    assert verdicts[-1].commissioning == "prior"
    assert verdicts[-1].state == "ok"
    assert "wt01.record is spoilt" in caplog.text


def test_a_spoilt_period_is_ended_and_said(bench: Commissioned, tmp_path: Path) -> None:
    bench.run(10, wt01=MACHINE)
    bench.ask("start", "wt01")
    bench.run(250, wt01=MACHINE)
    path = bench.folder / "wt01.period"
    path.write_bytes(path.read_bytes()[:-3])
    other = again(bench, tmp_path)
    other.run(3, wt01=MACHINE)
    assert "cannot be read" in other.standing("wt01").refused
    assert other.ask("start", "wt01").done == ["wt01"]


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_said_and_breaks_nothing(
    bench: Commissioned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(store, "write_atomic", full)
        version = own(bench)
        reasons = bench.disk.reasons()
        assert any("wt01.record" in reason and "disk is full" in reason for reason in reasons)
    bench.commissioner.turn()
    assert not [reason for reason in bench.disk.reasons() if "record" in reason]
    other = again(bench, tmp_path)
    other.run(3, wt01=MACHINE)
    assert other.standing("wt01").version == version


def test_what_is_done_on_a_full_disk_says_that_it_is_not_kept(
    bench: Commissioned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.run(10, wt01=MACHINE, wt02=Machine())
    assert bench.ask("start", "wt01", "wt02").unsaved == []
    bench.run(WANTED + 20, wt01=MACHINE)
    with monkeypatch.context() as patch:
        patch.setattr(store, "write_atomic", full)
        for action, turbine in (("accept", "wt01"), ("cancel", "wt02")):
            answer = bench.ask(action, turbine)
            assert (answer.done, answer.unsaved) == ([turbine], [turbine])
        assert bench.standing("wt01").basis == "own"
        before = again(bench, tmp_path)
        assert before.commissioner.infos()[0].waiting is not None, "as the disk has it"
    bench.commissioner.turn()
    assert bench.ask("undo", "wt01").unsaved == []


def test_a_period_that_ends_on_a_full_disk_is_not_lost_with_a_restart(
    bench: Commissioned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.run(10, wt01=MACHINE)
    bench.ask("start", "wt01")
    bench.run(WANTED - 20, wt01=MACHINE)
    with monkeypatch.context() as patch:
        patch.setattr(store, "write_atomic", full)
        bench.run(40, wt01=MACHINE)
        assert bench.standing("wt01").ready
    other = again(bench, tmp_path)
    other.run(1, wt01=MACHINE)
    running = other.standing("wt01").running
    assert running is not None
    assert running > 0.5, "from what was written last, not from nothing"
    other.run(WANTED // 2, wt01=MACHINE)
    assert other.standing("wt01").ready
    other.commissioner.turn()
    assert not (other.folder / "wt01.period").exists()


def test_a_period_of_which_nothing_was_on_disk_says_that_it_begins_anew(
    bench: Commissioned, tmp_path: Path
) -> None:
    bench.run(10, wt01=MACHINE)
    bench.ask("start", "wt01")
    bench.run(20, wt01=MACHINE)
    other = again(bench, tmp_path)
    other.run(3, wt01=MACHINE)
    assert "begins anew" in other.standing("wt01").note
    other.run(WANTED + 20, wt01=MACHINE)
    assert other.standing("wt01").ready
    assert other.standing("wt01").note == ""


def test_an_edge_that_stops_on_a_full_disk_says_whose_commissioning_is_lost(
    bench: Commissioned, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bench.run(10, wt01=MACHINE, wt02=Machine())
    monkeypatch.setattr(store, "write_atomic", full)
    bench.ask("start", "wt01")
    bench.commissioner.finish()
    assert "the commissioning of wt01: it is as before" in caplog.text


def test_another_model_starts_the_period_anew_and_accepts_it_by_itself(
    bench: Commissioned,
) -> None:
    version = own(bench)
    serve(bench, "1.1.0", 101.0)
    bench.run(20, wt01=MACHINE)
    state = bench.standing("wt01")
    assert state.basis == "prior"
    assert "the model changed" in state.note
    bench.run(WANTED + 20, wt01=MACHINE)
    state = bench.standing("wt01")
    assert state.basis == "own"
    assert state.version != version
    # Back on the model of before, what was learnt under it holds again.
    serve(bench, "1.0.0", 100.0)
    bench.run(20, wt01=MACHINE)
    assert bench.standing("wt01").version == version
    assert bench.standing("wt01").running is None


def test_a_model_that_comes_during_a_period_starts_it_anew(bench: Commissioned) -> None:
    bench.run(10, wt01=MACHINE)
    bench.ask("start", "wt01")
    bench.run(200, wt01=MACHINE)
    serve(bench, "1.1.0", 101.0)
    bench.run(20, wt01=MACHINE)
    running = bench.standing("wt01").running
    assert running is not None
    assert running < 0.1
    bench.run(WANTED, wt01=MACHINE)
    assert bench.standing("wt01").ready, "an operator has not accepted any yet"


def test_a_model_without_a_population_says_what_it_cannot_do(bench: Commissioned) -> None:
    own(bench)
    bench.scorer.serve(Detector(tiny_package("2.0.0")))
    bench.commissioner.turn()
    verdicts = bench.run(3, wt01=MACHINE)
    assert verdicts[-1].commissioning == ""
    assert bench.commissioner.states[0] is None
    assert [r.reason for r in bench.ask("start", "wt01").refused] == ["no_population"]


def test_a_period_that_a_model_started_and_that_is_not_normal_is_not_repeated(
    bench: Commissioned, tmp_path: Path
) -> None:
    own(bench)
    serve(bench, "1.1.0", 101.0)
    bench.run(20, wt01=MACHINE)
    bench.run(10, wt01=Machine(offset=70.0))
    assert "an event opened" in bench.standing("wt01").refused
    bench.run(60, wt01=MACHINE)
    assert bench.standing("wt01").running is None


def test_when_a_judgement_changes_open_events_go_on(bench: Commissioned) -> None:
    bench.run(10, wt01=MACHINE)
    bench.ask("start", "wt01")
    bench.run(WANTED + 20, wt01=MACHINE)
    opened = bench.run(10, wt01=Machine(offset=60.0))
    assert opened[-1].state == "anomaly"
    assert bench.tracker.open_kinds(0) == ["voltage"]
    assert bench.ask("accept", "wt01").done == ["wt01"]
    blocks = [bench.block("wt01", Machine(offset=60.0).values()) for _ in range(6)]
    changes = [event.change for block in blocks for event in bench.score(block).events]
    assert "opened" not in changes
    assert "closed" not in changes

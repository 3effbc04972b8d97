"""Events against faults: hits, misses, false events, delays, and faults that overlap."""

import pytest

from gustbed_core.event_kinds import ELECTRICAL, THERMAL
from gustbed_training.data.partition import Label
from gustbed_training.evaluation.eventwise import Eventwise, match
from tests.unit.training.judged import ONE_BY_ONE, electrical, judged, part, schema, thermal


def _match(
    hot: str, amps: str = "", labels: tuple[Label, ...] = (), settle: float = 0
) -> Eventwise:
    """Two verdicts in a row open an event, three close it; one verdict a second."""
    return match([judged(part(hot, amps, labels), schema(settle_s=settle))], ONE_BY_ONE)


def test_a_fault_found_once_and_closed_is_exactly_one_event() -> None:
    found = _match("....xxxx......", labels=(thermal(4, 8),))
    (outcome,) = found.outcomes
    assert outcome.detected
    assert outcome.right_kind
    assert outcome.exactly_one
    assert outcome.cross_talk == 0
    # The second verdict in a row, 2 s after the first faulty sample began.
    assert outcome.delay_s == 2.0
    assert (found.true_events, found.false_events) == (1, 0)
    assert (found.precision, found.recall, found.f1, found.right_kind) == (1.0, 1.0, 1.0, 1.0)


def test_a_fault_found_twice_is_not_exactly_one() -> None:
    (outcome,) = _match("..xx.....xx...", labels=(thermal(2, 12),)).outcomes
    assert outcome.detected
    assert not outcome.exactly_one
    assert outcome.delay_s == 2.0


def test_an_event_of_another_kind_detects_but_is_cross_talk() -> None:
    found = _match("..........", "..xxx.....", labels=(thermal(2, 6),))
    (outcome,) = found.outcomes
    assert outcome.detected
    assert outcome.right_kind is False
    assert not outcome.exactly_one
    assert outcome.cross_talk == 1
    assert found.right_kind == 0.0
    assert found.recall == 1.0
    thermal_kind = found.kinds[THERMAL]
    assert (thermal_kind.faults, thermal_kind.detected) == (1, 0)
    assert thermal_kind.f1 == 0.0


def test_events_that_overlap_are_one_to_who_is_called() -> None:
    found = _match("..xxxx....", "...xxxx...", labels=(thermal(2, 7),))
    assert found.true_events == 1
    false = _match("..xxxx....", "...xxxx...")
    assert false.false_events == 1
    apart = _match("xx........", "......xx..")
    assert apart.false_events == 2


def test_a_false_event_is_counted_by_the_day_with_its_bounds() -> None:
    found = _match("xx" + "." * 3598)
    assert found.calm_hours == 1.0
    assert found.false_per_day == 24.0
    assert found.false_per_day_interval == pytest.approx((24 * 0.0253, 24 * 5.572), rel=1e-3)
    assert found.precision == 0.0


def test_an_event_that_opens_before_a_fault_is_false_and_does_not_detect_it() -> None:
    found = _match("..xxxxxx....", labels=(thermal(5, 8),))
    (outcome,) = found.outcomes
    assert not outcome.detected
    assert (found.true_events, found.false_events) == (0, 1)


def test_an_event_that_opens_while_a_fault_settles_counts_neither_way() -> None:
    found = _match("..xx..xx......", labels=(thermal(0, 6),), settle=3.0)
    assert (found.true_events, found.false_events) == (1, 0)
    late = _match("......xx......", labels=(thermal(0, 6),), settle=3.0)
    assert (late.true_events, late.false_events) == (0, 0)
    assert late.recall == 0.0
    assert late.precision is None
    # 14 verdicts, 6 in the fault and 3 settling.
    assert late.calm_hours == pytest.approx(5 / 3600)


def test_an_alarm_that_stays_open_is_one_event_and_all_of_the_time() -> None:
    found = _match("....xxxxxx")
    assert found.false_events == 1
    # The second verdict in a row opens it.
    assert found.calm_in_alarm == pytest.approx(5 / 10)
    closed = _match("xx.....xx...")
    # Open from the second verdict on, closed by the third normal one.
    assert closed.calm_in_alarm == pytest.approx((3 + 3) / 12)


def test_what_is_told_after_a_fault_has_settled_is_judged_apart() -> None:
    found = _match("..xxxxxxxxxx....", labels=(thermal(2, 6),), settle=2.0)
    assert found.settled_hours == pytest.approx(8 / 3600)
    # The fault's own event goes on for six verdicts, to the third normal one.
    assert found.settled_in_alarm == pytest.approx(6 / 8)
    assert found.calm_in_alarm == pytest.approx(6 / 10)
    assert found.settling_hours == pytest.approx(2 / 3600)
    assert (found.true_events, found.false_events) == (1, 0)
    never = _match("..xxxx", labels=(thermal(2, 4),), settle=5.0)
    assert (never.settled_hours, never.settled_in_alarm) == (0.0, None)
    assert _match("......").settled_in_alarm is None


def test_a_missed_fault_is_missed() -> None:
    found = _match("..x..x....", labels=(thermal(2, 8),))
    assert found.recall == 0.0
    assert found.f1 == 0.0
    assert found.delays == []


def test_an_event_during_two_faults_is_a_hit_for_both() -> None:
    found = _match("....xxx.....", labels=(thermal(2, 8), electrical(3, 9)))
    first, second = found.outcomes
    assert (first.detected, first.right_kind, first.exactly_one) == (True, True, True)
    # The event belongs to the other fault: it is no cross-talk of this one.
    assert (second.detected, second.right_kind, second.cross_talk) == (True, False, 0)
    assert (first.delay_s, second.delay_s) == (4.0, 3.0)


def test_a_fault_that_starts_while_another_is_told_has_no_delay_of_its_own() -> None:
    found = _match("..xxxxxxxx....", labels=(thermal(2, 8), thermal(6, 10)))
    first, second = found.outcomes
    assert first.delay_s == 2.0
    assert (second.detected, second.right_kind, second.delay_s) == (True, True, None)
    assert found.true_events == 1


def test_each_of_two_kinds_on_at_once_is_exactly_one_by_its_own_event() -> None:
    found = _match("..xxxx......", "...xxxx.....", labels=(thermal(2, 6), electrical(3, 7)))
    assert [o.exactly_one for o in found.outcomes] == [True, True]
    assert [o.cross_talk for o in found.outcomes] == [0, 0]
    assert {kind: counts.f1 for kind, counts in found.kinds.items()} == {
        THERMAL: 1.0,
        ELECTRICAL: 1.0,
    }


def test_a_fault_of_unknown_kind_is_found_by_any_event() -> None:
    found = _match("..........", "..xxx.....", labels=(Label("strange", 2, 6),))
    (outcome,) = found.outcomes
    assert (outcome.detected, outcome.right_kind, outcome.exactly_one) == (True, None, True)
    assert found.right_kind is None
    assert found.kinds == {}


def test_a_kind_s_event_in_a_fault_of_another_kind_is_that_kind_s_error() -> None:
    labels = (thermal(2, 6), electrical(12, 16))
    found = _match("..xx........xx....", "............xx....", labels=labels)
    assert found.kinds[THERMAL].precision == 0.5
    assert found.kinds[ELECTRICAL].precision == 1.0
    # To who is called, the second alarm is right nevertheless.
    assert found.precision == 1.0


def test_recordings_do_not_run_into_each_other() -> None:
    parts = [part(".....x"), part("x.....")]
    assert match([judged(one) for one in parts], ONE_BY_ONE).false_events == 0


def test_a_fault_that_no_verdict_can_see_is_not_held_against_anyone() -> None:
    one = judged(part("." * 12, labels=[thermal(0, 3)]), schema(window=6))
    assert one.faults == ()
    assert match([one], ONE_BY_ONE).recall is None


def test_an_event_that_opens_as_a_fault_ends_is_too_late() -> None:
    assert _match("..xx........", labels=(thermal(1, 4),)).recall == 1.0
    late = _match("...xx.......", labels=(thermal(1, 4),))
    assert late.recall == 0.0
    assert (late.true_events, late.false_events) == (0, 1)
    assert late.delays == []

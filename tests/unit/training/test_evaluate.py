"""Evaluation: what counts as right, verdict by verdict and all together, by hand-made ratios."""

from dataclasses import replace

import numpy as np
import pytest

from gustbed_core.errors import GustbedError
from gustbed_core.event_kinds import ELECTRICAL, THERMAL
from gustbed_core.signals import Decision
from gustbed_training.data.partition import Label, Part
from gustbed_training.detectors.scoring import Scores
from gustbed_training.evaluation.evaluate import Evaluation, Options, evaluate
from gustbed_training.evaluation.intervals import estimate, poisson_interval
from gustbed_training.evaluation.pointwise import ConfusionCounts, count, count_kinds
from tests.unit.training.judged import (
    electrical,
    judged,
    last_sample,
    part,
    schema,
    thermal,
)


def test_verdicts_are_counted_against_the_label_at_their_end() -> None:
    found = count([judged(part("x..xx..x", labels=[thermal(3, 6)]))])
    assert found == ConfusionCounts(2, 2, 1, 3)
    assert found.precision == 0.5
    assert found.recall == pytest.approx(2 / 3)
    assert found.f1 == pytest.approx(4 / 7)
    assert found.false_alarm_rate == pytest.approx(2 / 5)
    assert found.missed_alarm_rate == pytest.approx(1 / 3)


def test_any_signal_accuses_and_a_ratio_of_one_does_not() -> None:
    one = part("....", ".x..")
    one.recording.values[0, 3] = 1.0
    assert count([judged(one)]) == ConfusionCounts(0, 1, 0, 3)


def test_what_settles_counts_neither_way() -> None:
    one = part("..xxx..x", labels=[thermal(2, 4)])
    assert count([judged(one, schema(settle_s=1.0))]) == ConfusionCounts(2, 1, 0, 4)
    assert count([judged(one, schema(settle_s=0.0))]) == ConfusionCounts(2, 2, 0, 4)


def test_a_machine_settles_as_long_as_it_is_in_what_the_fault_led_to() -> None:
    # While ``hot`` reads 2 it is tripped; what comes after it left that state counts again.
    one = part("..xxxxx..x", labels=[thermal(2, 4)])
    tripped = replace(schema(), aftermath={"hot": (2.0,)})
    assert count([judged(one, tripped)]) == ConfusionCounts(2, 1, 0, 4)
    assert count([judged(one, replace(tripped, settle_s=1.0))]) == ConfusionCounts(2, 1, 0, 3)
    assert count([judged(one, replace(schema(), aftermath={"hot": (7.0,)}))]) == ConfusionCounts(
        2, 4, 0, 4
    )
    never = part("..xxxxxxxx", labels=[thermal(2, 4)])
    assert count([judged(never, tripped)]) == ConfusionCounts(2, 0, 0, 2)


def test_a_fault_within_the_settling_of_another_still_counts() -> None:
    one = part("..xx.xx..", labels=[thermal(2, 4), thermal(5, 7)])
    assert count([judged(one, schema(settle_s=4.0))]) == ConfusionCounts(4, 0, 0, 2)


def test_windows_are_judged_by_their_last_sample_and_cut_to_the_part() -> None:
    whole = part("x" * 10 + "." * 10, labels=[thermal(0, 10)])
    one = judged(Part(whole.recording, 4, 20), schema(window=4, step=3))
    assert one.ends.tolist() == [7, 10, 13, 16, 19]
    assert one.on.tolist() == [True, False, False, False, False]
    (fault,) = one.faults
    assert (fault.start, fault.stop) == (4, 10)


def test_chunks_give_what_one_piece_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    from gustbed_training.evaluation import verdicts

    one = part("x..xx.x" * 20, "..xx..." * 20)
    whole = judged(one, schema(window=5, step=2))
    monkeypatch.setattr(verdicts, "_CHUNK", 7)
    pieces = judged(one, schema(window=5, step=2))
    assert pieces.ends.tolist() == whole.ends.tolist()
    assert pieces.worst.tolist() == whole.worst.tolist()


def test_smoothing_comes_before_the_verdict() -> None:
    flicker = part(".x.xx...")
    # Means of two: .5 1.25 1.25 1.25 2 1.25 .5 .5
    assert judged(flicker, schema(Decision(2, 3, smooth=2))).violating.tolist() == [
        letter == "x" for letter in ".xxxxx.."
    ]


def test_each_kind_is_counted_against_its_own_faults() -> None:
    labels = [thermal(2, 4), electrical(5, 7)]
    kinds = count_kinds([judged(part("..xx.x..", "......x.", labels=labels))])
    assert kinds[THERMAL] == ConfusionCounts(2, 1, 0, 5)
    assert kinds[ELECTRICAL] == ConfusionCounts(1, 0, 1, 6)


def test_a_fault_of_unknown_kind_is_no_kinds_error() -> None:
    unknown = Label("strange", 2, 4)
    kinds = count_kinds([judged(part("..xx.x..", labels=[unknown, thermal(5, 6)]))])
    assert kinds == {THERMAL: ConfusionCounts(1, 0, 0, 5)}


def test_points_without_faults_or_accusations_have_no_shares() -> None:
    nothing = ConfusionCounts()
    rates = (nothing.precision, nothing.recall, nothing.f1, nothing.false_alarm_rate)
    assert rates == (None,) * 4
    assert ConfusionCounts(false_negative=3).f1 == 0.0
    assert ConfusionCounts(false_positive=2, true_negative=2).f1 is None


def _evaluate(*parts: Part, options: Options | None = None) -> Evaluation:
    return evaluate(schema(), parts, last_sample, options or Options())


def test_all_figures_of_one_recording() -> None:
    found = _evaluate(part("....xxxx" + "." * 12, labels=[thermal(4, 8)], name="a"))
    assert (found.recordings, found.verdicts) == (1, 20)
    assert found.pointwise.f1 == 1.0
    assert found.eventwise.f1 == 1.0
    assert found.vus_pr == pytest.approx(1.0)
    assert found.care is not None
    assert found.care.score == pytest.approx(1.0)
    assert found.eventwise.calm_hours == pytest.approx(16 / 3600)
    assert found.vus_buffer == 1
    assert found.criticality == 2


def test_faults_are_grouped_by_name_and_severity() -> None:
    mild, strong = thermal(2, 5, 0.5), thermal(8, 12, 1.0)
    found = _evaluate(
        part("........xxxx....", labels=[mild, strong]),
        part("..xxx......", labels=[mild]),
    )
    first, second = found.by_fault
    assert (first.fault, first.severity, first.violation) == (
        "overheating",
        0.5,
        THERMAL,
    )
    assert (first.injected, first.detected, first.right_kind, first.exactly_one) == (2, 1, 1, 1)
    assert first.delays == [2.0]
    assert (second.injected, second.detected) == (1, 1)


def test_no_faults_at_all_leaves_only_false_alarms() -> None:
    found = _evaluate(part("..xx......"))
    assert found.vus_pr is None
    assert found.care is None
    assert found.by_fault == []
    assert found.eventwise.recall is None
    assert found.eventwise.f1 is None
    assert found.eventwise.precision == 0.0
    assert found.pointwise.false_alarm_rate == pytest.approx(0.2)


def test_no_detection_at_all_is_told_as_such() -> None:
    found = _evaluate(part("............", labels=[thermal(4, 8)]))
    assert found.eventwise.recall == 0.0
    assert found.eventwise.f1 == 0.0
    assert found.eventwise.precision is None
    assert found.pointwise.recall == 0.0
    assert found.care is not None
    assert found.care.score == 0.0
    assert found.eventwise.delays == []


def test_nothing_but_a_fault_has_no_surface_and_no_care() -> None:
    found = _evaluate(part("xxxx", labels=[thermal(0, 4)]))
    assert found.vus_pr is None
    assert found.care is None
    assert found.eventwise.false_per_day is None
    assert found.eventwise.false_per_day_interval is None


def test_a_recording_shorter_than_a_window_says_nothing() -> None:
    found = evaluate(schema(window=8), [part("xxx", labels=[thermal(0, 3)])], last_sample)
    assert (found.verdicts, found.by_fault, found.pointwise) == (0, [], ConfusionCounts())
    assert found.eventwise.false_per_day is None


def test_no_recording_at_all_says_nothing() -> None:
    found = _evaluate()
    assert (found.recordings, found.verdicts, found.vus_pr, found.care) == (0, 0, None, None)


def test_unlabelled_recordings_are_refused_where_labels_are_needed() -> None:
    with pytest.raises(GustbedError, match="site-7: no labels") as raised:
        _evaluate(part("....", labelled=False, name="site-7"))
    assert "label column" in raised.value.remedy


def test_unlabelled_recordings_tell_only_of_false_alarms_where_that_will_do() -> None:
    one = part("..xx......", labelled=False)
    found = _evaluate(one, options=Options(labels_required=False))
    assert found.labelled is False
    assert found.eventwise.false_events == 1
    assert found.vus_pr is None


def test_a_score_that_is_no_number_names_recording_row_and_feature() -> None:
    def broken(windows: np.ndarray) -> Scores:
        ratios = windows[:, :, -1].copy()
        ratios[3, 1] = np.nan
        return ratios, ratios

    with pytest.raises(GustbedError, match=r"site-7: at row 7 the score of amps"):
        evaluate(schema(window=2, step=2), [part("." * 12, name="site-7")], broken)


def test_calibration_sets_what_was_aimed_at_against_what_was_found() -> None:
    quiet = part("." * 3600)
    noisy = part(("xx" + "." * 8) * 360)
    aimed = Options(aimed_false_per_day=1.0)
    kept = _evaluate(quiet, options=aimed).calibration
    assert kept.found_per_day == 0.0
    assert kept.agrees is True
    broken = _evaluate(noisy, options=aimed).calibration
    assert broken.found_per_day == pytest.approx(360 * 24)
    assert broken.agrees is False
    assert broken.by_feature == {"hot": 0.2, "amps": 0.0}
    assert _evaluate(quiet).calibration.agrees is None


def test_options_override_what_the_schema_says() -> None:
    one = part("....xxxx" + "." * 12, labels=[thermal(4, 8)])
    found = _evaluate(one, options=Options(criticality=5, buffer=6))
    assert (found.vus_buffer, found.criticality) == (6, 5)
    assert found.care is not None
    assert found.care.score == 0.0


def test_cost_is_added_by_who_knows_it() -> None:
    found = replace(_evaluate(part("....")), microseconds_per_window=12.0)
    assert found.microseconds_per_window == 12.0


def test_poisson_bounds_are_the_textbooks() -> None:
    # Garwood's exact limits for 0, 1 and 10 events.
    assert poisson_interval(0) == pytest.approx((0.0, 3.689), abs=1e-3)
    assert poisson_interval(1) == pytest.approx((0.0253, 5.572), abs=1e-3)
    assert poisson_interval(10) == pytest.approx((4.795, 18.390), abs=1e-3)


def test_a_mean_has_intervals_from_the_second_training_on() -> None:
    one = estimate([0.5])
    assert (one.mean, one.std, one.n, one.further, one.of_mean) == (0.5, None, 1, None, None)
    three = estimate([1.0, 2.0, 3.0])
    # t(0.975, 2) = 4.303, standard deviation 1.
    assert three.mean == 2.0
    assert three.of_mean == pytest.approx((2 - 4.303 / 3**0.5, 2 + 4.303 / 3**0.5), abs=1e-3)
    reach = 4.303 * (1 + 1 / 3) ** 0.5
    assert three.further == pytest.approx((2 - reach, 2 + reach), abs=1e-3)
    assert estimate([2.0, 2.0]).further == (2.0, 2.0)

"""What the quality gate lets through."""

from dataclasses import replace

import pytest

from gustbed_core.event_kinds import THERMAL
from gustbed_core.gate_report import PASSED
from gustbed_training.data.partition import Label
from gustbed_training.evaluation.evaluate import Evaluation, evaluate
from gustbed_training.evaluation.eventwise import Outcome
from gustbed_training.pipeline.gate import FALSE_PER_DAY, Gate, Rival, judge, judge_stand_in
from gustbed_training.pipeline.measure import Measured
from tests.unit.training.judged import last_sample, part, schema, thermal

DAY = 24.0


def measured(
    vus: float | None = 0.9,
    found: int = 95,
    of: int = 100,
    false: int = 0,
    days: float = 10.0,
    synthetic: bool = False,
) -> Measured:
    """Figures, all others those of a short real evaluation."""
    short = evaluate(schema(), [part("...xxx...", labels=[thermal(3, 6)])], last_sample)
    fault = Label("overheating", 0, 1, 1.0, THERMAL)
    like = short.eventwise.outcomes[0]
    outcomes = tuple(replace(like, fault=fault, detected=i < found) for i in range(of))
    events = replace(short.eventwise, outcomes=outcomes, false_events=false, calm_hours=days * DAY)
    faulty = replace(short, vus_pr=vus, eventwise=events)
    if not synthetic:
        return Measured(faulty, None)
    quiet = replace(faulty, vus_pr=None, eventwise=replace(events, outcomes=()))
    return Measured(quiet, faulty)


def gate(
    candidate: Measured, baseline: Measured | None = None, service: Measured | None = None
) -> Gate:
    """Judge against rivals called ``pca`` and ``old 1.0.0``."""
    return judge(
        candidate,
        None if baseline is None else Rival("pca", baseline),
        None if service is None else Rival("old 1.0.0", service),
    )


def test_as_good_as_both_rivals_is_good_enough() -> None:
    found = gate(measured(), measured(), measured())
    assert found.passed
    assert found.words == PASSED
    assert found.against == ("old 1.0.0", "pca")


def test_a_hair_below_passes_and_more_does_not() -> None:
    assert gate(measured(vus=0.891), measured(vus=0.9)).passed
    refused = gate(measured(vus=0.889), measured(vus=0.9))
    assert refused.words == "VUS-PR 0.889 is below pca's 0.900"


def test_the_model_in_service_is_a_yardstick_as_the_baseline_is() -> None:
    refused = gate(measured(vus=0.8), measured(vus=0.7), measured(vus=0.9))
    assert refused.words == "VUS-PR 0.800 is below old 1.0.0's 0.900"


def test_fewer_faults_found_are_refused() -> None:
    assert gate(measured(found=94), measured(found=95)).passed
    assert (
        "event recall 0.900 is below pca's 0.950"
        in gate(measured(found=90), measured(found=95)).words
    )


def test_who_cries_wolf_is_no_yardstick_for_recall() -> None:
    assert gate(measured(found=90), measured(found=100, false=500)).passed


def test_false_events_are_weighed_by_what_chance_can_do() -> None:
    quiet = measured()
    assert gate(measured(false=2, days=10), quiet).passed
    refused = gate(measured(false=4, days=10), quiet)
    assert refused.words == (
        "4 false events in 240.0 turbine-hours are more than the 0.10 a day allowed"
    )
    assert gate(measured(false=1, days=1), quiet).passed
    assert not gate(measured(false=1, days=0.1), quiet).passed


def test_one_may_be_as_loud_as_the_model_in_service_but_not_as_the_baseline() -> None:
    loud = measured(false=30, days=10)
    assert gate(loud, service=loud).passed
    assert not gate(loud, baseline=loud, service=measured()).passed
    assert not gate(measured(false=60, days=10), service=loud).passed


def test_without_a_model_in_service_the_baseline_says_how_quiet_one_can_be() -> None:
    loud = measured(false=30, days=10)
    assert gate(loud, baseline=loud).passed
    assert not gate(loud, baseline=measured()).passed
    assert FALSE_PER_DAY == 0.1


def test_a_first_model_that_is_the_baseline_has_nothing_to_be_worse_than() -> None:
    assert gate(measured(vus=0.1, found=0, false=99)).passed
    assert gate(measured()).against == ()


def test_without_labels_disturbances_count_with_more_patience() -> None:
    rival = measured(synthetic=True)
    assert gate(measured(vus=0.86, synthetic=True), rival).passed
    refused = gate(measured(vus=0.80, found=80, synthetic=True), rival)
    assert refused.words == (
        "VUS-PR with disturbances 0.800 is below pca's 0.900; "
        "event recall with disturbances 0.800 is below pca's 0.950"
    )


def stand_in(candidate: Measured, *refused: Measured, service: Measured | None = None) -> Gate:
    """Judge in the place of ``net0``, ``net1`` and so on, which were refused for being weak."""
    rivals = [(Rival(f"net{i}", each), "weak") for i, each in enumerate(refused)]
    return judge_stand_in(
        candidate, rivals, None if service is None else Rival("old 1.0.0", service)
    )


def test_a_stand_in_passes_that_is_no_worse_than_what_was_refused_and_says_what_was() -> None:
    found = stand_in(measured(vus=0.66), measured(vus=0.56), measured(vus=0.6))
    assert found.words == PASSED
    assert found.against == ("net0 (refused: weak)", "net1 (refused: weak)")


def test_a_stand_in_that_is_much_worse_than_what_was_refused_is_refused_too() -> None:
    assert stand_in(measured(vus=0.5), measured(vus=0.56)).passed
    worse = stand_in(measured(vus=0.5, found=60), measured(vus=0.71))
    assert worse.words == (
        "VUS-PR 0.500 is below net0's 0.710; event recall 0.600 is below net0's 0.950"
    )
    # But not for being worse than one that nobody would let serve for its noise.
    assert stand_in(measured(vus=0.5), measured(vus=0.9, false=500)).passed


def test_a_stand_in_is_as_loud_as_its_thresholds_aim_at() -> None:
    def aiming(per_day: float, false: int) -> Measured:
        like = measured(false=false, days=10)
        calibration = replace(like.plain.calibration, aimed_per_day=per_day)
        return Measured(replace(like.plain, calibration=calibration), None)

    assert stand_in(aiming(0.6, 6), measured()).passed
    assert not stand_in(aiming(0.06, 6), measured()).passed
    assert not stand_in(aiming(0.6, 20), measured()).passed
    # A model in service is quieter than that: so must be what follows it.
    assert not stand_in(aiming(0.6, 6), measured(), service=measured()).passed


def test_a_stand_in_is_as_quiet_as_the_quietest_that_was_refused_or_the_usual_bound() -> None:
    loud, louder = measured(false=30, days=10), measured(false=60, days=10)
    assert stand_in(loud, loud, louder).passed
    assert not stand_in(louder, loud, louder).passed
    assert not stand_in(loud, measured()).passed
    assert stand_in(measured(false=2, days=10), measured()).passed


def test_a_stand_in_is_no_worse_than_the_model_in_service() -> None:
    assert stand_in(measured(), measured(vus=0.5), service=measured()).passed
    refused = stand_in(measured(vus=0.8, false=30), measured(vus=0.5), service=measured())
    assert refused.reasons == (
        "30 false events in 240.0 turbine-hours are more than the 0.10 a day allowed",
        "VUS-PR 0.800 is below old 1.0.0's 0.900",
    )
    assert refused.against == ("old 1.0.0", "net0 (refused: weak)")


@pytest.mark.parametrize(("synthetic", "where"), [(False, ""), (True, " with disturbances")])
def test_a_stand_in_that_finds_nothing_is_refused_whatever_others_found(
    synthetic: bool, where: str
) -> None:
    blind = measured(found=0, synthetic=synthetic)
    assert stand_in(blind, blind).words == f"none of 100 events{where} is found"


@pytest.mark.parametrize("vus", [None, 0.0])
def test_a_model_that_tells_nothing_is_worse_than_one_that_does(vus: float | None) -> None:
    assert not gate(measured(vus=vus), measured(vus=0.5)).passed


def test_helpers_build_what_they_say() -> None:
    made: Evaluation = measured(found=3, of=4, false=5, days=2).plain
    assert made.eventwise.recall == 0.75
    assert made.eventwise.false_per_day == 2.5
    assert isinstance(made.eventwise.outcomes[0], Outcome)

"""Reports hold the same figures as the evaluation, and admit what is not known."""

import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from gustbed_training.data.partition import Label, Part
from gustbed_training.evaluation.evaluate import Evaluation, Options, evaluate
from gustbed_training.evaluation.model_card import model_card
from gustbed_training.evaluation.report import as_json, as_metrics, as_table
from tests.unit.training.judged import electrical, last_sample, manifest, part, schema, thermal


def _evaluate(*parts: Part, options: Options | None = None) -> Evaluation:
    return evaluate(schema(), parts, last_sample, options or Options())


def _some() -> Evaluation:
    found = _evaluate(
        part("....xxxx......xx..........", labels=[thermal(4, 8), electrical(22, 25)]),
        part("." * 30),
        options=Options(aimed_false_per_day=0.5),
    )
    return replace(found, microseconds_per_window=12.3456)


def _json(found: Evaluation) -> dict[str, Any]:
    printed: dict[str, Any] = json.loads(json.dumps(as_json(found), allow_nan=False))
    return printed


def test_json_holds_what_programs_are_promised() -> None:
    printed = _json(_some())
    assert {"precision", "recall", "f1", "false_alarm_rate"} <= printed["pointwise"].keys()
    assert {"precision", "recall", "f1", "false_per_day", "median_delay_s"} <= printed[
        "eventwise"
    ].keys()
    # 4 right, 2 false, 3 missed.
    assert printed["pointwise"]["precision"] == pytest.approx(4 / 6, abs=1e-4)
    assert printed["pointwise"]["recall"] == pytest.approx(4 / 7, abs=1e-4)
    assert printed["eventwise"]["recall"] == 0.5
    assert printed["eventwise"]["precision"] == 0.5
    assert printed["eventwise"]["median_delay_s"] == 2.0
    assert printed["eventwise"]["faults"] == 2
    assert printed["microseconds_per_window"] == 12.346
    assert 0 < printed["vus_pr"] < 1
    assert 0 < printed["care"] < 1
    assert printed["calibration"]["kept"] is False
    assert printed["by_fault"][0] == {
        "fault": "overheating",
        "severity": 1.0,
        "kind": "thermal",
        # 1.5 over 1.5 * sqrt(2/49 * 47/49), as 2 of 49 calm samples stand out; less 1, squared.
        "moved_std": 4.95,
        "injected": 1,
        "detected": 1,
        "right_kind": 1,
        "exactly_one": 1,
        "median_delay_s": 2.0,
        "p90_delay_s": 2.0,
        "largest_delay_s": 2.0,
    }
    assert printed["by_fault"][1]["median_delay_s"] is None
    assert as_json(_some(), seeds=(1, 2))["seeds"] == [1, 2]


def test_care_is_told_with_its_parts() -> None:
    printed = _json(_some())
    parts = printed["care_parts"]
    total = parts["coverage"] + parts["earliness"] + 2 * parts["accuracy"] + parts["reliability"]
    assert printed["care"] == pytest.approx(total / 5, abs=1e-3)
    assert parts["fault_datasets"] == 2


def test_what_is_not_known_is_null_and_a_dash() -> None:
    found = _evaluate(part("...."))
    printed = _json(found)
    assert printed["vus_pr"] is None
    assert printed["care"] is None
    assert printed["care_parts"] is None
    assert printed["pointwise"]["f1"] is None
    assert printed["eventwise"]["recall"] is None
    assert printed["by_fault"] == []
    assert "VUS-PR     -" in as_table(found)


def test_unlabelled_data_tell_of_nothing_but_false_alarms() -> None:
    one = part("..xx......", labelled=False)
    found = _evaluate(one, options=Options(labels_required=False))
    printed = _json(found)
    assert printed["labelled"] is False
    assert printed["pointwise"]["precision"] is None
    assert printed["eventwise"]["precision"] is None
    assert printed["eventwise"]["false_events"] == 1
    assert printed["pointwise"]["false_alarm_rate"] == 0.2
    table = as_table(found)
    assert "unlabelled: taken as normal" in table
    assert "VUS-PR" not in table
    assert set(as_metrics(found)) == {
        "test_turbine_hours", "false_alarm_rate", "false_per_day", "calm_in_alarm",
    }  # fmt: skip


def test_metrics_are_flat_numbers_and_leave_out_what_is_not_known() -> None:
    metrics = as_metrics(_some())
    assert metrics["event_recall"] == 0.5
    assert metrics["microseconds_per_window"] == 12.3456
    assert all(isinstance(value, float) for value in metrics.values())
    assert "care" not in as_metrics(_evaluate(part("....")))


def test_the_table_is_aligned_and_holds_the_same_figures() -> None:
    found = _some()
    table, printed = as_table(found), as_json(found)
    assert f"CARE       {printed['care']:.3f}" in table
    assert "12.3 µs per window" in table
    assert "0.500 false events per turbine-day: not kept" in table
    heading, *rows = table.split("\n\n")[1].splitlines()
    assert {len(row) for row in rows} == {len(heading)}
    assert rows[0].split() == [
        "overheating",
        "1.00",
        "5.0",
        "1",
        "1",
        "1",
        "1",
        "2.0",
        "2.0",
        "2.0",
    ]
    assert rows[1].split() == ["short", "1.00", "0.0", "1", "0", "0", "0", "-", "-", "-"]


def test_the_card_says_what_it_is_for_how_it_did_and_what_it_cannot_do() -> None:
    card = model_card(manifest(), _some(), "Passed: no worse than pca.", ["Only tested in rain."])
    assert card.startswith("# toy 1.2.3\n")
    for printed in (
        "windows of 10 s, every 0.5 s",
        "| hot | K | thermal | 0.1235 |",
        "averaged over 3 verdict(s); 4 above 1",
        "- turbine hours: 12.5",
        "Passed: no worse than pca.",
        "| overheating | 1 | 5.0 | 1 | 1 | 1 | 1 | 2.0 | 2.0 |",
        "12.3 µs per window",
        "- Only tested in rain.",
        "- It found 0 of 1 faults 'short' of severity 1.",
    ):
        assert printed in card
    assert card.endswith("\n")


def test_a_card_without_a_test_says_so() -> None:
    assert "Not tested." in model_card(manifest(), None, "No gate.")
    found = _evaluate(part("....", labelled=False), options=Options(labels_required=False))
    assert "no labels" in model_card(manifest(), found, "No gate.")


def test_a_fault_of_unknown_kind_has_a_dash_for_the_right_one() -> None:
    found = _evaluate(part("..xx....", labels=[Label("strange", 2, 5)]))
    assert as_json(found)["by_fault"][0]["right_kind"] is None
    assert "| strange | 1 | - | 1 | 1 | - |" in model_card(manifest(), found, "No gate.")


def test_an_evaluation_can_be_kept_and_taken_up_again() -> None:
    found = _some()
    kept = msgspec.json.decode(msgspec.json.encode(found), type=Evaluation)
    assert as_json(kept) == as_json(found)
    assert kept.by_fault == found.by_fault

"""Detectors side by side: means and intervals over trainings, and the one that ships."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from gustbed_core.errors import GustbedError
from gustbed_training.evaluation.bootstrap import Resampled
from gustbed_training.evaluation.comparison import (
    RULE,
    Row,
    Run,
    bounds,
    compare,
    data_bounds,
    rows_as_json,
    rows_as_table,
    ships,
)
from gustbed_training.evaluation.detection_page import Results, detection_page, write_detection
from gustbed_training.evaluation.evaluate import Evaluation, evaluate
from gustbed_training.evaluation.intervals import estimate
from tests.unit.training.judged import last_sample, part, schema, thermal


def _result(vus_pr: float | None, cost: float | None, found: bool = True) -> Evaluation:
    row = "....xxxx......" if found else "." * 14
    result = evaluate(schema(), [part(row, labels=[thermal(4, 8)])], last_sample)
    return replace(result, vus_pr=vus_pr, microseconds_per_window=cost)


def _runs(detector: str, vus_prs: list[float], cost: float, dataset: str = "mini") -> list[Run]:
    return [Run(dataset, detector, seed, _result(v, cost)) for seed, v in enumerate(vus_prs)]


def _drawn(run: Run, vus_prs: tuple[float, ...], false_per_day: tuple[float, ...] = ()) -> Run:
    again = Resampled((2, 2), vus_prs, (), (1.0, 1.0), false_per_day)
    return replace(run, evaluation=replace(run.evaluation, resampled=again))


def _shipped(rows: list[Row]) -> list[tuple[str, str]]:
    return [(row.dataset, row.detector) for row in rows if row.shipped]


def test_the_best_score_ships_when_nothing_comes_near_it() -> None:
    rows = compare(_runs("pca", [0.70], 1.0) + _runs("compact", [0.90, 0.91, 0.92], 50.0))
    assert [row.detector for row in rows] == ["compact", "pca"]
    assert _shipped(rows) == [("mini", "compact")]
    assert rows[0].seeds == (0, 1, 2)


def test_within_the_interval_of_the_best_the_cheapest_ships() -> None:
    # Mean .91, standard deviation .01, t(.975, 2) = 4.303: from .885 on.
    best = _runs("compact", [0.90, 0.91, 0.92], 50.0)
    assert _shipped(compare(best + _runs("pca", [0.89], 1.0))) == [("mini", "pca")]
    assert _shipped(compare(best + _runs("pca", [0.88], 1.0))) == [("mini", "compact")]


def test_without_repetition_there_is_no_interval_to_hide_in() -> None:
    rows = compare(_runs("compact", [0.91], 50.0) + _runs("pca", [0.9099], 1.0))
    assert _shipped(rows) == [("mini", "compact")]
    assert bounds(rows[0], "vus_pr") is None


def test_the_wider_of_both_intervals_decides_what_ships() -> None:
    # Over the trainings from .885 on; over the data, of the trainings' means, from .82 on.
    best = _runs("compact", [0.90, 0.91, 0.92], 50.0)
    drawn = [_drawn(run, (0.80, 0.82, 0.90, 1.0)) for run in best]
    near = _runs("pca", [0.83], 1.0)
    assert _shipped(compare(best + near)) == [("mini", "compact")]
    assert _shipped(compare(drawn + near)) == [("mini", "pca")]
    # A narrower one adds nothing, and a best one's own mean is never below its interval.
    narrow = [_drawn(run, (0.909, 0.911)) for run in best]
    assert _shipped(compare(narrow + _runs("pca", [0.89], 1.0))) == [("mini", "pca")]
    alone = [_drawn(run, (0.95, 0.97)) for run in _runs("compact", [0.91], 50.0)]
    assert _shipped(compare(alone)) == [("mini", "compact")]


def test_rows_say_where_means_lie_over_other_recordings() -> None:
    one, other = _runs("compact", [0.90, 0.92], 50.0)
    rows = compare([_drawn(one, (0.80, 0.90)), _drawn(other, (0.90, 0.96))])
    # Means over the trainings .85 and .93, of which the outermost 2.5 % are cut off.
    assert data_bounds(rows[0], "vus_pr") == pytest.approx([0.852, 0.928], abs=1e-4)
    assert data_bounds(rows[0], "care") is None
    (row,) = rows_as_json(rows)
    assert row["vus_pr_over_data"] == data_bounds(rows[0], "vus_pr")
    # One fault, found in every draw: the exact bounds of 1 of 1 say how little that is.
    assert row["event_recall_over_data"] == pytest.approx([0.025, 1.0])
    assert row["faults"] == 1
    page = detection_page(_results(list(rows[0].runs)), rows)
    assert "| 0.910 (0.690 to 1.000) [0.852 to 0.928] |" in page


def test_no_false_event_in_any_draw_is_not_none_at_all() -> None:
    (run,) = _runs("compact", [0.9], 50.0)
    (row,) = rows_as_json(compare([_drawn(run, (0.8, 0.9), (0.0, 0.0))]))
    hours = run.evaluation.eventwise.calm_hours
    assert row["false_per_day"] == 0.0
    # Poisson: up to 3.689 with none seen.
    assert row["false_per_day_over_data"] == pytest.approx([0.0, 24 * 3.689 / hours], rel=1e-3)


def test_a_draw_that_some_training_lacks_gives_no_interval() -> None:
    one, other = _runs("compact", [0.90, 0.92], 50.0)
    (row,) = compare([_drawn(one, (0.8, 0.9)), other])
    assert row.over_data == {}


def test_of_equal_detectors_the_cheaper_ships_and_an_untimed_one_never() -> None:
    rows = compare(_runs("a", [0.9], 5.0) + _runs("b", [0.9], 4.0))
    assert _shipped(rows) == [("mini", "b")]
    figures = {"a": {"vus_pr": estimate([0.9])}, "b": {"vus_pr": estimate([0.9])}}
    figures["b"]["microseconds_per_window"] = estimate([1e6])
    assert ships(figures) == "b"


def test_without_labels_nothing_ships() -> None:
    rows = compare([Run("site", "pca", 0, _result(None, 1.0))])
    assert _shipped(rows) == []
    assert rows_as_json(rows)[0]["vus_pr"] is None


def test_every_dataset_ships_its_own() -> None:
    rows = compare(
        _runs("a", [0.9], 5.0)
        + _runs("b", [0.8], 5.0)
        + _runs("a", [0.1], 5.0, "site")
        + _runs("b", [0.2], 5.0, "site")
    )
    assert _shipped(rows) == [("mini", "a"), ("site", "b")]


def test_rows_hold_means_and_where_another_training_would_lie() -> None:
    (row,) = rows_as_json(compare(_runs("compact", [0.90, 0.91, 0.92], 50.0)))
    keys = {"detector", "dataset", "shipped", "vus_pr", "care", "event_recall", "false_per_day"}
    assert keys | {"median_delay_s", "microseconds_per_window", "seeds"} <= row.keys()
    assert row["vus_pr"] == 0.91
    # 4.303 * .01 * sqrt(1 + 1/3).
    assert row["vus_pr_interval"] == pytest.approx([0.91 - 0.0497, 0.91 + 0.0497], abs=1e-4)
    assert row["event_recall"] == 1.0
    assert row["event_recall_interval"] == [1.0, 1.0]
    assert row["seeds"] == [0, 1, 2]


def test_intervals_are_cut_to_what_is_possible() -> None:
    (row,) = compare(_runs("compact", [0.5, 0.99], 50.0))
    assert bounds(row, "vus_pr") == [0.0, 1.0]


def test_the_table_marks_what_ships() -> None:
    rows = compare(_runs("compact", [0.90, 0.91, 0.92], 50.0) + _runs("pca", [0.7], 1.0))
    lines = rows_as_table(rows).splitlines()
    assert lines[0] == "mini"
    assert lines[2].startswith("* compact")
    assert "0.910 ± 0.050" in lines[2]
    assert lines[3].startswith("  pca")
    assert len(lines[1]) == len(lines[2]) == len(lines[3])
    assert lines[-1].endswith(RULE)
    assert RULE in rows_as_table([])


def _results(runs: list[Run]) -> Results:
    return Results(
        runs, "gustbed model compare --data mini", {"mini": "Made by the twin."}, ["It is deaf."]
    )


def test_the_page_says_plainly_who_wins() -> None:
    runs = _runs("compact", [0.90, 0.91, 0.92], 50.0) + _runs("pca", [0.7], 1.0)
    page = detection_page(_results(runs), compare(runs))
    assert "    gustbed model compare --data mini" in page
    assert "Made by the twin." in page
    assert "compact ships: it beats pca on VUS-PR." in page
    assert "**compact** (ships) | 0.910 (0.860 to 0.960)" in page
    # Three trainings found the one fault three times.
    assert "| overheating | 1 | - | 1 × 3 | 3 | 3 | 3 | 2.0 | 2.0 |" in page
    assert "rest on 1 independent faults in 1 of 1 recordings" in page
    assert "## What compact is given that rivals are not" in page
    assert "compact missed no fault" in page
    assert "- It is deaf." in page


def test_the_page_says_plainly_who_does_not_win() -> None:
    runs = _runs("compact", [0.90, 0.91, 0.92], 50.0) + _runs("pca", [0.89], 1.0)
    page = detection_page(_results(runs), compare(runs))
    assert "pca ships although it does not beat compact on VUS-PR" in page


def test_the_page_says_whether_anything_follows_a_fault_that_settled() -> None:
    runs = _runs("pca", [0.9], 1.0)
    page = " ".join(detection_page(_results(runs), compare(runs)).split())
    assert "of the calm ones follow a fault that has settled" in page
    assert "rivals are not" not in page
    ends = evaluate(schema(), [part("....xxxx", labels=[thermal(4, 8)])], last_sample)
    cut = [Run("mini", "pca", 0, replace(ends, vus_pr=0.9))]
    page = " ".join(detection_page(_results(cut), compare(cut)).split())
    assert "The recordings end before their faults have settled" in page
    assert rows_as_json(compare(cut))[0]["settled_in_alarm"] is None


def test_the_page_names_the_faults_that_are_missed() -> None:
    runs = [Run("mini", "pca", 0, _result(0.5, 1.0, found=False))]
    page = detection_page(_results(runs), compare(runs))
    assert "pca does not find every overheating at 1 (0 of 1)." in page
    assert "pca ships: there is no other." in page


def test_both_files_are_written_and_agree(tmp_path: Path) -> None:
    runs = _runs("compact", [0.90, 0.92], 50.0)
    page, rows = write_detection(_results(runs), tmp_path / "docs")
    assert page.read_text().startswith("# Detection\n")
    (row,) = json.loads(rows.read_text())
    assert row["shipped"] is True
    assert f"{row['vus_pr']:.3f}" in page.read_text()
    assert sorted(path.name for path in page.parent.iterdir()) == ["detection.json", "detection.md"]


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    taken = tmp_path / "docs"
    taken.write_text("a file")
    with pytest.raises(GustbedError, match="docs: "):
        write_detection(_results(_runs("a", [0.5], 1.0)), taken)
    assert taken.read_text() == "a file"


def test_a_failed_write_leaves_the_old_page_and_no_draft(tmp_path: Path) -> None:
    (tmp_path / "detection.md").mkdir()
    with pytest.raises(GustbedError):
        write_detection(_results(_runs("a", [0.5], 1.0)), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["detection.md"]

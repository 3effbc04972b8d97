"""The reality gap's table, and its place in the page."""

from pathlib import Path

from gustbed_training.evaluation.detection_page import gap_of, with_gap, write_reality
from gustbed_training.evaluation.reality_gap import GapRow, Judged, pooled, table

CALM = Judged(6.0, 0.0001, 0.0, 0, 30, 30, 0.97)
WOLF = Judged(6.0, 0.9, 0.95, 8, 30, 20, 1.0)
BLUNT = Judged(6.0, 0.0, 0.0, 0, 30, 12, 0.3)
EARLY = Judged(6.0, 0.0002, 0.001, 1, 30, 29, 0.92)
ROWS = [
    GapRow("mini", "unchanged", False, CALM, BLUNT, CALM, CALM),
    GapRow("mini", "lift +5 %", True, WOLF, BLUNT, EARLY, CALM),
    GapRow(
        "mini",
        "far off",
        True,
        WOLF,
        BLUNT,
        BLUNT,
        None,
        ("wt01: too far off",),
        ("wt01: too soon",),
    ),
]


def test_machines_that_differ_are_summed_up_without_those_that_were_refused() -> None:
    text = table(ROWS)
    assert "| lift +5 % | 90.0 % | 95.0 % | 32.0 | 20/30 | 1.000 |" in text
    assert "**machines that differ, 1 together**" in text
    assert "| far off |" in text
    assert "refused" in text
    assert "- 1 machines were refused: too far off" in text
    assert "- 1 machines were too early: too soon" in text
    assert "Commissioned, 0 false events in 0.2 turbine-days" in text
    assert "Provisionally, 1 false events in 0.2 turbine-days" in text


def test_pooling_weighs_by_hours_and_faults() -> None:
    both = pooled([CALM, WOLF])
    assert both.calm_hours == 12.0
    assert both.false_events == 8
    assert abs(both.in_alarm - 0.475) < 1e-9
    assert (both.found, both.faults) == (50, 60)


def test_the_section_is_replaced_in_the_page_and_kept_by_the_rest(tmp_path: Path) -> None:
    (tmp_path / "detection.md").write_text("# Detection\n\nrows\n")
    write_reality({"mini": ROWS}, tmp_path)
    write_reality({"mini": ROWS[:1]}, tmp_path)
    page = (tmp_path / "detection.md").read_text()
    assert page.startswith("# Detection\n\nrows\n")
    assert page.count("## Machines that differ") == 1
    assert "lift +5 %" not in page
    assert with_gap("# New\n", gap_of(page)).count("## Machines that differ") == 1
    assert with_gap("# New\n", "") == "# New\n"

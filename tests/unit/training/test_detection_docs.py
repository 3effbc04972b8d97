"""The front page quotes the detection table; nobody types a figure twice and forgets one."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
FIGURES = (
    ("vus_pr", "{:.3f}"),
    ("care", "{:.3f}"),
    ("event_recall", "{:.3f} ("),
    ("recall_of_strong", "({:.3f})"),
    ("false_per_day", "{:.2f}"),
    ("median_delay_s", "{:.1f} s"),
    ("microseconds_per_window", "{:.1f}"),
)


@pytest.mark.parametrize(
    ("title", "dataset", "detector"),
    [
        ("mini, **compact** (ships)", "mini", "compact"),
        ("mini, ridge regressions", "mini", "ridge"),
        ("NREL 5 MW, **compact** (ships)", "nrel_5mw", "compact"),
        ("NREL 5 MW, ridge regressions", "nrel_5mw", "ridge"),
    ],
)
def test_the_readme_quotes_the_table(title: str, dataset: str, detector: str) -> None:
    rows: list[dict[str, Any]] = json.loads((ROOT / "docs" / "detection.json").read_text())
    (row,) = (r for r in rows if (r["dataset"], r["detector"]) == (dataset, detector))
    lines = (ROOT / "README.md").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(f"| {title} |"))
    quoted = line.removeprefix(f"| {title} |")
    for figure, form in FIGURES:
        assert form.format(row[figure]) in quoted, figure
    assert row["shipped"] is ("ships" in title)


@pytest.mark.promise("F5")
def test_the_page_says_how_every_test_differs_from_its_training() -> None:
    page = (ROOT / "docs" / "detection.md").read_text()
    rows: list[dict[str, Any]] = json.loads((ROOT / "docs" / "detection.json").read_text())
    for dataset in {row["dataset"] for row in rows}:
        section = page.partition(f"\n## {dataset}\n")[2].partition("\n## ")[0]
        trained, judged = re.findall(r"Trained on (\S+), judged on (\S+):", section)[0]
        assert trained != judged
        assert "of other winds and seeds" in section
    assert "in winds and turbulence that no training run has" in page

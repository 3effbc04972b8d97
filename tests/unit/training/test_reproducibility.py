"""A second comparison beside the first one's stated intervals."""

import json
from pathlib import Path
from typing import Any

import pytest

from gustbed_core.errors import GustbedError
from gustbed_training.evaluation.reproducibility import check_figures, checks_as_table, read_rows

STATED = {"dataset": "mini", "detector": "compact", "vus_pr": 0.95, "vus_pr_interval": [0.93, 0.97]}


def _again(**figures: Any) -> dict[str, Any]:
    return {"dataset": "mini", "detector": "compact"} | figures


@pytest.mark.parametrize(("found", "within"), [(0.94, True), (0.9699, True), (0.92, False)])
def test_a_figure_agrees_where_the_interval_says(found: float, within: bool) -> None:
    (one,) = check_figures([_again(vus_pr=found)], [STATED])
    assert one.within is within
    assert ("OUTSIDE" in checks_as_table([one])) is not within


def test_without_an_interval_the_figure_is_to_be_the_same() -> None:
    stated = [_again(care=0.8, care_interval=None)]
    (same,) = check_figures([_again(care=0.8)], stated)
    (other,) = check_figures([_again(care=0.81)], stated)
    assert (same.within, other.within) == (True, False)
    assert "1 of 2 figures" in checks_as_table([same, other])


def test_what_only_one_of_both_has_is_left_out() -> None:
    rows = [_again(vus_pr=None, care=0.9), _again(vus_pr=0.95) | {"detector": "pca"}]
    assert check_figures(rows, [STATED]) == []


def test_rows_are_read_and_bad_files_named(tmp_path: Path) -> None:
    path = tmp_path / "detection.json"
    with pytest.raises(GustbedError, match="No such file"):
        read_rows(path)
    path.write_text("{")
    with pytest.raises(GustbedError, match=r"detection\.json: Expecting"):
        read_rows(path)
    path.write_text('[{"dataset": "mini"}]')
    with pytest.raises(GustbedError, match="no rows of detectors"):
        read_rows(path)
    path.write_text(json.dumps([STATED]))
    assert read_rows(path) == [STATED]

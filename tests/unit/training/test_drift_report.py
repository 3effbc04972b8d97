"""The drift report that training leaves is the one that the dashboard reads."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from gustbed_core.errors import GustbedError
from gustbed_dashboard.cloud.drift_reports import read_folder
from gustbed_training.drift.comparison import COMMISSION, Drift
from gustbed_training.drift.fit import FeatureFit, Fit, TurbineFit
from gustbed_training.drift.inputs import FeatureDrift
from gustbed_training.drift.levels import Level
from gustbed_training.pipeline.drift_report import write_report
from tests.support.packages import tiny_package

FIT = Fit(
    captures=9,
    verdicts=54,
    above=0.2,
    level=Level.LARGE,
    features=(FeatureFit("rps", 0.2, 0.3, 0.7, 0.7, 0.3, Level.MODERATE),),
    turbines=(
        TurbineFit("wt01", 6, 0.0, 0.0, Level.NONE, ()),
        TurbineFit("wt03", 3, 0.6, 0.9, Level.LARGE, ("rps",)),
    ),
    everywhere=False,
)
FOUND = Drift(
    120,
    (
        FeatureDrift("rps", "1/s", 0.31, None, 2.0, 2.5, Level.LARGE),
        FeatureDrift("voltage", "V", 0.0, 0.0, 2.0, 2.0, Level.NONE),
    ),
    Level.LARGE,
    FIT,
    "misfit",
    Level.LARGE,
)
MANIFEST = tiny_package("1.2.0", name="windturbine").manifest


def test_the_dashboard_reads_what_training_leaves(tmp_path: Path) -> None:
    before = time.time()
    path = write_report(FOUND, MANIFEST, "the lake", tmp_path / "drift")
    view = read_folder(tmp_path / "drift")
    assert view.problems == []
    (report,) = view.reports
    assert (report.model, report.turbine_type) == ("windturbine 1.2.0", "mini")
    assert (report.overall, report.source) == ("large", "the lake")
    assert before <= report.t <= time.time()
    feature, other = report.features
    assert (feature.name, feature.psi, feature.shift, feature.level) == ("rps", 0.31, None, "large")
    assert (feature.fit, feature.alarms, other.fit, other.alarms) == (
        "moderate", 0.2, "unknown", None,
    )  # fmt: skip
    assert (report.finding, report.inputs, report.alarms) == ("misfit", "large", 0.2)
    assert report.remedy == f"{COMMISSION} wt03"
    first, second = report.turbines
    assert (first.name, first.level, first.features) == ("wt01", "none", [])
    assert (second.name, second.captures, second.alarms, second.features) == (
        "wt03", 3, 0.6, ["rps"],
    )  # fmt: skip
    assert [entry.name for entry in path.parent.iterdir()] == ["windturbine.json"]


def test_a_later_report_replaces_the_model_s_and_no_other(tmp_path: Path) -> None:
    write_report(FOUND, MANIFEST, "one", tmp_path)
    write_report(FOUND, replace(MANIFEST, name="other"), "two", tmp_path)
    write_report(FOUND, MANIFEST, "three", tmp_path)
    assert {report.source for report in read_folder(tmp_path).reports} == {"two", "three"}


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "drift").write_text("in the way")
    with pytest.raises(GustbedError, match="drift"):
        write_report(FOUND, MANIFEST, "", tmp_path / "drift")

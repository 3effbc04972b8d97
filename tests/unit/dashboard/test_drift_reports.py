"""Drift reports: read from a folder that may hold anything."""

import json
from pathlib import Path
from typing import Any

import pytest

from gustbed_core.settings import load
from gustbed_dashboard.cloud.drift_reports import (
    MAX_BYTES,
    REFRESH_SECONDS,
    DriftReader,
    read_folder,
)
from gustbed_dashboard.components import drift_panel
from gustbed_dashboard.settings import DashboardSettings, HomeSettings, drift_folder
from tests.unit.dashboard.messages import TYPES

REPORT: dict[str, object] = {
    "model": "nrel-5mw",
    "turbine_type": "nrel_5mw",
    "t": 1000.0,
    "overall": "large",
    "features": [
        {"name": "ambient_temperature", "psi": None, "shift": None, "level": "unknown"},
        {"name": "gearbox_oil_temperature", "psi": 0.04, "shift": 0.1, "level": "none"},
        {"name": "wind_speed", "psi": 0.61, "shift": None, "level": "large"},
    ],
    "source": "lake",
}


def write(folder: Path, name: str = "nrel-5mw", **changes: Any) -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(REPORT | changes))


def test_reports_are_read_newest_first_and_what_moved_most_is_shown_first(tmp_path: Path) -> None:
    write(tmp_path, "a", model="a", t=1.0)
    write(tmp_path, "b", model="b", t=2.0)

    view = read_folder(tmp_path)
    html = drift_panel.drift_reports(view.reports, TYPES.get, 62.0)

    assert [report.model for report in view.reports] == ["b", "a"]
    assert html.index("Wind speed") < html.index("Gearbox oil temperature")
    assert html.index("Gearbox oil temperature") < html.index("Ambient temperature")
    assert 'data-level="large"' in html
    assert "1 min 00 s ago" in html
    assert "gustbed model train --from-lake" in html


FEATURE = {"psi": 0.02, "shift": 0.1, "level": "none"}
MISFIT: dict[str, Any] = {
    "finding": "misfit",
    "inputs": "none",
    "alarms": 0.163,
    "features": [
        FEATURE | {"name": "wind_speed", "psi": 0.09, "fit": "none", "alarms": 0.0},
        FEATURE | {"name": "rotor_speed", "fit": "large", "alarms": 0.163},
    ],
    "turbines": [
        {"name": "wt01", "level": "none", "captures": 6, "alarms": 0.0},
        {"name": "wt03", "level": "large", "captures": 6, "alarms": 0.87,
         "features": ["rotor_speed"]},
    ],
    "remedy": "gustbed commission start wt03",
}  # fmt: skip


def test_a_turbine_that_the_model_does_not_fit_is_named_with_what_to_do(tmp_path: Path) -> None:
    write(tmp_path, **MISFIT)

    html = drift_panel.drift_reports(read_folder(tmp_path).reports, TYPES.get, 62.0)

    assert "Large drift" in html
    assert "no longer fits wt03" in html
    assert "<code>gustbed commission start wt03</code>" in html
    assert 'data-misfit="wt03" data-level="large">wt03: 87 % of windows above' in html
    assert 'data-misfit="wt01"' not in html
    assert "16.3 % of windows above the threshold" in html
    assert html.index('data-feature="rotor_speed"') < html.index('data-feature="wind_speed"')


def test_inputs_that_moved_while_the_verdicts_hold_are_no_broken_model(tmp_path: Path) -> None:
    write(tmp_path, overall="none", finding="inputs_moved", inputs="large", alarms=0.0)

    html = drift_panel.drift_reports(read_folder(tmp_path).reports, TYPES.get, 62.0)

    assert "Inputs moved, verdicts hold" in html
    assert "retrain" not in html.lower()


def test_no_folder_is_no_report_and_says_how_to_make_one(tmp_path: Path) -> None:
    view = read_folder(tmp_path / "none")

    assert view.problems == []
    assert "gustbed model drift" in drift_panel.drift_reports(view.reports, TYPES.get, 0.0)


@pytest.mark.parametrize(
    "content",
    [
        "{",
        json.dumps(REPORT | {"overall": "huge"}),
        json.dumps({"model": "x"}),
        json.dumps(REPORT | {"features": [{"name": "x", "psi": "much"}]}),
        " " * (MAX_BYTES + 1),
    ],
)
def test_a_file_that_is_no_report_is_one_line_and_hides_no_other(
    tmp_path: Path, content: str
) -> None:
    write(tmp_path)
    (tmp_path / "bad.json").write_text(content)

    view = read_folder(tmp_path)

    assert [report.model for report in view.reports] == ["nrel-5mw"]
    (line,) = view.problems
    assert line.startswith(f"{tmp_path / 'bad.json'}: ")
    assert "\n" not in line


def test_the_folder_is_read_again_but_not_on_every_look(tmp_path: Path) -> None:
    now = [0.0]
    reader = DriftReader(tmp_path, lambda: now[0])
    assert reader.watch().reports == []
    write(tmp_path)
    assert reader.watch().reports == []

    now[0] = REFRESH_SECONDS + 1
    assert [report.overall for report in reader.watch().reports] == ["large"]


def test_the_folder_is_below_the_home_unless_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUSTBED_HOME", "/x/home")
    assert drift_folder(load(DashboardSettings), load(HomeSettings)) == Path("/x/home/drift")
    monkeypatch.setenv("GUSTBED_DASHBOARD_DRIFT_DIR", "/y")
    assert drift_folder(load(DashboardSettings), load(HomeSettings)) == Path("/y")

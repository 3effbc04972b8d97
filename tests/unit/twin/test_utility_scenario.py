"""Scenarios and layouts: the same however they are cut, and a bad one names its key."""

from pathlib import Path

import numpy as np
import pytest

from gustbed_core.errors import GustbedError
from gustbed_core.settings import SiteSettings
from gustbed_twin.make import make_source
from gustbed_twin.settings import TwinSettings
from gustbed_twin.turbine_types import UtilityType
from gustbed_twin.utility.assembly import Plan, assemble
from gustbed_twin.utility.layouts import grid_for, read_layout
from gustbed_twin.utility.records import Mode
from gustbed_twin.utility.scenario import changes_of, read_utility_scenario
from gustbed_twin.utility.site import Conditions
from tests.unit.twin.utility import IDS, seconds

SCENARIO = """
seed: 5
wind: {mean: 9.5, turbulence: 0.08, events: [{at: 30, kind: eog}]}
faults:
  - {turbine: wt02, kind: icing, start: 3.35, duration: 20, severity: 0.6, ramp: 4}
  - {turbine: wt01, kind: sensor_noise, signal: pitch, start: 1}
random: {count: 3, hours: 0.01, kinds: [gearbox_bearing, grid_dip]}
commands: [{turbine: wt03, action: stop, at: 7}]
delivery: {late: 0.1, late_s: 2}
"""


def test_a_scenario_runs_the_same_however_it_is_cut(kind: UtilityType, tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(SCENARIO, encoding="utf-8")
    plan = Plan(kind, 3, 5, scenario=path)
    whole = assemble(plan).timeline.advance(1000)
    made = assemble(plan)
    cut = [made.timeline.advance(n) for n in (1, 99, 400, 333, 167)]
    assert np.concatenate(cut, axis=2).tobytes() == whole.tobytes()
    assert made.farm.conditions.mean == 9.5
    assert made.farm.modes()[2] in (Mode.STOPPING, Mode.STOPPED)
    assert len(made.timeline.changes) == 3 + 6 + 1


def test_random_faults_follow_from_the_seed_alone(kind: UtilityType, tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(SCENARIO, encoding="utf-8")
    channels = tuple(sensor.name for sensor in kind.sensors)
    one, two = (changes_of(read_utility_scenario(path, IDS, channels), IDS) for _ in range(2))
    assert one == two
    path.write_text(SCENARIO.replace("seed: 5", "seed: 6"), encoding="utf-8")
    assert changes_of(read_utility_scenario(path, IDS, channels), IDS) != one


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("faults: [{turbine: wt09, kind: icing}]", "faults[0].turbine"),
        ("faults: [{turbine: wt01, kind: gremlins}]", "faults[0].kind 'gremlins'"),
        ("faults: [{turbine: wt01, kind: sensor_drift}]", "signal ''"),
        ("faults: [{turbine: wt01, kind: icing, severity: 2}]", "faults[0].severity"),
        ("faults: [{turbine: wt01, kind: icing, sevrity: 1}]", "sevrity"),
        ("wind: {mean: -3}", "wind.mean"),
        ("wind: {events: [{at: 1, kind: tornado}]}", "wind.events[0].kind"),
        ("commands: [{turbine: wt01, action: curtail, value: -5}]", "commands[0].value"),
        ("random: {count: 1, hours: 1, kinds: []}", "random.kinds"),
        ("delivery: {late: 1.5}", "delivery.late"),
        ("faults: {", "line"),
        ("- 1", "object"),
    ],
)
def test_a_bad_scenario_is_one_line_that_names_the_key(
    kind: UtilityType, tmp_path: Path, text: str, key: str
) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(GustbedError) as caught:
        assemble(Plan(kind, 3, scenario=path))
    assert str(path) in str(caught.value)
    assert key in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("turbines: [[0, 0], [5, 5]]", "turbines[0] and turbines[1]"),
        ("turbines: []", "turbines"),
        ("turbines: [[0, x]]", "turbines[0][1]"),
        ("turbines: [[0, .nan]]", "finite"),
        ("grid: {rows: 2, columns: 0, spacing: 5}", "grid.columns"),
        ("grid: {rows: 2}", "columns"),
        ("{}", "turbines, grid"),
    ],
)
def test_a_bad_layout_is_one_line_that_names_the_key(tmp_path: Path, text: str, key: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(GustbedError) as caught:
        read_layout(path, 126.0)
    assert str(path) in str(caught.value)
    assert key in str(caught.value)
    assert "\n" not in str(caught.value)


def test_grids_hold_every_turbine(tmp_path: Path) -> None:
    assert len(grid_for(7, 500.0)) == 7
    path = tmp_path / "grid.yaml"
    path.write_text("grid: {rows: 2, columns: 3, spacing: 5}", encoding="utf-8")
    assert read_layout(path, 100.0)[-1].tolist() == [1000.0, 500.0]


def test_a_farm_with_a_layout_feels_floris_wakes_and_keeps_their_table(
    kind: UtilityType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("floris")
    from gustbed_twin.utility import wake

    monkeypatch.setenv(wake.CACHE_VARIABLE, str(tmp_path / "cache"))
    layout = tmp_path / "row.yaml"
    layout.write_text("turbines: [[0, 0], [630, 0], [1260, 0]]", encoding="utf-8")
    still = Conditions(mean=8.0, turbulence=0.1, shear=0.0, direction_spread=0.0)
    plan = Plan(kind, 3, conditions=still, layout=layout, wake="jensen")
    farm = assemble(plan).farm
    seconds(farm, 300)
    start = farm.turbines.state["energy_generator"].copy()
    seconds(farm, 1800)
    made = farm.turbines.state["energy_generator"] - start
    assert made[1] / made[0] == pytest.approx(767.29 / 1753.95, rel=0.12)
    assert made[2] < made[1]
    assert len(list((tmp_path / "cache").iterdir())) == 1

    def never(*_: object) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr(wake, "effective_winds", never)
    again = assemble(plan).farm
    assert np.array_equal(again.wakes.share, farm.wakes.share)


@pytest.mark.parametrize("name", ["scenario", "layout"])
def test_the_mini_says_which_settings_are_not_for_it(tmp_path: Path, name: str) -> None:
    settings = TwinSettings(**{name: tmp_path / "x"})
    with pytest.raises(GustbedError, match=f"GUSTBED_TWIN_{name.upper()}: type mini takes none"):
        make_source(settings, SiteSettings(turbines=2))

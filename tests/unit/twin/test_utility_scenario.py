"""Scenarios and layouts: the same however they are cut, and a bad one names its key."""

from pathlib import Path

import numpy as np
import pytest

from gustbed_core.errors import GustbedError
from gustbed_core.settings import SiteSettings
from gustbed_twin.farms.variable_speed import VariableSpeedFarm
from gustbed_twin.physics.model import FarmPlan
from gustbed_twin.physics.registry import load_physics
from gustbed_twin.publisher.build import build_source
from gustbed_twin.records import Mode
from gustbed_twin.scenarios.build import build_farm
from gustbed_twin.scenarios.scenario import changes_of, read_scenario
from gustbed_twin.settings import TwinSettings
from gustbed_twin.wake.layouts import grid_for, read_layout
from gustbed_twin.wind.request import Wind
from tests.unit.twin.utility import IDS, seconds

NREL = load_physics("nrel_5mw")
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


def test_a_scenario_runs_the_same_however_it_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(SCENARIO, encoding="utf-8")
    plan = FarmPlan(3, 5)
    whole = build_farm(NREL, plan, path).timeline.advance(1000)
    made = build_farm(NREL, plan, path)
    cut = [made.timeline.advance(n) for n in (1, 99, 400, 333, 167)]
    assert np.concatenate(cut, axis=2).tobytes() == whole.tobytes()
    assert made.farm.conditions.mean == 9.5
    assert isinstance(made.farm, VariableSpeedFarm)
    assert made.farm.modes()[2] in (Mode.STOPPING, Mode.STOPPED)
    assert len(made.timeline.changes) == 3 + 6 + 1


def test_random_faults_follow_from_the_seed_alone(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(SCENARIO, encoding="utf-8")
    one, two = (changes_of(read_scenario(path, NREL, IDS), IDS) for _ in range(2))
    assert one == two
    path.write_text(SCENARIO.replace("seed: 5", "seed: 6"), encoding="utf-8")
    assert changes_of(read_scenario(path, NREL, IDS), IDS) != one


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
def test_a_bad_scenario_is_one_line_that_names_the_key(tmp_path: Path, text: str, key: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(GustbedError) as caught:
        build_farm(NREL, FarmPlan(3), path)
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
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("floris")
    from gustbed_twin.wake import table as wake

    monkeypatch.setenv(wake.CACHE_VARIABLE, str(tmp_path / "cache"))
    layout = tmp_path / "row.yaml"
    layout.write_text("turbines: [[0, 0], [630, 0], [1260, 0]]", encoding="utf-8")
    still = Wind(mean=8.0, turbulence=0.1, shear=0.0, direction_spread=0.0)
    plan = FarmPlan(3, wind=still, layout=layout, wake="jensen")
    farm = NREL.build(plan)
    assert isinstance(farm, VariableSpeedFarm)
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
    again = NREL.build(plan)
    assert isinstance(again, VariableSpeedFarm)
    assert np.array_equal(again.wakes.share, farm.wakes.share)


def test_a_miniature_runs_a_scenario_too(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(
        "wind: {mean: 2.0}\nfaults: [{turbine: wt02, kind: voltage, start: 5, ramp: 2}]\n"
        "delivery: {lost: 0.1}\n",
        encoding="utf-8",
    )
    built = build_source(TwinSettings(scenario=path), SiteSettings(turbines=2))
    steps = [built.source.step() for _ in range(60)]
    values = np.concatenate([step.values for step in steps if step is not None], axis=2)
    voltage = values[:, built.channels.index("voltage")]
    assert voltage[1, -200:].mean() < 0.7 * voltage[0, -200:].mean()
    assert built.shares.lost == 0.1
    assert built.source.control(0, "stop", None) == "this turbine takes no stop"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("wind: {direction: 90}", "wind.direction: not for type mini"),
        ("wind: {mean: 12}", "wind.mean 12"),
        ("faults: [{turbine: wt01, kind: icing}]", "faults[0].kind 'icing'"),
        ("commands: [{turbine: wt01, action: stop}]", "takes no stop"),
    ],
)
def test_what_a_miniature_does_not_know_is_named(tmp_path: Path, text: str, key: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(GustbedError) as caught:
        build_farm(load_physics("mini"), FarmPlan(3), path)
    assert str(path) in str(caught.value)
    assert key in str(caught.value)

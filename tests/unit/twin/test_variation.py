"""Turbines that differ: each by its own factors, the same however a farm is cut or restarted."""

from dataclasses import fields, replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
import yaml

from gustbed_core.errors import GustbedError
from gustbed_core.settings import SiteSettings
from gustbed_core.turbine_types import read_type, type_files
from gustbed_twin.checkpoints.farm import load_farm, save_farm
from gustbed_twin.farms.miniature import MiniatureFarm
from gustbed_twin.farms.variable_speed import VariableSpeedFarm
from gustbed_twin.physics.model import FarmPlan
from gustbed_twin.physics.registry import load_physics, physics_of
from gustbed_twin.publisher.build import build_source
from gustbed_twin.scenarios.whatif import Question, ask
from gustbed_twin.settings import TwinSettings
from gustbed_twin.turbine.miniature import Machines
from gustbed_twin.turbine.miniature_type import read_miniature
from gustbed_twin.turbine.model import TurbineModel
from gustbed_twin.turbine.variable_speed import VariableSpeedPhysics
from gustbed_twin.turbine.variation import varied_physics
from gustbed_twin.wind.miniature import WindConfig
from gustbed_twin.wind.request import Wind
from tests.unit.twin.miniatures import CHANNEL_INDEX, MINI
from tests.unit.twin.utility import CALM

PHYSICS = load_physics("mini")
NAMES = [field.name for field in fields(Machines)]


def minis(turbines: int, variation: float = 0.1, **plan: object) -> MiniatureFarm:
    farm = PHYSICS.build(FarmPlan(turbines, 5, variation=variation, **plan))  # type: ignore[arg-type]
    assert isinstance(farm, MiniatureFarm)
    return farm


def test_every_constant_of_every_machine_differs_and_stays_within_what_was_asked() -> None:
    machines = minis(6).machines
    usual = {**msgspec.structs.asdict(read_miniature(MINI).physics.machine), "anemometer": 1.0}
    shares = np.array([getattr(machines, name) / usual[name] for name in NAMES])
    assert (np.abs(shares - 1.0) <= 0.1).all()
    assert len(np.unique(shares)) == shares.size
    assert np.ptp(shares) > 0.1


def test_a_machine_depends_on_seed_and_number_alone() -> None:
    whole, shard = minis(6), minis(6, shard=(3, 3))
    for name in NAMES:
        wanted = getattr(whole.machines, name)[list(shard.indices)]
        assert getattr(shard.machines, name).tobytes() == wanted.tobytes()
    assert shard.advance(200).tobytes() == whole.advance(200)[list(shard.indices)].tobytes()


def test_alike_turbines_are_what_they_always_were() -> None:
    farm = MiniatureFarm(read_miniature(MINI), 5, range(3), WindConfig(), 20)
    assert minis(3, 0.0).advance(100).tobytes() == farm.advance(100).tobytes()


def test_the_anemometer_counts_by_its_own_gain() -> None:
    """The same wind, counted by anemometers that differ: their counts do as their gains."""
    alike, differing = minis(4, 0.0), minis(4, 0.1)
    wind = CHANNEL_INDEX["wind_speed_rps"]
    counted = [farm.advance(12_000)[:, wind, 100:].mean(axis=1) for farm in (alike, differing)]
    assert counted[1] / counted[0] == pytest.approx(differing.machines.anemometer, rel=2e-3)


@pytest.mark.parametrize("kind", ["mini", "nrel_5mw"])
def test_the_machines_are_the_same_after_a_restart(kind: str, tmp_path: Path) -> None:
    farm = load_physics(kind).build(FarmPlan(2, 9, variation=0.1))
    farm.advance(100)
    save_farm(farm, tmp_path / "farm.npz")
    again = load_farm(tmp_path / "farm.npz")
    assert again.variation == 0.1
    assert again.advance(300).tobytes() == farm.advance(300).tobytes()


def test_a_live_twin_takes_its_variation_from_the_setting_and_refuses_anothers_checkpoint(
    tmp_path: Path,
) -> None:
    site, path = SiteSettings(turbines=2), tmp_path / "farm.npz"
    settings = TwinSettings(seed=5, variation=0.1, checkpoint=path)
    source = build_source(settings, site).source
    step = source.step()
    assert step is not None
    assert step.values.tobytes() == minis(2).advance(10).tobytes()
    save_farm(minis(2), path)
    with pytest.raises(GustbedError, match=r"farm\.npz: of another farm"):
        build_source(settings.model_copy(update={"variation": 0.0}), site)


def test_a_question_about_a_fresh_farm_has_its_variation() -> None:
    question = Question("mini", 2, 5, 0.0, None, None, (), variation=0.1)
    varied = ask(question, 20.0, Wind())
    alike = ask(replace(question, variation=0.0), 20.0, Wind())
    assert varied.before == varied.after
    assert [a.max_rotor_rpm for a in varied.before] != [a.max_rotor_rpm for a in alike.before]


def test_utility_machines_differ_in_what_is_sensible(machine: TurbineModel) -> None:
    usual = machine.variable_speed.physics
    farm = VariableSpeedFarm(machine, 1, range(3), CALM, variation=0.1)
    assert [each.variable_speed.physics for each in farm.machines] == [
        varied_physics(usual, 1, index, 0.1) for index in range(3)
    ]
    for each in farm.machines:
        physics = each.variable_speed.physics
        assert isinstance(physics, VariableSpeedPhysics)
        assert physics.torque_control == usual.torque_control
        assert 0.9 <= (1.0 - physics.drivetrain.efficiency) / 0.056 <= 1.1
        assert physics.rotor.inertia_kg_m2 != usual.rotor.inertia_kg_m2
    assert varied_physics(usual, 1, 0, 0.3) == varied_physics(usual, 1, 0, 0.1)
    voltage = farm.model.channels.index("voltage_l1")
    read = farm.advance(40)[:, voltage, -1]
    own = [each.variable_speed.physics.electrical.line_voltage_v for each in farm.machines]
    assert read == pytest.approx(own, abs=4.0)


def test_a_shard_of_utility_machines_is_a_part_of_the_whole(machine: TurbineModel) -> None:
    whole = VariableSpeedFarm(machine, 1, range(3), CALM, variation=0.1)
    part = VariableSpeedFarm(machine, 1, [2], CALM, variation=0.1)
    assert part.advance(100).tobytes() == whole.advance(100)[2:].tobytes()


def own_type(folder: Path, stem: str, corrections: dict[str, dict[str, float]]) -> Path:
    data = yaml.safe_load(next(p for p in type_files() if p.stem == stem).read_text("utf-8"))
    data["name"] = "mine"
    data["physics"]["corrections"] = corrections
    table = data["physics"].get("rotor", {}).get("table")
    if table:
        data["physics"]["rotor"]["table"] = str(next(type_files()).parent / table)
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    return path


def test_a_type_may_say_what_its_sensors_read_wrongly(tmp_path: Path) -> None:
    corrections = {"voltage": {"gain": 1.1, "offset": 5.0}, "rps": {"gain": 0.9}}
    mine = physics_of(read_type(own_type(tmp_path, "mini", corrections)))
    values = mine.build(FarmPlan(1, 3)).advance(6000)[0].mean(axis=1)
    exact = PHYSICS.build(FarmPlan(1, 3)).advance(6000)[0].mean(axis=1)
    voltage, rps = CHANNEL_INDEX["voltage"], CHANNEL_INDEX["rps"]
    assert values[voltage] == pytest.approx(1.1 * exact[voltage] + 5.0, abs=0.1)
    assert values[rps] == pytest.approx(0.9 * exact[rps], rel=5e-3)


def test_a_utility_types_sensors_may_be_wrong_too(tmp_path: Path) -> None:
    path = own_type(tmp_path, "nrel_5mw", {"ambient_temperature": {"offset": -2.0}})
    values = physics_of(read_type(path)).build(FarmPlan(1, 3)).advance(20)
    exact = load_physics("nrel_5mw").build(FarmPlan(1, 3)).advance(20)
    row = read_type(path).channel_names.index("ambient_temperature")
    assert values[0, row] == pytest.approx(exact[0, row] - 2.0)
    assert np.delete(values, row, 1).tobytes() == np.delete(exact, row, 1).tobytes()


@pytest.mark.parametrize(
    ("corrections", "named"),
    [
        ({"qw": {"gain": 1.1}}, r"physics\.corrections\.qw: cannot be corrected"),
        ({"rps": {"offset": 1.0}}, r"physics\.corrections\.rps\.offset"),
        ({"voltage": {"gain": 0.0}}, r"physics\.corrections"),
    ],
)
def test_a_correction_that_cannot_be_is_named(
    corrections: dict[str, dict[str, float]], named: str, tmp_path: Path
) -> None:
    with pytest.raises(GustbedError, match=named):
        read_miniature(read_type(own_type(tmp_path, "mini", corrections)))

"""Turbine types are files: a new one is a new file, a wrong one an error that names the key."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from gustbed_core.errors import GustbedError
from gustbed_core.turbine_types import load_type, read_type, type_files
from gustbed_twin.farms.steady import steady_curve
from gustbed_twin.physics.model import FarmPlan
from gustbed_twin.physics.registry import load_physics, physics_of, summaries
from gustbed_twin.records import PHYSICAL
from gustbed_twin.turbine.model import prepare_model
from gustbed_twin.turbine.variable_speed import (
    load_variable_speed,
    parse_numbers,
    read_variable_speed,
)

Data = dict[str, Any]
OURS = next(path for path in type_files() if path.stem == "nrel_5mw")


def changed(folder: Path, change: Callable[[Data], object], name: str = "mine") -> Path:
    data = yaml.safe_load(OURS.read_text(encoding="utf-8"))
    data["name"] = name
    change(data)
    (folder / "nrel_5mw_rotor.txt").write_text(
        (OURS.parent / "nrel_5mw_rotor.txt").read_text(encoding="utf-8"), encoding="utf-8"
    )
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    return path


def test_a_user_adds_a_type_by_adding_a_file(
    tmp_path: Path,
) -> None:
    def smaller(data: Data) -> None:
        data["physics"]["limits"]["rated_power_kw"] = 4000.0

    changed(tmp_path, smaller)
    assert {"mini", "nrel_5mw", "mine"} == {row["name"] for row in summaries(tmp_path)}
    [point] = steady_curve(load_variable_speed("mine", tmp_path), [15.0])
    assert point.power_kw == pytest.approx(4000.0, rel=0.01)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (
            lambda d: d["physics"]["drivetrain"].update(stiffness_nm_rad="stiff"),
            "physics.drivetrain.stiffness_nm_rad",
        ),
        (lambda d: d["physics"]["drivetrain"].pop("gearbox_ratio"), "gearbox_ratio"),
        (lambda d: d["physics"]["pitch_control"].update(kq=1.0), "kq"),
        (lambda d: d["physics"]["limits"].update(cut_in_ms=30.0), "physics.limits.cut_in_ms"),
        (
            lambda d: d["physics"]["geometry"].update(hub_height_m=-1.0),
            "physics.geometry.hub_height_m",
        ),
        (lambda d: d["channels"][3].update(rate_hz=7), "channels[3].rate_hz"),
        (lambda d: d["channels"][0].update(name=d["channels"][1]["name"]), "wind_direction"),
        (lambda d: d["physics"].update(model="magic"), "physics.model: 'magic'"),
        (lambda d: d.update(physics={}), "physics.model"),
    ],
)
def test_a_wrong_file_gets_one_line_that_names_file_and_key(
    tmp_path: Path, change: Callable[[Data], object], key: str
) -> None:
    path = changed(tmp_path, change)
    with pytest.raises(GustbedError) as caught:
        physics_of(read_type(path))
    text = str(caught.value)
    assert str(path) in text
    assert key in text
    assert "\n" not in text


def test_a_sensor_of_nothing_is_named(tmp_path: Path) -> None:
    path = changed(tmp_path, lambda d: d["channels"][2].update(of="vain"))
    with pytest.raises(GustbedError, match=r"channels\[2\].of: no quantity 'vain'"):
        physics_of(read_type(path))


def test_a_missing_or_broken_table_is_named(tmp_path: Path) -> None:
    path = changed(tmp_path, lambda d: d["physics"]["rotor"].update(table="none.txt"))
    kind = read_variable_speed(read_type(path))
    with pytest.raises(GustbedError, match=r"none.txt: No such file"):
        prepare_model(kind)
    (tmp_path / "none.txt").write_text("1 2\n\n3\n", encoding="utf-8")
    with pytest.raises(GustbedError, match=r"none\.txt"):
        prepare_model(kind)


def test_broken_yaml_is_named_by_line(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("name: x\ntitle: [\n", encoding="utf-8")
    with pytest.raises(GustbedError, match=r"x.yaml: line 3"):
        read_type(path)


def test_an_unknown_type_lists_the_known_ones() -> None:
    with pytest.raises(GustbedError, match="one of mini, nrel_5mw"):
        load_type("nrel_6mw")


@pytest.mark.parametrize("text", ["3,x", "", "-1", "nan", "1e9"])
def test_winds_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(GustbedError, match="--winds"):
        parse_numbers("--winds", text)


def renamed(data: Data) -> None:
    """Every channel by another name, in another order; models' and pages' sections go."""
    for section in ("features", "violations", "drivers", "individuals", "aftermath", "groups",
                    "card", "aggregates"):  # fmt: skip
        data.pop(section, None)
    data["channels"] = [{**c, "name": f"x_{c['of']}_{n}"} for n, c in enumerate(data["channels"])]
    data["channels"].reverse()


def test_a_type_with_channels_of_other_names_works_with_no_code_changed(tmp_path: Path) -> None:
    other = physics_of(read_type(changed(tmp_path, renamed)))
    ours = load_physics("nrel_5mw")
    theirs = other.turbine_type.channel_names
    for kind, fault in other.faults.items():
        found = {
            name.split("_", 1)[1].rsplit("_", 1)[0] for name in fault.signals(other.turbine_type)
        }
        assert found == set(fault.quantities), kind
    values = {}
    for physics in (ours, other):
        farm = physics.build(FarmPlan(len(physics.faults), 3))
        signal = "pitch" if physics is ours else next(n for n in theirs if n.startswith("x_pitch_"))
        for position, (kind, fault) in enumerate(physics.faults.items()):
            farm.inject(position, kind, 0.5, 0.0, signal if fault.any_signal else "")
        values[physics] = farm.advance(60)
    quantities = [channel.of for channel in ours.turbine_type.channels]
    exact = [n for n, name in enumerate(quantities) if quantities.count(name) == 1]
    places = [[c.of for c in other.turbine_type.channels].index(quantities[n]) for n in exact]
    # Noise follows a channel's place; what the physics gives is the same.
    noise = [ours.turbine_type.channels[n].noise for n in exact]
    physical = slice(0, len(PHYSICAL))
    difference = np.abs(values[ours][physical, exact] - values[other][physical, places])
    assert (difference.max(axis=(0, 2)) <= 7.5 * np.array(noise) + 1e-9).all()

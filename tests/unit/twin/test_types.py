"""Turbine types are files: a new one is a new file, a wrong one an error that names the key."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from gustbed_core.errors import GustbedError
from gustbed_twin.turbine_types import (
    FOLDER_VARIABLE,
    UtilityType,
    load_type,
    load_utility_type,
    parse_numbers,
    read_type,
    summaries,
    type_files,
)
from gustbed_twin.utility.machine import make_machine
from gustbed_twin.utility.steady import steady_curve

OURS = next(path for path in type_files() if path.stem == "nrel_5mw")


def changed(folder: Path, change: Callable[[dict], object], name: str = "mine") -> Path:
    data = yaml.safe_load(OURS.read_text(encoding="utf-8"))
    change(data)
    (folder / "nrel_5mw_rotor.txt").write_text(
        (OURS.parent / "nrel_5mw_rotor.txt").read_text(encoding="utf-8"), encoding="utf-8"
    )
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    return path


def test_a_user_adds_a_type_by_adding_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def smaller(data: dict) -> None:
        data["name"], data["limits"]["rated_power_kw"] = "mine", 4000.0

    changed(tmp_path, smaller)
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    assert {"mini", "nrel_5mw", "mine"} == {row["name"] for row in summaries()}
    [point] = steady_curve(load_utility_type("mine"), [15.0])
    assert point.power_kw == pytest.approx(4000.0, rel=0.01)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (lambda d: d["drivetrain"].update(stiffness_nm_rad="stiff"), "drivetrain.stiffness_nm_rad"),
        (lambda d: d["drivetrain"].pop("gearbox_ratio"), "gearbox_ratio"),
        (lambda d: d["pitch_control"].update(kq=1.0), "kq"),
        (lambda d: d["limits"].update(cut_in_ms=30.0), "limits.cut_in_ms"),
        (lambda d: d["geometry"].update(hub_height_m=-1.0), "geometry.hub_height_m"),
        (lambda d: d["sensors"][3].update(rate_hz=7), "sensors[3].rate_hz"),
        (lambda d: d["sensors"][0].update(name=d["sensors"][1]["name"]), "wind_direction"),
        (lambda d: d.update(model="magic"), "magic"),
        (lambda d: d.update(folder="/"), "folder"),
    ],
)
def test_a_wrong_file_gets_one_line_that_names_file_and_key(
    tmp_path: Path, change: Callable[[dict], object], key: str
) -> None:
    path = changed(tmp_path, change)
    with pytest.raises(GustbedError) as caught:
        read_type(path)
    text = str(caught.value)
    assert str(path) in text
    assert key in text
    assert "\n" not in text


def test_a_sensor_of_nothing_is_named(tmp_path: Path) -> None:
    path = changed(tmp_path, lambda d: d["sensors"][2].update(of="vain"))
    kind = read_type(path)
    assert isinstance(kind, UtilityType)
    with pytest.raises(GustbedError, match=r"sensors\[2\].of: no quantity 'vain'"):
        make_machine(kind)


def test_a_missing_or_broken_table_is_named(tmp_path: Path) -> None:
    path = changed(tmp_path, lambda d: d["rotor"].update(table="none.txt"))
    kind = read_type(path)
    assert isinstance(kind, UtilityType)
    with pytest.raises(GustbedError, match=r"none.txt: No such file"):
        make_machine(kind)
    (tmp_path / "none.txt").write_text("1 2\n\n3\n", encoding="utf-8")
    with pytest.raises(GustbedError, match=r"none\.txt"):
        make_machine(kind)


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

"""A turbine type is one file, read strictly."""

from pathlib import Path

import pytest

from gustbed_core.errors import GustbedError
from gustbed_core.turbine_types import from_signals, known_types, load_type, load_types, read_type

PUMP = """\
name: pump
title: Water pump
rate_hz: 4
channels:
  - {name: warmth, unit: degC, label: oil, low: 0, high: 100}
  - {name: flow, unit: l/min}
features: [{name: warmth}]
violations: {overheating: [warmth]}
"""


def test_gustbeds_own_types_are_what_they_always_were() -> None:
    types = load_types()
    assert sorted(types) == known_types() == ["mini", "nrel_5mw"]
    mini, nrel = types["mini"].schema, types["nrel_5mw"].schema
    assert (mini.window, mini.step, mini.settle_s) == (100, 10, 25.0)
    assert mini.channel_names == ("rps", "wind_speed_rps", "voltage", "qw", "qx", "qy", "qz")
    assert mini.feature_names == ("roll", "pitch", "yaw", "wind_speed_rps", "rps", "voltage")
    assert (nrel.window, nrel.step, nrel.settle_s) == (400, 10, 600.0)
    assert (len(nrel.channels), len(nrel.features)) == (34, 33)
    assert nrel.aftermath == {"status": (3.0, 5.0)}


def test_no_compass_direction_is_a_feature_of_a_utility_machine() -> None:
    features = load_type("nrel_5mw").schema.features
    compass = {"wind_direction", "nacelle_direction"}
    assert not [f.name for f in features if f.op == "value" and set(f.channels) & compass]


def test_a_user_adds_a_type_by_adding_a_file(tmp_path: Path) -> None:
    (tmp_path / "pump.yaml").write_text(PUMP)
    assert known_types(tmp_path) == ["mini", "nrel_5mw", "pump"]
    pump = load_type("pump", tmp_path)
    assert (pump.label, pump.model_name, pump.labels) == ("Water pump", "pump", {"warmth": "oil"})
    assert pump.channel_names == ("warmth", "flow")
    assert pump.schema.channel_names == ("warmth",)
    assert pump.schema.violations == {"overheating": ("warmth",)}
    assert [(a.name, a.op) for a in pump.aggregates] == [("warmth", "mean"), ("flow", "mean")]
    assert (pump.unit("flow"), pump.unit("gossip")) == ("l/min", "")


def test_a_users_file_replaces_one_of_ours_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "mini.yaml").write_text(PUMP.replace("name: pump", "name: mini"))
    assert load_types(tmp_path)["mini"].title == "Water pump"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("rate_hz: 4", "rate_hz: 0", "rate_hz"),
        ("title: Water pump", "titel: Water pump", "titel"),
        ("name: flow", "name: warmth", "'warmth' is there twice"),
        ("low: 0", "low: 200", r"channels\[0\].low"),
        ("[{name: warmth}]", "[{name: warmth, of: [heat]}]", "no channel 'heat'"),
        ("{overheating: [warmth]}", "{overheating: [heat]}", "no feature 'heat'"),
        ("{overheating: [warmth]}", "{Over heating: [warmth]}", "violations"),
        ("rate_hz: 4", "rate_hz: 4\ncard: [{channel: x, title: X}]", "card: no channel 'x'"),
        ("rate_hz: 4", "rate_hz: 4\naggregates: {a: {of: [x]}}", "aggregates.a: no channel 'x'"),
        ("rate_hz: 4", "rate_hz: 4\nname: b", "'name' is there twice"),
    ],
)
def test_a_wrong_file_is_named_with_its_key(tmp_path: Path, old: str, new: str, says: str) -> None:
    path = tmp_path / "pump.yaml"
    path.write_text(PUMP.replace(old, new))
    with pytest.raises(GustbedError, match=says) as caught:
        read_type(path)
    assert str(path) in caught.value.what


def test_a_file_must_bear_its_types_name(tmp_path: Path) -> None:
    (tmp_path / "motor.yaml").write_text(PUMP)
    with pytest.raises(GustbedError, match=r"name the file pump\.yaml"):
        load_types(tmp_path)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(GustbedError, match="GUSTBED_TYPES_DIR"):
        load_types(tmp_path / "none")


def test_a_type_without_a_file_is_what_its_model_says() -> None:
    schema = load_type("nrel_5mw").schema
    found = from_signals(schema)
    assert found.channel_names == schema.channel_names
    assert found.unit("rotor_speed") == "rpm"
    assert all(aggregate.op == "mean" for aggregate in found.aggregates)

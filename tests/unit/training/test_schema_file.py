"""Schemas are read strictly, and what is left out is filled in."""

from pathlib import Path

import pytest

from gustbed_core.channels import CHANNELS
from gustbed_core.errors import GustbedError
from gustbed_core.features import FEATURES, FEATURES_OF
from gustbed_core.package import Decision
from gustbed_core.violations import Violation
from gustbed_training.data.schema_file import (
    known_types,
    load_schema,
    schema_from_json,
    schema_from_yaml,
    schema_to_json,
)

SMALL = "turbine_type: pump\nsample_rate_hz: 4\nchannels: {warmth: degC, flow: l/min}\n"


def test_the_miniature_is_what_it_always_was() -> None:
    mini = load_schema("mini")
    assert (mini.window, mini.step, mini.sample_rate_hz, mini.settle_s) == (100, 10, 20.0, 25.0)
    assert mini.features == FEATURES
    assert mini.violations == FEATURES_OF
    units = {channel.name: channel.unit for channel in CHANNELS}
    assert all(channel.unit == units[channel.name] for channel in mini.channels)


@pytest.mark.parametrize("name", known_types())
def test_a_schema_survives_being_put_in_a_card(name: str) -> None:
    schema = load_schema(name)
    assert schema_from_json(schema_to_json(schema)) == schema


def test_no_compass_direction_is_a_feature_of_a_utility_machine() -> None:
    features = load_schema("nrel_5mw").features
    compass = {"wind_direction", "nacelle_direction"}
    assert not [f.name for f in features if f.op == "value" and set(f.channels) & compass]


def test_what_is_left_out_is_filled_in() -> None:
    schema = schema_from_yaml(SMALL.encode(), "pump.yaml")
    assert schema.feature_names == ("warmth", "flow")
    assert [feature.unit for feature in schema.features] == ["degC", "l/min"]
    assert schema.violations == {Violation.SENSOR: ("warmth", "flow")}
    assert (schema.window, schema.step) == (32, 2)
    assert schema.decision == Decision()
    slow = schema_from_yaml(SMALL.replace("4", "1").encode(), "pump.yaml")
    assert slow.step == 1


def test_features_that_speak_for_nothing_speak_for_sensors() -> None:
    text = SMALL + "violations: {thermal: [warmth]}\nwindow_s: 5\nstep_s: 1\n"
    schema = schema_from_yaml(text.encode(), "pump.yaml")
    assert schema.violations == {Violation.THERMAL: ("warmth",), Violation.SENSOR: ("flow",)}
    assert (schema.window, schema.step) == (20, 4)


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ("windows: 10\n", "unknown field `windows`"),
        ("aftermath: {mode: [5]}\n", "aftermath: no channel 'mode'"),
        ("window: 10\nwindow_s: 3\n", "window and window_s: give one"),
        ("window: 1\n", "a window of 1 samples"),
        ("step: 0\n", "step"),
        ("features: [{name: heat}]\n", "feature 'heat': no channel 'heat'"),
        ("features: [{name: warmth, op: difference}]\n", "'difference' of 1 channels"),
        ("features: [{name: flow}, {name: flow}]\n", "features: 'flow' is there twice"),
        ("violations: {thermal: [heat]}\n", "violations.thermal: no feature 'heat'"),
        ("violations: {hunger: [flow]}\n", "violations"),
        ("drivers: {flow: [heat]}\n", "drivers.flow: no feature 'heat'"),
        ("decision: {open_after: 0}\n", "decision.open_after"),
        ("turbine_type: b\n", "line 4: 'turbine_type' is there twice"),
        ("channels: [flow]\n", "'channels' is there twice"),
        ("window: [\n", "line"),
    ],
)
def test_what_is_wrong_is_named_by_file_and_key(extra: str, words: str) -> None:
    with pytest.raises(GustbedError) as caught:
        schema_from_yaml((SMALL + extra).encode(), "pump.yaml")
    assert str(caught.value).startswith("pump.yaml:")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_type_names_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(GustbedError, match="mini, nrel_5mw"):
        load_schema("windmill")
    with pytest.raises(GustbedError, match="No such file"):
        load_schema(tmp_path / "windmill.yaml")
    (tmp_path / "pump.yaml").write_text(SMALL)
    assert load_schema(tmp_path / "pump.yaml").turbine_type == "pump"

"""Schemas are read strictly, and what is left out is filled in."""

import pytest

from gustbed_core.errors import GustbedError
from gustbed_core.event_kinds import SENSOR, THERMAL
from gustbed_core.signals import Decision
from gustbed_core.turbine_types import known_types, load_type
from gustbed_core.type_file import schema_from_json, schema_from_yaml, schema_to_json

SMALL = "turbine_type: pump\nsample_rate_hz: 4\nchannels: {warmth: degC, flow: l/min}\n"


@pytest.mark.parametrize("name", known_types())
def test_a_schema_survives_being_put_in_a_card(name: str) -> None:
    schema = load_type(name).schema
    assert schema_from_json(schema_to_json(schema)) == schema


def test_what_is_left_out_is_filled_in() -> None:
    schema = schema_from_yaml(SMALL.encode(), "pump.yaml")
    assert schema.feature_names == ("warmth", "flow")
    assert [feature.unit for feature in schema.features] == ["degC", "l/min"]
    assert schema.violations == {SENSOR: ("warmth", "flow")}
    assert (schema.window, schema.step) == (32, 2)
    assert schema.decision == Decision()
    slow = schema_from_yaml(SMALL.replace("4", "1").encode(), "pump.yaml")
    assert slow.step == 1


def test_features_that_speak_for_nothing_speak_for_sensors() -> None:
    text = SMALL + "violations: {thermal: [warmth]}\nwindow_s: 5\nstep_s: 1\n"
    schema = schema_from_yaml(text.encode(), "pump.yaml")
    assert schema.violations == {THERMAL: ("warmth",), SENSOR: ("flow",)}
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
        ("violations: {Hunger: [flow]}\n", "violations"),
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

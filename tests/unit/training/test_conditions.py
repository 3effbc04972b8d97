"""Machines and sensors that differ: what is changed, and that nothing else is."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from gustbed_core.errors import GustbedError
from gustbed_core.turbine_types import Individuals, load_type
from gustbed_training.data.conditions import Condition, write_type
from gustbed_training.data.individuals import Sensing, as_individual, sensed, tilted
from gustbed_training.data.reality import CONDITIONS

MINI = load_type("mini")


def test_every_condition_is_of_constants_and_channels_that_the_type_has(tmp_path: Path) -> None:
    for name, model in (("mini", "miniature"), ("nrel_5mw", "variable_speed")):
        turbine_type = load_type(name)
        for condition in CONDITIONS[model]:
            write_type(condition, turbine_type, tmp_path)
            sensing = condition.sensing
            named = {*sensing.gains, *sensing.offsets, *sensing.noise}
            assert named <= set(turbine_type.schema.channel_names)
    assert sum(map(len, CONDITIONS.values())) >= 25


def test_a_machine_is_written_as_a_type_of_its_own(tmp_path: Path) -> None:
    path = write_type(Condition("x", {"machine.lift": 1.1}), MINI, tmp_path)
    content = yaml.safe_load(path.read_text())
    assert content["physics"]["machine"]["lift"] == pytest.approx(0.95 * 1.1)
    assert load_type(str(path)).schema == MINI.schema
    with pytest.raises(GustbedError, match=r"no constant physics\.machine\.lft"):
        write_type(Condition("x", {"machine.lft": 1.1}), MINI, tmp_path)


def test_sensors_are_changed_in_a_copy() -> None:
    rows = len(MINI.schema.channel_names)
    values = np.ones((rows, 50), dtype=np.float32)
    volts = MINI.schema.channel_names.index("voltage")
    sensing = Sensing({"voltage": 1.5}, {"voltage": 2.0})
    changed = sensed(values, MINI.schema, sensing, ())
    assert (changed[volts] == 3.5).all()
    assert (np.delete(changed, volts, 0) == 1).all()
    assert (values == 1).all()
    np.testing.assert_array_equal(sensed(values, MINI.schema, Sensing(), ()), values)


def test_a_mounting_out_of_true_turns_the_attitude_and_keeps_its_length() -> None:
    level = np.tile(np.array([[1.0], [0.0], [0.0], [0.0]], dtype=np.float32), 3)
    turned = tilted(level, np.radians(4.0), 0.0)
    np.testing.assert_allclose(turned[1], np.sin(np.radians(2.0)), rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(turned, axis=0), 1.0, rtol=1e-6)


def test_a_turbines_sensors_are_its_own_and_always_the_same() -> None:
    how = replace_individuals(gains={"voltage": 0.1})
    values = np.ones((len(MINI.schema.channel_names), 5), dtype=np.float32)
    volts = MINI.schema.channel_names.index("voltage")
    one, again, other = (
        as_individual(values, MINI.schema, how, name)[volts, 0] for name in ("wt01", "wt01", "wt02")
    )
    assert one == again != other
    assert 0.9 <= one <= 1.1


def test_a_turbines_sensors_may_be_noisier_than_the_types() -> None:
    values = np.zeros((len(MINI.schema.channel_names), 4000), dtype=np.float32)
    values[:] = np.arange(4000)
    volts = MINI.schema.channel_names.index("voltage")
    how = Individuals(noise={"voltage": 3.0})
    found = [
        float((as_individual(values, MINI.schema, how, name) - values)[volts].std())
        for name in ("wt01", "wt02", "wt03")
    ]
    assert len(set(found)) == 3
    assert 0 < min(found) < max(found) < 3.1


def test_a_slow_channel_is_noisy_once_a_reading() -> None:
    values = np.zeros((len(MINI.schema.channel_names), 65), dtype=np.float32)
    volts, wind = (MINI.schema.channel_names.index(n) for n in ("voltage", "wind_speed_rps"))
    # One reading in twenty samples, the first of which began before the recording.
    values[volts] = np.repeat([1.0, 2.0, 4.0, 4.0], 20)[15:]
    values[wind] = np.arange(65)
    noise = {"voltage": 1.0, "wind_speed_rps": 1.0}
    noisy = sensed(values, MINI.schema, Sensing(noise=noise), ()) - values
    assert np.flatnonzero(np.diff(noisy[volts])).tolist() == [4, 24, 44]
    assert (np.diff(noisy[wind]) != 0).all()


def replace_individuals(gains: dict[str, float]) -> Individuals:
    """Only gains."""
    return Individuals(gains=gains)


def test_weather_alone_is_no_machine_that_differs() -> None:
    assert not Condition("wind", wind=4.5).machine_differs
    assert Condition("lift", {"machine.lift": 1.1}).machine_differs
    assert replace(Condition("x"), sensing=Sensing(tilt=(1.0, 0.0))).machine_differs

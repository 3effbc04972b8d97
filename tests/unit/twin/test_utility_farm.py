"""A utility-scale farm: its states, commands, faults and sensors follow from the physics."""

import numpy as np
import pytest

from gustbed_twin.farms.variable_speed import VariableSpeedFarm
from gustbed_twin.records import Mode, Trip, WakeTable
from gustbed_twin.turbine.model import TurbineModel
from gustbed_twin.wind.request import Event
from gustbed_twin.wind.site import Conditions, extreme_gust
from tests.unit.twin.utility import CALM, channel, seconds


def test_a_standing_machine_starts_and_reaches_its_power(machine: TurbineModel) -> None:
    farm = VariableSpeedFarm(machine, 1, range(1), CALM, standing=True)
    assert farm.modes() == [Mode.WAITING]
    seconds(farm, 5)
    assert farm.modes() == [Mode.STARTING]
    seconds(farm, 600)
    assert farm.modes() == [Mode.RUNNING]
    assert farm.truth("active_power")[0] > 2000.0


def test_it_starts_in_every_wind_without_tripping(machine: TurbineModel) -> None:
    winds = np.array([3.3, 4.0, 6.0, 9.0, 12.0, 15.0, 18.0, 21.0, 24.0])
    farm = VariableSpeedFarm(machine, 1, range(len(winds)), Conditions(mean=1.0, turbulence=0.1),
                       exposure=winds, standing=True)  # fmt: skip
    fastest = np.zeros(len(winds))
    for _ in range(600):
        seconds(farm, 1)
        fastest = np.maximum(fastest, farm.truth("rotor_speed"))
    assert set(farm.modes()) == {Mode.RUNNING}
    assert fastest.max() < 12.1 * 1.15


def test_it_stops_in_a_storm_and_restarts_only_well_below_cut_out(machine: TurbineModel) -> None:
    events = (Event(30.0, "ramp", 7.0, 20.0), Event(500.0, "ramp", -4.0, 20.0),
              Event(900.0, "ramp", -6.0, 20.0))  # fmt: skip
    conditions = Conditions(mean=20.0, turbulence=0.0, shear=0.0, events=events)
    farm = VariableSpeedFarm(machine, 1, range(1), conditions)
    seconds(farm, 400)
    assert farm.modes() == [Mode.WAITING]
    seconds(farm, 450)
    assert farm.modes() == [Mode.WAITING]  # 23 m/s: below cut-out, above restart
    seconds(farm, 600)
    assert farm.modes() == [Mode.RUNNING]


def test_commands_are_acted_on_by_the_physics(farm: VariableSpeedFarm) -> None:
    assert farm.control(0, "stop") == ""
    assert farm.control(1, "curtail", 1500.0) == ""
    assert farm.control(2, "yaw_offset", 20.0) == ""
    seconds(farm, 400)
    assert farm.modes() == [Mode.STOPPED, Mode.RUNNING, Mode.RUNNING]
    power = farm.truth("active_power")
    assert power[0] == 0.0
    assert power[1] == pytest.approx(1500.0, rel=0.02)
    off = (farm.truth("wind_direction") - farm.truth("nacelle_direction"))[2]
    assert 10.0 < off < 30.0
    assert farm.control(0, "start") == ""
    assert farm.control(1, "curtail", 0.0) == ""
    seconds(farm, 600)
    assert farm.modes() == [Mode.RUNNING] * 3
    assert farm.truth("active_power")[1] > 2000.0


def test_a_pitch_offset_costs_power(farm: VariableSpeedFarm) -> None:
    farm.control(0, "pitch_offset", 5.0)
    seconds(farm, 300)
    power = farm.truth("active_power")
    assert power[0] < 0.97 * power[1]
    assert farm.truth("pitch")[0] >= 5.0


def test_a_trip_stays_until_reset(farm: VariableSpeedFarm) -> None:
    farm.inject(0, "converter_trip", 1.0, 0.0)
    seconds(farm, 300)
    assert farm.modes()[0] is Mode.TRIPPED
    assert farm.trips()[0] is Trip.CONVERTER
    farm.control(0, "reset")
    seconds(farm, 5)
    assert farm.modes()[0] is Mode.TRIPPED  # the cause is still there
    farm.clear(0, "converter_trip", 0.0)
    farm.control(0, "reset")
    seconds(farm, 600)
    assert farm.modes()[0] is Mode.RUNNING


@pytest.mark.parametrize(
    ("action", "value"),
    [("curtail", -1.0), ("curtail", None), ("yaw_offset", 90.0), ("dance", 1.0)],
)
def test_commands_out_of_range_are_refused_with_a_reason(
    farm: VariableSpeedFarm, action: str, value: float | None
) -> None:
    before = farm.turbines.state.tobytes()
    assert farm.control(0, action, value)
    assert farm.turbines.state.tobytes() == before


def test_readings_have_the_sensors_resolution_range_and_rate(farm: VariableSpeedFarm) -> None:
    values = seconds(farm, 10)
    assert values.shape == (3, len(farm.model.channels), 200)
    for index, sensor in enumerate(farm.turbine_type.channels):
        row = values[0, index]
        assert np.allclose(np.rint(row / sensor.step) * sensor.step, row)
        assert sensor.low <= row.min() <= row.max() <= sensor.high
        if sensor.rate_hz == 1:
            assert (row.reshape(10, 20) == row.reshape(10, 20)[:, :1]).all()


def test_a_stuck_sensor_repeats_and_a_dropped_one_falls_to_its_low_end(
    farm: VariableSpeedFarm,
) -> None:
    seconds(farm, 3)
    farm.inject(0, "sensor_stuck", 1.0, 0.0, "wind_speed")
    farm.inject(1, "sensor_dropout", 1.0, 0.0, "wind_speed")
    row = channel(farm, "wind_speed")
    values = seconds(farm, 20)
    assert len(set(values[0, row])) == 1
    assert (values[1, row] == 0.0).all()
    assert len(set(values[2, row])) > 50


def test_several_faults_run_at_once_and_end(farm: VariableSpeedFarm) -> None:
    seconds(farm, 2)
    farm.inject(0, "icing", 1.0, 10.0)
    farm.inject(0, "sensor_drift", 0.5, 0.0, "wind_speed")
    seconds(farm, 20)
    active = farm.severities(farm.sample - 1, 1)[0, :, 0]
    assert sorted(active[active > 0]) == [0.5, 1.0]
    farm.clear(0, None, 0.0)
    seconds(farm, 2)
    assert not farm.severities(farm.sample - 1, 1).any()


def test_an_extreme_gust_rises_as_iec_says(machine: TurbineModel) -> None:
    conditions = Conditions(mean=12.0, turbulence=0.12, shear=0.0, direction_spread=0.0)
    size = extreme_gust(12.0, 0.12)
    assert size == pytest.approx(min(1.35 * (56.0 - 12.0), 3.3 * 1.44 / 1.3))
    still = Conditions(mean=12.0, turbulence=0.0, shear=0.0, events=(Event(5.0, "eog", size),))
    farm = VariableSpeedFarm(machine, 1, range(1), still)
    row = seconds(farm, 20)[0, channel(farm, "wind_speed")]
    assert row.max() == pytest.approx(12.0 + 0.74 * size, abs=0.3)
    assert row.min() < 12.0 - 0.2 * size
    assert conditions.events == ()


def test_wakes_shelter_the_turbines_behind(machine: TurbineModel) -> None:
    wakes = np.ones((4, 2, 3))
    wakes[3, :, 1] = 0.7  # from 270 degrees
    conditions = Conditions(mean=8.0, turbulence=0.0, direction_spread=0.0)
    farm = VariableSpeedFarm(machine, 1, range(3), conditions, wakes=WakeTable(wakes, 3.0, 22.0))
    seconds(farm, 600)
    power = farm.truth("active_power")
    assert power[1] == pytest.approx(power[0] * 0.7**3, rel=0.06)
    assert power[0] == pytest.approx(power[2])

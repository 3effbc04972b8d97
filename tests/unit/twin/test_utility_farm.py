"""A utility-scale farm: states, commands, sensors, scenarios, checkpoints, what-if, delivery."""

from pathlib import Path

import numpy as np
import pytest

from gustbed_protocol.codec import Encoding, encode
from gustbed_protocol.commands import Command
from gustbed_protocol.errors import GustbedError, PayloadError
from gustbed_protocol.settings import SiteSettings
from gustbed_protocol.shadow import Desired
from gustbed_protocol.telemetry import (
    Samples,
    block_from_samples,
    decode_block,
    decode_typed_block,
)
from gustbed_protocol.violations import Violation
from gustbed_twin.commands import CommandDesk
from gustbed_twin.delivery import Delays, Delivery
from gustbed_twin.make import make_source
from gustbed_twin.pacing import Clocks, Pacer
from gustbed_twin.settings import TwinSettings
from gustbed_twin.shards import parse_shard, shard_of
from gustbed_twin.turbine_types import UtilityType, load_utility_type
from gustbed_twin.utility.assembly import Plan, assemble
from gustbed_twin.utility.checkpoint import load_farm, load_since, save_farm
from gustbed_twin.utility.farm import UtilityFarm
from gustbed_twin.utility.layouts import grid_for, read_layout
from gustbed_twin.utility.machine import Machine, make_machine
from gustbed_twin.utility.names import Mode, Trip
from gustbed_twin.utility.scenario import changes_of, read_utility_scenario
from gustbed_twin.utility.site import Conditions, Event, extreme_gust
from gustbed_twin.utility.source import UtilitySource
from gustbed_twin.utility.whatif import WhatIf, parse_change, what_if

IDS = ("wt01", "wt02", "wt03")
CALM = Conditions(mean=10.0, turbulence=0.05)


@pytest.fixture(scope="module")
def kind() -> UtilityType:
    return load_utility_type("nrel_5mw")


@pytest.fixture(scope="module")
def machine(kind: UtilityType) -> Machine:
    return make_machine(kind)


@pytest.fixture
def farm(machine: Machine) -> UtilityFarm:
    return UtilityFarm(machine, 1, range(3), CALM)


def seconds(farm: UtilityFarm, count: float) -> np.ndarray:
    return farm.advance(round(count * farm.rate_hz))


def channel(farm: UtilityFarm, name: str) -> int:
    return farm.machine.channels.index(name)


def test_a_standing_machine_starts_and_reaches_its_power(machine: Machine) -> None:
    farm = UtilityFarm(machine, 1, range(1), CALM, standing=True)
    assert farm.modes() == [Mode.WAITING]
    seconds(farm, 5)
    assert farm.modes() == [Mode.STARTING]
    seconds(farm, 600)
    assert farm.modes() == [Mode.RUNNING]
    assert farm.truth("active_power")[0] > 2000.0


def test_it_starts_in_every_wind_without_tripping(machine: Machine) -> None:
    winds = np.array([3.3, 4.0, 6.0, 9.0, 12.0, 15.0, 18.0, 21.0, 24.0])
    farm = UtilityFarm(machine, 1, range(len(winds)), Conditions(mean=1.0, turbulence=0.1),
                       exposure=winds, standing=True)  # fmt: skip
    fastest = np.zeros(len(winds))
    for _ in range(600):
        seconds(farm, 1)
        fastest = np.maximum(fastest, farm.truth("rotor_speed"))
    assert set(farm.modes()) == {Mode.RUNNING}
    assert fastest.max() < 12.1 * 1.15


def test_it_stops_in_a_storm_and_restarts_only_well_below_cut_out(machine: Machine) -> None:
    events = (Event(30.0, "ramp", 7.0, 20.0), Event(500.0, "ramp", -4.0, 20.0),
              Event(900.0, "ramp", -6.0, 20.0))  # fmt: skip
    conditions = Conditions(mean=20.0, turbulence=0.0, shear=0.0, events=events)
    farm = UtilityFarm(machine, 1, range(1), conditions)
    seconds(farm, 400)
    assert farm.modes() == [Mode.WAITING]
    seconds(farm, 450)
    assert farm.modes() == [Mode.WAITING]  # 23 m/s: below cut-out, above restart
    seconds(farm, 600)
    assert farm.modes() == [Mode.RUNNING]


def test_commands_are_acted_on_by_the_physics(farm: UtilityFarm) -> None:
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


def test_a_pitch_offset_costs_power(farm: UtilityFarm) -> None:
    farm.control(0, "pitch_offset", 5.0)
    seconds(farm, 300)
    power = farm.truth("active_power")
    assert power[0] < 0.97 * power[1]
    assert farm.truth("pitch")[0] >= 5.0


def test_a_trip_stays_until_reset(farm: UtilityFarm) -> None:
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
    farm: UtilityFarm, action: str, value: float | None
) -> None:
    before = farm.arrays.state.tobytes()
    assert farm.control(0, action, value)
    assert farm.arrays.state.tobytes() == before


def test_readings_have_the_sensors_resolution_range_and_rate(farm: UtilityFarm) -> None:
    values = seconds(farm, 10)
    assert values.shape == (3, len(farm.machine.channels), 200)
    for index, sensor in enumerate(farm.machine.kind.sensors):
        row = values[0, index]
        assert np.allclose(np.rint(row / sensor.step) * sensor.step, row)
        assert sensor.low <= row.min() <= row.max() <= sensor.high
        if sensor.rate_hz == 1:
            assert (row.reshape(10, 20) == row.reshape(10, 20)[:, :1]).all()


def test_a_stuck_sensor_repeats_and_a_dropped_one_falls_to_its_low_end(farm: UtilityFarm) -> None:
    seconds(farm, 3)
    farm.inject(0, "sensor_stuck", 1.0, 0.0, "wind_speed")
    farm.inject(1, "sensor_dropout", 1.0, 0.0, "wind_speed")
    row = channel(farm, "wind_speed")
    values = seconds(farm, 20)
    assert len(set(values[0, row])) == 1
    assert (values[1, row] == 0.0).all()
    assert len(set(values[2, row])) > 50


def test_several_faults_run_at_once_and_end(farm: UtilityFarm) -> None:
    seconds(farm, 2)
    farm.inject(0, "icing", 1.0, 10.0)
    farm.inject(0, "sensor_drift", 0.5, 0.0, "wind_speed")
    seconds(farm, 20)
    active = farm.severities(farm.sample - 1, 1)[0, :, 0]
    assert sorted(active[active > 0]) == [0.5, 1.0]
    farm.clear(0, None, 0.0)
    seconds(farm, 2)
    assert not farm.severities(farm.sample - 1, 1).any()


def test_an_extreme_gust_rises_as_iec_says(machine: Machine) -> None:
    conditions = Conditions(mean=12.0, turbulence=0.12, shear=0.0, direction_spread=0.0)
    size = extreme_gust(12.0, 0.12)
    assert size == pytest.approx(min(1.35 * (56.0 - 12.0), 3.3 * 1.44 / 1.3))
    still = Conditions(mean=12.0, turbulence=0.0, shear=0.0, events=(Event(5.0, "eog", size),))
    farm = UtilityFarm(machine, 1, range(1), still)
    row = seconds(farm, 20)[0, channel(farm, "wind_speed")]
    assert row.max() == pytest.approx(12.0 + 0.74 * size, abs=0.3)
    assert row.min() < 12.0 - 0.2 * size
    assert conditions.events == ()


def test_wakes_shelter_the_turbines_behind(machine: Machine) -> None:
    wakes = np.ones((4, 2, 3))
    wakes[3, :, 1] = 0.7  # from 270 degrees
    conditions = Conditions(mean=8.0, turbulence=0.0, direction_spread=0.0)
    farm = UtilityFarm(machine, 1, range(3), conditions, wakes=wakes, wake_axes=(3.0, 22.0))
    seconds(farm, 600)
    power = farm.truth("active_power")
    assert power[1] == pytest.approx(power[0] * 0.7**3, rel=0.06)
    assert power[0] == pytest.approx(power[2])


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


def test_a_checkpoint_brings_everything_back(farm: UtilityFarm, tmp_path: Path) -> None:
    farm.inject(1, "gearbox_bearing", 0.8, 60.0)
    farm.inject(1, "sensor_stuck", 1.0, 0.0, "pitch")
    farm.control(2, "curtail", 900.0)
    seconds(farm, 33.3)
    path = tmp_path / "deep" / "farm.npz"
    save_farm(farm, path)
    again = load_farm(path)
    assert again.advance(777).tobytes() == farm.advance(777).tobytes()
    assert again.arrays.state.tobytes() == farm.arrays.state.tobytes()
    assert [each.name for each in path.parent.iterdir()] == ["farm.npz"]


@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04broken"])
def test_a_broken_checkpoint_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "farm.npz"
    path.write_bytes(content)
    with pytest.raises(GustbedError, match=r"farm.npz: not a checkpoint"):
        load_farm(path)


def test_what_if_leaves_the_running_farm_alone(farm: UtilityFarm) -> None:
    seconds(farm, 30)
    twin = farm.fork()
    changes = tuple(parse_change(t, farm) for t in ("wt01:stop", "wt02:curtail=1000"))
    answer = what_if(farm, WhatIf(600.0, wind_ms=12.0, changes=changes))
    assert [each.mode for each in answer.after] == ["stopped", "running", "running"]
    assert answer.after[1].mean_power_kw < 1100.0
    assert answer.after[2].mean_power_kw > answer.before[2].mean_power_kw
    assert seconds(farm, 5).tobytes() == seconds(twin, 5).tobytes()


@pytest.mark.parametrize(
    "text",
    ["wt09:stop", "wt01", "wt01:curtail", "wt01:icing=3", "wt01:gremlins", "wt01:sensor_drift"],
)
def test_what_if_refuses_what_it_does_not_know(farm: UtilityFarm, text: str) -> None:
    with pytest.raises(GustbedError) as caught:
        parse_change(text, farm)
    assert text in str(caught.value)


def test_shards_cover_the_farm_once() -> None:
    numbers = [n for part in range(1, 8) for n in shard_of(100, (part, 7))]
    assert numbers == list(range(100))
    for text in ("0/4", "5/4", "x", "1/", ""):
        with pytest.raises(GustbedError, match="--shard"):
            parse_shard("--shard", text)


@pytest.fixture
def source(kind: UtilityType) -> UtilitySource:
    return UtilitySource(assemble(Plan(kind, 3, conditions=CALM)), IDS, 10)


def test_commands_over_the_desk_are_answered(source: UtilitySource) -> None:
    desk = CommandDesk(source, IDS)
    for command, accepted in (
        (Command("stop", id="1"), True),
        (Command("curtail", value=2000.0, id="2"), True),
        (Command("curtail", id="3"), False),
        (Command("yaw_offset", value=99.0, id="4"), False),
        (Command("inject", fault="icing", severity=0.5, id="5"), True),
        (Command("inject", fault="gremlins", id="6"), False),
        (Command("inject", fault="sensor_drift", signal="pitch", id="7"), True),
        (Command("inject", Violation.VOLTAGE, id="8"), True),
        (Command("clear", id="9"), True),
        (Command("reset", id="10"), True),
    ):
        ack = desk.handle(0, encode(command))
        assert ack is not None
        assert ack.accepted is accepted, ack
        assert bool(ack.reason) is not accepted


def test_desired_state_is_taken_and_reported(source: UtilitySource) -> None:
    assert {report.mode for report in source.changed_reports()} == {"running"}
    assert source.changed_reports() == []
    source.want(1, Desired(run=False, power_limit_kw=1200.0, yaw_offset_deg=80.0, version=7))
    for _ in range(4):
        source.step()
    [report] = source.changed_reports()
    assert (report.turbine, report.run, report.power_limit_kw) == ("wt02", False, 1200.0)
    assert report.version == 7
    assert "yaw_offset 80" in report.reason


def test_ground_truth_says_what_is_wrong_and_since_when(source: UtilitySource) -> None:
    source.step()
    # All is well, and said so: a run before may have left another word retained.
    assert [(t.turbine, t.faults) for t in source.changed_truths(100.0)] == [
        (name, []) for name in IDS
    ]
    assert source.changed_truths(100.5) == []
    source.inject_named(2, "icing", 1.0, 0.0, "")
    source.inject_named(2, "sensor_drift", 0.5, 0.0, "pitch")
    for _ in range(4):
        source.step()
    [truth] = source.changed_truths(102.0)
    assert truth.turbine == "wt03"
    assert [(f.kind, f.severity, f.since) for f in truth.faults] == [
        ("icing", 1.0, 102.0),
        ("sensor_drift", 0.5, 102.0),
    ]
    assert truth.faults[1].signals == ["pitch"]
    source.clear_named(2, None, 0.0)
    for _ in range(4):
        source.step()
    [truth] = source.changed_truths(104.0)
    assert truth.faults == []


def test_a_resumed_farm_still_knows_since_when_its_faults_are_there(
    source: UtilitySource, kind: UtilityType, tmp_path: Path
) -> None:
    source.inject_named(2, "icing", 1.0, 0.0, "")
    source.step()
    source.changed_truths(100.0)
    source.snapshot()(tmp_path / "farm.npz")
    made = assemble(Plan(kind, 3, conditions=CALM)).resumed(load_farm(tmp_path / "farm.npz"))
    again = UtilitySource(made, IDS, 10, load_since(tmp_path / "farm.npz"))
    again.step()
    found = {t.turbine: [(f.kind, f.since) for f in t.faults] for t in again.changed_truths(900.0)}
    assert found == {IDS[0]: [], IDS[1]: [], IDS[2]: [("icing", 100.0)]}
    # A fault that comes back later is a new one.
    again.clear_named(2, None, 0.0)
    for _ in range(4):
        again.step()
    again.changed_truths(905.0)
    again.inject_named(2, "icing", 1.0, 0.0, "")
    for _ in range(4):
        again.step()
    [truth] = again.changed_truths(910.0)
    assert [(f.kind, f.since) for f in truth.faults] == [("icing", 910.0)]


@pytest.mark.parametrize("encoding", list(Encoding))
def test_blocks_of_other_types_travel_and_never_pass_as_miniatures(
    source: UtilitySource, encoding: Encoding
) -> None:
    step = source.step()
    sent = Samples("wt01", "boot", 3, 1.0, 0.05, step.values[0], step.type, step.names)
    payload = encode(block_from_samples(sent), encoding)
    got = decode_typed_block(payload)
    assert (got.type, got.names) == ("nrel_5mw", step.names)
    assert np.array_equal(got.values, sent.values)
    with pytest.raises(PayloadError) as caught:
        decode_block(payload)
    assert caught.value.reason == "other_type"


def test_late_blocks_come_out_of_order_and_none_is_lost_unless_asked() -> None:
    heard: list[int] = []

    def publish(_position: int, samples: Samples) -> bool:
        heard.append(samples.seq)
        return True

    delivery = Delivery(publish, Delays(late=0.2, late_blocks=3, twice=0.1), seed=1)
    for seq in range(300):
        delivery.next_round()
        values = np.zeros((18, 1))
        delivery.publish(0, Samples("wt01", "b", seq, 0.0, 0.05, values))
    for _ in range(3):
        delivery.next_round()
    assert set(heard) == set(range(300))
    assert len(heard) > 300
    assert heard != sorted(heard)


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
    start = farm.arrays.state["energy_generator"].copy()
    seconds(farm, 1800)
    made = farm.arrays.state["energy_generator"] - start
    assert made[1] / made[0] == pytest.approx(767.29 / 1753.95, rel=0.12)
    assert made[2] < made[1]
    assert len(list((tmp_path / "cache").iterdir())) == 1

    def never(*_: object) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr(wake, "effective_winds", never)
    again = assemble(plan).farm
    assert np.array_equal(again.wakes, farm.wakes)


@pytest.mark.parametrize(("speed", "until_due"), [(1.0, 0.5), (10.0, 0.05), (0.5, 1.0)])
def test_time_runs_at_any_speed(speed: float, until_due: float) -> None:
    pacer = Pacer(0.5, Clocks(lambda: 100.0, lambda: 1000.0), speed)
    assert pacer.wait() == pytest.approx(until_due)
    pacer.next()
    assert pacer.t0 == 1000.5
    assert pacer.wait() == pytest.approx(2 * until_due)
    assert pacer.settle() is None


@pytest.mark.parametrize("name", ["scenario", "layout"])
def test_the_mini_says_which_settings_are_not_for_it(tmp_path: Path, name: str) -> None:
    settings = TwinSettings(**{name: tmp_path / "x"})
    with pytest.raises(GustbedError, match=f"GUSTBED_TWIN_{name.upper()}: type mini takes none"):
        make_source(settings, SiteSettings(turbines=2))

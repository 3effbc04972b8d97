"""The simulated farm: same seed, same stream; normal figures near the reference record's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gustbed_core.event_kinds import INJECTABLE
from gustbed_twin.filters import Floats
from gustbed_twin.wind.miniature import WindConfig
from tests.unit.twin.miniatures import CHANNEL_INDEX, CHANNELS, FEATURE_NAMES, engineer, mini_farm

RATE = 20
HOUR = 3600 * RATE


def run(indices: list[int] | range, blocks: list[int], *, seed: int = 5) -> Floats:
    farm = mini_farm(seed, indices, WindConfig(), RATE)
    return np.concatenate([farm.advance(samples) for samples in blocks], axis=2)


def channel(values: Floats, name: str) -> Floats:
    column: Floats = values[:, CHANNEL_INDEX[name]]
    return column


@pytest.fixture(scope="module")
def hour() -> Floats:
    """An hour of six turbines in the default wind."""
    return mini_farm(11, range(6), WindConfig(), RATE).advance(HOUR)


def test_same_seed_same_stream_bit_for_bit() -> None:
    first, second = run(range(3), [10] * 50), run(range(3), [10] * 50)
    assert first.tobytes() == second.tobytes()


def test_another_seed_is_another_stream() -> None:
    assert not np.array_equal(run(range(3), [200]), run(range(3), [200], seed=6))


def test_turbines_differ_from_each_other() -> None:
    values = run(range(3), [2000])
    assert not np.array_equal(values[0, 0], values[1, 0])


@pytest.mark.parametrize("shard", [[0], [6], [2, 5], range(3, 7), range(40)])
def test_a_turbine_does_not_depend_on_the_others_or_the_shard(shard: list[int] | range) -> None:
    whole, part = run(range(7), [10] * 60), run(shard, [10] * 60)
    for position, index in enumerate(shard):
        if index < len(whole):
            assert part[position].tobytes() == whole[index].tobytes()


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 120), min_size=1, max_size=8))
def test_how_time_is_cut_into_blocks_changes_nothing(blocks: list[int]) -> None:
    assert run(range(2), blocks).tobytes() == run(range(2), [sum(blocks)]).tobytes()


def test_a_fault_on_one_turbine_leaves_the_others_bit_identical() -> None:
    sound, faulty = (mini_farm(5, range(3), WindConfig(), RATE) for _ in range(2))
    for kind in INJECTABLE:
        faulty.inject(1, kind, 1.0, 0.0)
    expected, values = sound.advance(400), faulty.advance(400)
    assert values[[0, 2]].tobytes() == expected[[0, 2]].tobytes()
    assert not np.array_equal(values[1], expected[1])


@pytest.mark.parametrize(
    ("name", "mean", "spread"),
    [("wind_speed_rps", 2.154, 0.354), ("rps", 1.611, 0.470), ("voltage", 47.8, 15.9)],
)
def test_figures_are_like_the_reference_record(
    hour: Floats, name: str, mean: float, spread: float
) -> None:
    values = channel(hour, name)
    assert values.mean() == pytest.approx(mean, rel=0.1)
    assert spread / 2.2 < values.std() < spread * 1.5


def test_attitude_is_like_the_reference_record(hour: Floats) -> None:
    windows = hour.reshape(6, len(CHANNELS), -1, 100).transpose(0, 2, 1, 3)
    features = engineer(windows.reshape(-1, len(CHANNELS), 100))
    for name in ("roll", "pitch"):
        values = features[:, FEATURE_NAMES.index(name)]
        assert abs(values.mean()) < 0.02
        assert 0.0043 < values.std() < 0.0165
    assert features[:, FEATURE_NAMES.index("yaw")].std() < 0.02


@pytest.mark.parametrize("mean", [1.4, 2.15, 3.0])
def test_a_sound_rotor_never_stops_nor_runs_away(mean: float) -> None:
    values = mini_farm(3, range(4), WindConfig(mean), RATE).advance(HOUR)
    rotor = channel(values, "rps")
    assert rotor.min() > 0
    assert rotor.max() < 2.2 * rotor.mean()


def test_turbines_share_part_of_the_wind(hour: Floats) -> None:
    together = np.asarray(np.corrcoef(channel(hour, "wind_speed_rps")))
    others = together[~np.eye(6, dtype=bool)]
    assert others.min() > 0.2
    assert others.max() < 0.9


def test_turbulence_changes_the_spread_of_the_wind() -> None:
    calm, rough = (
        channel(
            mini_farm(3, range(4), WindConfig(2.15, t), RATE).advance(HOUR // 2), "wind_speed_rps"
        )
        for t in (0.05, 0.25)
    )
    assert rough.std() > 2 * calm.std()


def test_channels_have_the_sensors_resolution(hour: Floats) -> None:
    steps = {"rps": 1 / 16, "wind_speed_rps": 1 / 16, "voltage": 1, "ax": 1, "qw": 1 / 16384}
    for name, step in steps.items():
        counts = channel(hour, name) / step
        assert np.array_equal(counts, np.rint(counts)), name
    for name in ("gearboxtemp", "ambtemp", "humidity", "pressure", "gas"):
        assert np.array_equal(channel(hour, name), np.round(channel(hour, name), 2)), name
    assert 0 <= channel(hour, "voltage").min() <= channel(hour, "voltage").max() <= 1023


def test_speeds_are_counted_over_a_second_and_held(hour: Floats) -> None:
    for name in ("rps", "wind_speed_rps"):
        changes = np.diff(channel(hour, name)) != 0
        times = [np.flatnonzero(row) for row in changes]
        assert all((np.diff(row) % RATE == 0).all() and len(row) > 1000 for row in times)


def test_quaternion_and_gravity_describe_one_attitude(hour: Floats) -> None:
    w, x, y, z = (channel(hour, name) for name in ("qw", "qx", "qy", "qz"))
    assert np.abs(w * w + x * x + y * y + z * z - 1).max() < 1e-3
    assert np.abs(2 * (w * x + y * z) - channel(hour, "gy")).max() < 1e-3


def test_yaw_follows_the_wind_slowly(hour: Floats) -> None:
    w, z = channel(hour, "qw"), channel(hour, "qz")
    yaw = np.unwrap(2 * np.arctan2(z, w), period=2 * np.pi)
    seconds = yaw[:, : HOUR // RATE * RATE].reshape(6, -1, RATE).mean(axis=2)
    assert np.abs(np.diff(seconds)).max() < 0.05
    assert np.ptp(seconds) > 0.1


def test_the_gearbox_warms_with_the_rotor() -> None:
    slow, fast = (
        channel(mini_farm(3, range(4), WindConfig(mean), RATE).advance(HOUR), "gearboxtemp")[:, -1]
        for mean in (1.4, 3.0)
    )
    assert (fast > slow + 5).all()


@pytest.mark.parametrize("rate", [1, 2, 50])
def test_other_sample_rates_give_the_same_climate(rate: int) -> None:
    values = mini_farm(3, range(6), WindConfig(), rate).advance(1800 * rate)
    assert channel(values, "rps").mean() == pytest.approx(1.61, rel=0.15)
    assert channel(values, "voltage").mean() == pytest.approx(47.8, rel=0.15)

"""Faults are physical, ramp linearly, and each moves the signals that name it and no others."""

from itertools import combinations

import numpy as np
import pytest

from gustbed_core.event_kinds import INJECTABLE, ROTATION, VIBRATION, VOLTAGE, EventKind
from gustbed_twin.faults.miniature import KINDS, Faults
from gustbed_twin.filters import Floats
from gustbed_twin.wind.miniature import WindConfig
from tests.unit.twin.miniatures import (
    CHANNEL_INDEX,
    CHANNEL_NAMES,
    CHANNELS,
    FEATURE_NAMES,
    engineer,
    mini_farm,
)

RATE = 20
SETTLE, LENGTH = 600, 2000
COUNTS_PER_RPS = 29.7


def run(kind: EventKind | None, severity: float, wind: float = 2.15) -> Floats:
    """Four turbines with the fault for some minutes; the first 30 s of it are left out."""
    farm = mini_farm(9, range(4), WindConfig(wind), RATE)
    farm.advance(200)
    if kind is not None:
        for position in range(4):
            farm.inject(position, kind, severity, 0.0)
    farm.advance(SETTLE)
    return farm.advance(LENGTH)


def features(values: Floats) -> dict[str, Floats]:
    windows = values.reshape(4, len(CHANNELS), -1, 100).transpose(0, 2, 1, 3)
    engineered = engineer(windows.reshape(-1, len(CHANNELS), 100)).astype(np.float64)
    return {name: engineered[:, i] for i, name in enumerate(FEATURE_NAMES)}


def electric_residual(values: Floats) -> Floats:
    """Voltage beyond what the counted rotor speed explains."""
    residual: Floats = (
        values[:, CHANNEL_INDEX["voltage"]] - COUNTS_PER_RPS * values[:, CHANNEL_INDEX["rps"]]
    )
    return residual


def moved(before: Floats, after: Floats) -> set[str]:
    return {
        name
        for i, name in enumerate(CHANNEL_NAMES)
        if not np.array_equal(before[:, i], after[:, i])
    }


def test_vibration_moves_attitude_and_acceleration_only() -> None:
    expected = {"qw", "qx", "qy", "qz", "gx", "gy", "gz", "ax", "ay", "az"}
    assert moved(run(None, 0), run(VIBRATION, 1.0)) == expected


def test_voltage_moves_voltage_only() -> None:
    assert moved(run(None, 0), run(VOLTAGE, 1.0)) == {"voltage"}


def test_rotation_leaves_the_wind_alone() -> None:
    assert not moved(run(None, 0), run(ROTATION, 1.0)) & {"wind_speed_rps", "ambtemp"}


@pytest.mark.parametrize("wind", [1.4, 2.15, 3.0])
@pytest.mark.parametrize(("severity", "times"), [(0.2, 3.0), (1.0, 12.0)])
def test_vibration_shakes_the_attitude(wind: float, severity: float, times: float) -> None:
    sound, faulty = features(run(None, 0, wind)), features(run(VIBRATION, severity, wind))
    for name in ("roll", "pitch", "yaw"):
        assert faulty[name].std() > times * sound[name].std()
        assert faulty[name].std() < 0.4


@pytest.mark.parametrize("wind", [1.4, 2.15, 3.0])
def test_rotation_slows_the_rotor_and_the_voltage_follows(wind: float) -> None:
    sound, faulty = run(None, 0, wind), run(ROTATION, 1.0, wind)
    rps = CHANNEL_INDEX["rps"]
    assert 0.3 < faulty[:, rps].mean() / sound[:, rps].mean() < 0.5
    before, after = electric_residual(sound), electric_residual(faulty)
    assert abs(after.mean()) < 0.5 * before.std()
    assert after.std() < 1.2 * before.std()


def test_rotation_hunts() -> None:
    def unrest(values: Floats) -> float:
        share = values[:, CHANNEL_INDEX["rps"]] / values[:, CHANNEL_INDEX["wind_speed_rps"]]
        return float(share.std() / share.mean())

    assert unrest(run(ROTATION, 1.0)) > 2 * unrest(run(None, 0))


def test_the_attitude_stays_normal_under_rotation() -> None:
    sound, faulty = features(run(None, 0)), features(run(ROTATION, 1.0))
    for name in ("roll", "pitch", "yaw"):
        assert faulty[name].std() == pytest.approx(sound[name].std(), rel=0.2)


@pytest.mark.parametrize("wind", [1.4, 2.15, 3.0])
def test_voltage_drops_and_flickers(wind: float) -> None:
    sound, faulty = run(None, 0, wind), run(VOLTAGE, 1.0, wind)
    column = CHANNEL_INDEX["voltage"]
    assert faulty[:, column].mean() / sound[:, column].mean() == pytest.approx(0.5, abs=0.1)
    assert electric_residual(faulty).std() > 2 * electric_residual(sound).std()


@pytest.mark.parametrize("kind", list(INJECTABLE))
def test_more_severity_is_a_larger_deviation(kind: EventKind) -> None:
    sound = features(run(None, 0))
    sizes = []
    for severity in (0.0, 0.3, 0.6, 1.0):
        faulty = features(run(kind, severity))
        sizes.append(
            sum(np.abs(faulty[n] - sound[n]).mean() / sound[n].std() for n in FEATURE_NAMES)
        )
    assert sizes[0] == 0
    assert sizes == sorted(sizes)
    assert len(set(sizes)) == len(sizes)


def test_a_ramp_is_linear_and_ends_at_the_severity() -> None:
    farm = mini_farm(1, range(2), WindConfig(), RATE)
    farm.advance(50)
    farm.inject(1, VOLTAGE, 0.8, 2.0)
    ramp = farm.severities(50, 60)
    row = KINDS.index(VOLTAGE)
    assert np.allclose(np.diff(ramp[1, row, :40]), 0.8 / 40)
    assert (ramp[1, row, 40:] == 0.8).all()
    assert np.count_nonzero(ramp) == 60


def test_clearing_starts_from_the_severity_of_the_moment() -> None:
    farm = mini_farm(1, range(1), WindConfig(), RATE)
    farm.inject(0, VOLTAGE, 1.0, 2.0)
    farm.advance(20)
    farm.clear(0, VOLTAGE, 1.0)
    ramp = farm.severities(20, 30)[0, KINDS.index(VOLTAGE)]
    assert ramp[0] == pytest.approx(0.5 - 0.5 / 20)
    assert np.allclose(ramp[20:], 0.0)


def test_clearing_without_a_kind_mends_everything() -> None:
    sound, farm = (mini_farm(1, range(1), WindConfig(), RATE) for _ in range(2))
    for kind in INJECTABLE:
        farm.inject(0, kind, 1.0, 0.0)
    farm.advance(200)
    sound.advance(200)
    farm.clear(0, None, 0.0)
    # The bearing's drag fades over seconds; the rotor is what it was after a minute.
    farm.advance(2400)
    sound.advance(2400)
    speed = CHANNEL_INDEX["rps"]
    assert np.allclose(farm.advance(400)[:, speed], sound.advance(400)[:, speed], atol=0.0626)


@pytest.mark.parametrize("pair", list(combinations(INJECTABLE, 2)))
def test_faults_coincide(pair: tuple[EventKind, EventKind]) -> None:
    sound, faulty = (mini_farm(9, range(1), WindConfig(), RATE) for _ in range(2))
    for kind in pair:
        faulty.inject(0, kind, 1.0, 0.0)
    before, after = sound.advance(1000), faulty.advance(1000)
    marks = {
        VIBRATION: "az",
        ROTATION: "rps",
        VOLTAGE: "voltage",
    }
    assert {marks[kind] for kind in pair} <= moved(before, after)


def test_no_faults_have_no_severity() -> None:
    faults = Faults.none(3)
    assert not faults.any
    assert not faults.severity(0, 10).any()
    assert faults.ramp(VOLTAGE, 0, 0.1, 0, 0).any

"""Every claim of docs/validation.md, measured anew; the measuring can tell a wrong twin."""

import dataclasses

import msgspec
import numpy as np
import pytest

from gustbed_twin.faults.variable_speed import KINDS
from gustbed_twin.turbine.variable_speed import VariableSpeedType, load_variable_speed
from gustbed_twin.validation.air import measure_spectrum, wake_claims, wind_claims
from gustbed_twin.validation.claim import Claim
from gustbed_twin.validation.motion import (
    energy_imbalance,
    fastest_pitch,
    identical,
    motion_claims,
    stop_seconds,
    stop_trace,
)
from gustbed_twin.validation.signatures import _judged, fault_claims, signatures
from gustbed_twin.validation.steady import compare, steady_claims


@pytest.fixture(scope="module")
def kind() -> VariableSpeedType:
    return load_variable_speed("nrel_5mw")


def with_physics(kind: VariableSpeedType, **sections: object) -> VariableSpeedType:
    physics = msgspec.structs.replace(kind.physics, **sections)
    return dataclasses.replace(kind, physics=physics)


def kept(claims: list[Claim]) -> None:
    assert [claim for claim in claims if not claim.kept] == []


def test_steady_power_speed_pitch_and_generation_are_as_published(kind: VariableSpeedType) -> None:
    rows = compare(kind)
    assert [row.point.wind_ms for row in rows] == list(range(3, 26))
    kept(steady_claims(kind, rows))


def test_another_efficiency_fails_the_power_claim(kind: VariableSpeedType) -> None:
    drivetrain = msgspec.structs.replace(kind.physics.drivetrain, efficiency=0.93)
    wrong = with_physics(kind, drivetrain=drivetrain)
    assert not steady_claims(wrong, compare(wrong))[0].kept


def test_the_raw_table_alone_would_miss_the_curve_and_says_so(kind: VariableSpeedType) -> None:
    off = [row.raw_cp / row.cp - 1.0 for row in compare(kind)]
    assert min(off) < -0.2
    assert max(off) < -0.01


def test_motion_energy_stopping_repeatability_and_what_if(kind: VariableSpeedType) -> None:
    claims = motion_claims(kind)
    assert len(claims) == 6
    kept(claims)


def test_pitch_never_moves_faster_than_the_type_allows(kind: VariableSpeedType) -> None:
    slower = msgspec.structs.replace(kind.physics.pitch_control, rate_deg_s=5.0)
    assert fastest_pitch(with_physics(kind, pitch_control=slower)) <= 5.0 + 1e-6


def test_energy_balance_closes_for_a_soft_shaft_too(kind: VariableSpeedType) -> None:
    soft = msgspec.structs.replace(kind.physics.drivetrain, stiffness_nm_rad=2e7)
    assert energy_imbalance(with_physics(kind, drivetrain=soft)) < 1e-3


def test_a_stop_command_brings_the_rotor_down_through_the_physics(kind: VariableSpeedType) -> None:
    trace = stop_trace(kind)
    _, rotor, power, pitch = trace
    assert 2.0 < stop_seconds(trace) < 120.0
    assert np.diff(pitch).max() <= kind.physics.pitch_control.rate_deg_s
    assert rotor[-1] < 0.1 * rotor[0]
    assert power[-1] == 0.0


def test_same_seed_gives_the_same_bytes_in_one_process_in_shards_and_resumed(
    kind: VariableSpeedType,
) -> None:
    assert identical(kind) == (True, True)


def test_spectrum_intensity_and_coherence_are_kaimals(kind: VariableSpeedType) -> None:
    kept(wind_claims(measure_spectrum(kind)))


def test_a_wrong_spectrum_is_seen(kind: VariableSpeedType) -> None:
    spectrum = measure_spectrum(kind)
    louder = dataclasses.replace(
        spectrum, measured=spectrum.measured * 1.3, intensities=spectrum.intensities * 1.15
    )
    claims = wind_claims(louder)
    assert not claims[0].kept
    assert not claims[1].kept


def test_three_turbines_in_a_row_lose_what_floris_says(kind: VariableSpeedType) -> None:
    pytest.importorskip("floris")
    claims = wake_claims(kind)
    assert len(claims) == 2
    kept(claims)


def test_every_fault_moves_its_signals_and_no_others_and_is_labelled(
    kind: VariableSpeedType,
) -> None:
    found = signatures(kind)
    assert [each.kind for each in found] == list(KINDS)
    kept(fault_claims(found))


def test_a_fault_that_moves_something_else_is_seen(kind: VariableSpeedType) -> None:
    change = np.zeros((len(kind.channels), 100))
    names = [sensor.name for sensor in kind.channels]
    change[names.index("hub_temperature")] = 3.0
    wrong = _judged(kind.turbine_type, "generator_bearing", change, True).wrong
    assert any("hub_temperature moves" in text for text in wrong)
    assert any("generator_bearing_de_temperature changes by +0" in text for text in wrong)

"""Drift: no alarm for what is unchanged, whatever its distribution; one for what has moved."""

import json
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gustbed_core.errors import GustbedError
from gustbed_core.package import QUANTILES, Distribution
from gustbed_training.data.statistics import distributions
from gustbed_training.drift import (
    FEWEST_WINDOWS,
    Level,
    as_json,
    as_table,
    drift,
    stability_index,
)
from tests.unit.training.judged import schema

_TENTHS = Distribution(4.5, 2.87, [float(i) for i in range(11)])
"""Evenly spread from 0 to 10."""


def _windows(seed: int, n: int = 400, moved: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    hot = rng.normal(20 + moved, 2, (n, 1, 8))
    counted = rng.poisson(1.2, (n, 1, 8))
    return np.concatenate((hot, counted), axis=1).astype(np.float32)


def test_equal_shares_have_no_index() -> None:
    values = np.repeat(np.arange(10) + 0.5, 7)
    assert stability_index(_TENTHS, values) == pytest.approx(0.0, abs=1e-12)


def test_the_index_by_hand() -> None:
    # The first tenth is found twice as often; the last not at all, which counts as expected.
    values = np.concatenate(([0.5], np.arange(9) + 0.5))
    by_hand = 0.1 * np.log(2) + (0.7 - 0.8) * np.log(0.7 / 0.8)
    assert stability_index(_TENTHS, values) == pytest.approx(by_hand)


def test_values_beyond_what_was_seen_fall_into_the_outer_shares() -> None:
    inside = stability_index(_TENTHS, np.full(5, 9.5))
    assert stability_index(_TENTHS, np.full(5, 99.0)) == pytest.approx(inside)


@settings(max_examples=40)
@given(st.integers(0, 1000), st.integers(1, 12))
def test_counted_and_constant_sensors_do_not_drift_by_themselves(seed: int, levels: int) -> None:
    values = np.random.default_rng(seed).integers(0, levels, (300, 2, 4)).astype(np.float32)
    for described in distributions(values, schema()).values():
        assert len(described.quantiles) == len(QUANTILES)
    reference = distributions(values, schema())
    assert stability_index(reference["hot"], values[:, 0]) < 1e-3


def test_a_constant_sensor_that_takes_another_value_has_moved() -> None:
    still = distributions(np.ones((5, 2, 3), dtype=np.float32), schema())["hot"]
    assert stability_index(still, np.ones(9)) == pytest.approx(0.0, abs=1e-12)
    assert stability_index(still, np.full(9, 1.5)) > 0.25


def test_the_same_site_does_not_drift() -> None:
    reference = distributions(_windows(1), schema())
    found = drift(reference, schema(), _windows(2))
    assert found.level is Level.NONE
    assert {one.level for one in found.features} == {Level.NONE}
    assert abs(found.features[0].shift or 0) < 0.1


def test_a_sensor_that_moves_by_a_deviation_drifts_much_and_is_named() -> None:
    reference = distributions(_windows(1), schema())
    found = drift(reference, schema(), _windows(2, moved=2.0))
    hot, amps = found.features
    assert (hot.level, amps.level, found.level) == (Level.LARGE, Level.NONE, Level.LARGE)
    assert hot.shift == pytest.approx(1.0, abs=0.1)
    assert hot.found_mean == pytest.approx(22.0, abs=0.2)


def test_a_small_move_is_moderate() -> None:
    reference = distributions(_windows(1), schema())
    assert drift(reference, schema(), _windows(2, moved=1.1)).level is Level.MODERATE


def test_a_site_that_sees_less_than_the_model_has_learnt_does_not_drift() -> None:
    reference = distributions(_windows(1), schema())
    steady = np.full_like(_windows(2), 20.5)
    steady[:, 1] = 1
    assert drift(reference, schema(), steady).level is Level.NONE


def test_too_little_says_unknown_rather_than_alarm() -> None:
    reference = distributions(_windows(1), schema())
    few = drift(reference, schema(), _windows(2, n=FEWEST_WINDOWS - 1, moved=9.0))
    assert few.level is Level.UNKNOWN
    nothing = drift(reference, schema(), np.empty((0, 2, 8), dtype=np.float32))
    assert (nothing.level, nothing.features) == (Level.UNKNOWN, ())
    assert "unknown" in as_table(nothing)


def test_little_time_is_said_to_be_little() -> None:
    moved = drift(distributions(_windows(1), schema()), schema(), _windows(2, moved=2.0))
    found = replace(moved, hours=0.2)
    assert "within 0.2 h. That is little time" in as_table(found)
    assert "little time" not in as_table(replace(found, hours=3.0))
    assert as_json(found)["hours"] == 0.2


def test_scores_tell_how_near_the_thresholds_a_site_lives() -> None:
    reference = distributions(_windows(1), schema())
    found = drift(reference, schema(), _windows(2), np.array([0.1, 0.6, 0.7, 1.2]))
    assert found.scores is not None
    assert (found.scores.above_half, found.scores.above_one) == (0.75, 0.25)
    assert drift(reference, schema(), _windows(2), np.empty(0)).scores is None
    assert "75.00 %" in as_table(found)


def test_a_reference_survives_the_manifest_to_the_last_digit() -> None:
    reference = distributions(_windows(1), schema())
    sent = msgspec.json.decode(msgspec.json.encode(reference), type=dict[str, Distribution])
    assert sent == reference


def test_a_feature_that_the_model_does_not_know_is_named() -> None:
    reference = distributions(_windows(1), schema())
    del reference["amps"]
    with pytest.raises(GustbedError, match="no feature 'amps'"):
        drift(reference, schema(), _windows(2))


def test_no_training_data_cannot_be_described() -> None:
    with pytest.raises(GustbedError, match="no window"):
        distributions(np.empty((0, 2, 8), dtype=np.float32), schema())


def test_the_table_holds_the_same_figures_what_moved_most_first() -> None:
    reference = distributions(_windows(1), schema())
    moved = _windows(2)
    moved[:, 1] += 5
    found = drift(reference, schema(), moved, np.array([0.2]))
    printed = json.loads(json.dumps(as_json(found), allow_nan=False))
    assert printed["level"] == "large"
    assert [one["feature"] for one in printed["features"]] == ["hot", "amps"]
    psi = f"{printed['features'][1]['psi']:.3f}"
    table = as_table(found)
    assert psi in table
    assert table.index("amps") < table.index("hot")
    still = replace(reference["hot"], std=0.0)
    assert drift(reference | {"hot": still}, schema(), moved).features[0].shift is None

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
from gustbed_training.drift.comparison import COMMISSION, RETRAIN, Drift, drift
from gustbed_training.drift.fit import FEWEST, Judged, surely, usual_of
from gustbed_training.drift.inputs import FEWEST_WINDOWS, stability_index
from gustbed_training.drift.levels import Level, largest
from gustbed_training.drift.words import as_json, as_table
from tests.unit.training.judged import schema

_TENTHS = Distribution(4.5, 2.87, [float(i) for i in range(11)])
"""Evenly spread from 0 to 10."""


def _windows(seed: int, n: int = 400, moved: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    hot = rng.normal(20 + moved, 2, (n, 1, 8))
    counted = rng.poisson(1.2, (n, 1, 8))
    return np.concatenate((hot, counted), axis=1).astype(np.float32)


def _judged(turbine: str, hot: float = 0.2, captures: int = 6) -> list[Judged]:
    """Captures of six windows whose ratios are ``hot`` and 0.3, with a little spread."""
    rng = np.random.default_rng(len(turbine) + captures)
    ratios = np.array([hot, 0.3]) + rng.uniform(-0.02, 0.02, (captures, 6, 2))
    return [Judged(turbine, one, one.max(axis=1)) for one in ratios]


FARM = ("t1", "t2", "t3", "t4", "t5", "t6")


def _site(hot: dict[str, float], moved: float = 0.0) -> Drift:
    """Six turbines' captures; ``hot`` are the ratios of some."""
    reference = distributions(_windows(1), schema())
    judged = [one for name in FARM for one in _judged(name, hot.get(name, 0.2))]
    usual = usual_of(np.array([[0.2, 0.3], [0.3, 0.3], [4.0, 0.3]]))
    return drift(reference, schema(), _windows(2, moved=moved), judged, usual)


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
    found = _site({})
    assert (found.level, found.finding, found.inputs) == (Level.NONE, "fits", Level.NONE)
    assert {one.level for one in found.features} == {Level.NONE}
    assert abs(found.features[0].shift or 0) < 0.1
    assert found.remedy == ""
    assert "Drift: none. The model fits" in as_table(found)


def test_a_sensor_that_moves_while_the_verdicts_hold_is_named_and_is_no_drift() -> None:
    found = _site({}, moved=2.0)
    hot, amps = found.features
    assert (hot.level, amps.level, found.inputs) == (Level.LARGE, Level.NONE, Level.LARGE)
    assert hot.shift == pytest.approx(1.0, abs=0.1)
    assert hot.found_mean == pytest.approx(22.0, abs=0.2)
    assert (found.finding, found.level, found.remedy) == ("inputs_moved", Level.NONE, "")
    assert "Inputs moved (hot), and the verdicts hold" in as_table(found)


def test_a_small_move_is_moderate() -> None:
    reference = distributions(_windows(1), schema())
    assert drift(reference, schema(), _windows(2, moved=1.1)).inputs is Level.MODERATE


def test_a_site_that_sees_less_than_the_model_has_learnt_does_not_drift() -> None:
    reference = distributions(_windows(1), schema())
    steady = np.full_like(_windows(2), 20.5)
    steady[:, 1] = 1
    assert drift(reference, schema(), steady).inputs is Level.NONE


def test_verdicts_above_the_threshold_are_drift_though_inputs_have_not_moved() -> None:
    found = _site(dict.fromkeys(FARM, 1.1))
    assert (found.finding, found.level, found.inputs) == ("misfit", Level.LARGE, Level.NONE)
    assert found.carriers == ("hot",)
    assert [each.turbine for each in found.misfits] == list(FARM)
    assert found.remedy == RETRAIN
    table = as_table(found)
    assert "The model no longer fits in hot" in table
    assert RETRAIN in table


def test_one_turbine_that_the_model_does_not_fit_is_named_and_is_to_be_commissioned() -> None:
    found = _site({"t5": 1.1})
    (one,) = found.misfits
    assert (one.turbine, one.features, one.above) == ("t5", ("hot",), 1.0)
    assert found.remedy == f"{COMMISSION} t5"
    assert "It fits all but t5. If those are in order: gustbed commission start t5" in as_table(
        found
    )


def test_ratios_that_come_near_the_threshold_are_a_moderate_drift() -> None:
    assert _site(dict.fromkeys(FARM, 0.9)).level is Level.MODERATE
    assert _site(dict.fromkeys(FARM, 0.9), moved=2.0).level is Level.LARGE, "of unknown data"
    assert _site(dict.fromkeys(FARM, 0.6)).level is Level.NONE


def test_where_inputs_have_strayed_a_model_may_be_less_sure() -> None:
    """Captures of which one in six comes near the threshold."""
    unsure = {"t1": 0.9}
    assert _site(unsure).finding == "misfit"
    assert _site(unsure, moved=2.0).finding == "misfit", "surely all of t1's"
    reference = distributions(_windows(1), schema())
    some = [
        Judged(name, one.ratios, one.worst)
        for i, name in enumerate(FARM)
        for one in (*_judged(name, captures=5), *_judged(name, 0.9, captures=1 + i % 2))
    ]
    usual = (0.2, 0.3)
    assert drift(reference, schema(), _windows(2), some, usual).finding == "misfit"
    found = drift(reference, schema(), _windows(2, moved=2.0), some, usual)
    assert found.finding == "inputs_moved"


def test_what_is_near_depends_on_what_is_usual() -> None:
    reference = distributions(_windows(1), schema())
    judged = [one for name in FARM for one in _judged(name, 0.8)]
    assert drift(reference, schema(), _windows(2), judged, (0.2, 0.3)).finding == "misfit"
    assert drift(reference, schema(), _windows(2), judged, (0.75, 0.3)).finding == "fits"


def test_a_lone_turbine_that_the_model_does_not_fit_is_to_be_commissioned() -> None:
    reference = distributions(_windows(1), schema())
    found = drift(reference, schema(), _windows(2), _judged("s1/wt01", 1.2))
    assert found.remedy == f"{COMMISSION} wt01"


def test_captures_of_which_the_largest_ratio_alone_is_known_count_but_name_no_feature() -> None:
    reference = distributions(_windows(1), schema())
    told = [Judged("t1", None, np.full(9, 1.5)) for _ in range(FEWEST)]
    found = drift(reference, schema(), _windows(2), told)
    assert (found.level, found.carriers, found.misfits[0].features) == (Level.LARGE, (), ())
    assert json.dumps(as_json(found), allow_nan=False)
    assert "no longer fits." in as_table(found)


def test_a_share_is_as_sure_as_its_captures_make_it() -> None:
    assert surely(0.0, 100) == 0.0
    # One of one: with the doubt allowed, the share may be as small as the doubt.
    assert surely(1.0, 1) == pytest.approx(0.05)
    assert surely(1.0, 6) == pytest.approx(0.05 ** (1 / 6))
    assert surely(0.5, 10) < surely(0.5, 100) < 0.5


def test_what_is_usual_is_what_the_packages_normal_windows_give() -> None:
    usual = usual_of(np.array([[0.2, 0.3], [0.4, 0.9], [0.3, 7.0]]))
    assert usual == pytest.approx((0.3, 0.6))
    assert usual_of(np.array([[2.0, 3.0]])) == (None, None)


def test_the_largest_level_is_unknown_only_if_nothing_else_is_there() -> None:
    assert largest([Level.UNKNOWN, Level.NONE]) is Level.NONE
    assert largest([Level.MODERATE, Level.LARGE, Level.NONE]) is Level.LARGE
    assert largest([]) is Level.UNKNOWN


def test_too_little_says_unknown_rather_than_alarm() -> None:
    reference = distributions(_windows(1), schema())
    enough = [one for name in FARM for one in _judged(name)]
    few = drift(reference, schema(), _windows(2, n=FEWEST_WINDOWS - 1, moved=9.0), enough)
    assert few.level is Level.UNKNOWN
    unjudged = drift(reference, schema(), _windows(2), _judged("t1", captures=FEWEST - 4))
    assert (unjudged.level, unjudged.finding) == (Level.UNKNOWN, "unknown")
    nothing = drift(reference, schema(), np.empty((0, 2, 8), dtype=np.float32))
    assert (nothing.level, nothing.features) == (Level.UNKNOWN, ())
    assert "unknown" in as_table(nothing)


def test_little_time_is_said_to_be_little() -> None:
    found = replace(_site({}, moved=2.0), hours=0.2)
    assert "within 0.2 h, which is little time" in as_table(found)
    assert "little time" not in as_table(replace(found, hours=3.0))
    assert as_json(found)["hours"] == 0.2


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
    found = drift(reference, schema(), moved, _judged("t1", 1.4))
    printed = json.loads(json.dumps(as_json(found), allow_nan=False))
    assert (printed["level"], printed["inputs"], printed["finding"]) == ("large", "large", "misfit")
    assert [one["feature"] for one in printed["features"]] == ["hot", "amps"]
    psi = f"{printed['features'][1]['psi']:.3f}"
    (turbine,) = printed["fit"]["turbines"]
    assert (turbine["turbine"], turbine["above_one"], turbine["features"]) == ("t1", 1.0, ["hot"])
    table = as_table(found)
    inputs, fits = table.split("median ratio")
    assert psi in inputs
    assert inputs.index("amps") < inputs.index("\nhot")
    assert fits.index("hot") < fits.index("amps")
    assert "Of 36 verdicts on 6 captures, 100.0 % are above the threshold" in fits
    still = replace(reference["hot"], std=0.0)
    assert drift(reference | {"hot": still}, schema(), moved).features[0].shift is None

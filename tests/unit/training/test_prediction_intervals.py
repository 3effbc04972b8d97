"""The drift-aware detector: rates on normal data, drift, several recordings, few samples."""

from dataclasses import replace

import numpy as np
import pytest

from gustbed_core.errors import GustbedError
from gustbed_training.detectors.base import FitData
from gustbed_training.detectors.drift_intervals import Prior, interval
from gustbed_training.detectors.limits import (
    FALSE_VERDICTS,
    effective_samples,
    limits_from_few,
    prediction_limit,
)
from gustbed_training.detectors.prediction_intervals import PredictionIntervals, Scores, explained
from tests.unit.training.detecting import (
    LEVELS,
    NAMES,
    SPREADS,
    WINDOW,
    fit_data,
    fitted,
    offset_windows,
    schema,
    scores,
    signals,
    weights,
    windows,
)

NO_PRIOR = Prior(0.1, 1e-6)


def _data(*recordings: np.ndarray, held: tuple[np.ndarray, ...] = ()) -> FitData:
    train = [windows(each) for each in recordings]
    return FitData(schema(), np.concatenate(train), train, [windows(each) for each in held])


def _walk(rng: np.random.Generator, samples: int, step: float) -> np.ndarray:
    return np.cumsum(step * rng.normal(size=samples))


def _alarms(data: FitData, of: np.ndarray) -> float:
    module = fitted(PredictionIntervals(), data)
    return float((scores(module, of).max(axis=1) > module.own_limit).mean())


def test_its_own_limit_keeps_to_the_budget_of_false_verdicts() -> None:
    rates = [
        _alarms(_data(signals(400, seed)), windows(signals(700, seed + 500))) for seed in range(8)
    ]
    assert np.mean(rates) <= FALSE_VERDICTS


def test_its_own_limit_finds_what_is_off() -> None:
    data = _data(signals(400, 1))
    for feature in range(len(NAMES)):
        assert _alarms(data, offset_windows(feature)) > 0.95


def test_a_signal_that_stands_still_alarms() -> None:
    still = signals(200, 3)
    still[0] = LEVELS[0]
    module = fitted(PredictionIntervals(), _data(signals(400, 1)))
    found = scores(module, windows(still))
    assert np.mean(found[:, 0] > 1) > 0.95
    assert np.mean(found[:, 2] > 1) < 0.1


def test_a_signal_that_drifts_in_training_may_drift_on() -> None:
    wild, calm = [], []
    for seed in range(6):
        values = signals(1100, seed)
        values[2] += _walk(np.random.default_rng(seed), 1100, 0.3 * SPREADS[2])
        wild.append(_alarms(_data(values[:, :400]), windows(values[:, 400:])))
        flat = values.copy()
        flat[2, :400] = signals(400, seed)[2]
        calm.append(_alarms(_data(flat[:, :400]), windows(flat[:, 400:])))
    assert np.mean(wild) < 0.25
    assert np.mean(calm) > 0.5


def test_the_levels_of_several_recordings_tell_how_far_levels_go() -> None:
    offsets = 3 * SPREADS[0] * np.random.default_rng(2).normal(size=12)
    several = [signals(200, seed) for seed in range(12)]
    for values, offset in zip(several, offsets, strict=True):
        values[0] += offset
    one = np.concatenate(several, axis=1)[:, :400]
    other = signals(200, 50)
    other[0] += offsets.mean() + 2 * offsets.std()
    assert _alarms(_data(*several), windows(other)) < 0.2
    assert _alarms(_data(one - one.mean(axis=1, keepdims=True)), windows(other)) > 0.9


def test_captures_of_six_windows_each_are_enough_and_shorter_ones_are_refused() -> None:
    captures = [signals(6 * WINDOW, seed) for seed in range(8)]
    rates = [_alarms(_data(*captures), windows(signals(400, 90 + seed))) for seed in range(4)]
    assert np.mean(rates) <= 2 * FALSE_VERDICTS
    short = "96 s to train on are too short to tell noise from drift: give 2 min without a break"
    with pytest.raises(GustbedError, match=short):
        fitted(PredictionIntervals(), _data(*(each[:, : 4 * WINDOW] for each in captures)))


def test_few_held_out_windows_are_learnt_from_too() -> None:
    values = signals(500, 4)
    values[3, 380:] += 8 * SPREADS[3]
    short = _data(values[:, :280], held=(values[:, 380:480],))
    without = fitted(PredictionIntervals(), replace(short, held=[]))
    joined = fitted(PredictionIntervals(), short)
    later = windows(values[:, 400:])
    assert np.median(scores(joined, later)[:, 3]) < 0.5 * np.median(scores(without, later)[:, 3])


def test_many_held_out_windows_are_left_alone() -> None:
    plain = fit_data()
    held = [windows(10 + signals(2000, 8))]
    ours = fitted(PredictionIntervals(), replace(plain, held=held)).state_dict()
    for name, value in fitted(PredictionIntervals(), replace(plain, held=[])).state_dict().items():
        np.testing.assert_array_equal(value.numpy(), ours[name].numpy())


def test_a_level_says_what_it_says_about_others_and_nothing_about_itself() -> None:
    rng = np.random.default_rng(3)
    first, free = rng.normal(size=(2, 2000))
    levels = np.stack((first, 2 * first + 0.2 * rng.normal(size=2000), free), axis=1)
    weights = explained([levels], 1)
    assert weights[1, 0] == pytest.approx(2, rel=0.15)
    assert weights[0, 1] == pytest.approx(0.5, rel=0.15)
    np.testing.assert_array_equal(np.diag(weights), 0)
    np.testing.assert_array_equal(weights[2, :2], 0)


def test_an_interval_widens_with_drift_and_with_how_little_is_known() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(400, 1))
    drifting = noise + _walk(rng, 400, 0.3)[:, None]
    limit = interval([noise], 1, NO_PRIOR, 0.05).limit
    assert limit == pytest.approx(1.96, rel=0.3)
    assert interval([drifting], 1, NO_PRIOR, 0.05).limit > 3 * limit
    assert (
        interval([drifting], 1, NO_PRIOR, 0.001).limit
        > 3 * interval([drifting], 1, NO_PRIOR, 0.05).limit
    )


def test_a_gap_changes_nothing_but_what_it_hides() -> None:
    rng = np.random.default_rng(0)
    series = rng.normal(size=(800, 2))
    holed = series.copy()
    holed[200:440] = np.nan
    whole, pierced = (interval([each], 5, NO_PRIOR, 0.05) for each in (series, holed))
    assert pierced.limit == pytest.approx(whole.limit, rel=0.15)
    assert pierced.centre == pytest.approx(whole.centre, abs=0.1)


def test_a_single_stretch_that_wanders_is_looked_for_at_its_end_and_several_are_not() -> None:
    unit = np.ones(1)
    series = np.repeat([0.0, 8.0], [300, 100])[:, None]
    series += np.random.default_rng(0).normal(size=series.shape)
    holed = np.concatenate((series[:300], np.full((90, 1), np.nan), series[300:]))
    for single in (series, holed):
        assert interval([single], 1, NO_PRIOR, 0.05, unit).centre == pytest.approx(8.0, abs=0.3)
        assert interval([single], 1, NO_PRIOR, 0.05).centre == pytest.approx(2.0, abs=0.3)
    several = [series[:200], series[200:]]
    assert interval(several, 1, NO_PRIOR, 0.05, unit).centre == pytest.approx(2.0, abs=0.3)


def test_what_a_prior_expects_goes_by_the_unit_and_not_by_the_noise() -> None:
    expecting = Prior(1.0, 1e6)
    noise = 0.1 * np.random.default_rng(0).normal(size=(400, 1))
    own, coarse = (interval([noise], 1, expecting, 0.05, unit) for unit in (None, np.ones(1)))
    assert own.limit == pytest.approx(0.1 * 1.96 * (1 + 3) ** 0.5, rel=0.1)
    assert coarse.limit == pytest.approx(1.96 * 3**0.5, rel=0.1)


def test_bursts_count_for_how_far_a_level_may_wander() -> None:
    def room(prior: Prior, values: np.ndarray) -> float:
        found = weights(fitted(PredictionIntervals(prior), _data(values)))
        return float(found["limit"][3] * found["statistics.unit"][3, 0])

    calm, bursting = signals(400, 1), signals(400, 1)
    bursting[3, ::20] += 8 * SPREADS[3]
    without = Prior(1e-9, 1e6)
    wanders = Prior(1.0, 1e6)
    widened = [room(wanders, each) / room(without, each) for each in (calm, bursting)]
    # Levels themselves are as noisy as the bursts make them: what is added keeps pace.
    assert widened[1] == pytest.approx(widened[0], rel=0.3)
    assert min(widened) > 2


@pytest.mark.parametrize("share", [0.2, 0.02])
def test_a_prediction_limit_is_exceeded_as_often_as_wanted(share: float) -> None:
    over = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        drawn = np.exp(0.5 * rng.normal(size=30))
        limit = prediction_limit([drawn[:15], drawn[15:]], share)
        over.append(np.mean(np.exp(0.5 * rng.normal(size=200)) > limit))
    assert np.mean(over) == pytest.approx(share, rel=0.5)


def test_alike_neighbours_count_as_few() -> None:
    rng = np.random.default_rng(0)
    white = rng.normal(size=1000)
    slow = np.convolve(rng.normal(size=1049), np.ones(50) / 50, "valid")
    assert effective_samples(white - white.mean()) > 500
    assert effective_samples(slow - slow.mean()) < 60


def test_thresholds_from_few_scores_keep_to_the_budget() -> None:
    false = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        limits = limits_from_few([np.exp(rng.normal(size=(30, 3)))])
        later = np.exp(rng.normal(size=(300, 3)))
        false.append((later > limits).any(axis=1).mean())
    assert 0.3 * FALSE_VERDICTS < np.mean(false) < 1.2 * FALSE_VERDICTS


def test_one_score_laid_on_features_has_one_threshold() -> None:
    rng = np.random.default_rng(0)
    total = 1 + 0.05 * rng.normal(size=(80, 1))
    laid = total * np.eye(4)[rng.integers(4, size=80)]
    assert max(limits_from_few([laid])) < 1.3


def test_a_detector_may_know_its_own_limit() -> None:
    assert limits_from_few([np.ones((5, 2))], Scores.own_limit) == [1.0, 1.0]

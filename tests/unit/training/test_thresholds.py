"""Thresholds keep to the rate of false events that is asked for."""

import numpy as np
import pytest

from gustbed_core.decisions import RunCounts, hysteresis, spans
from gustbed_core.errors import GustbedError
from gustbed_core.signals import Decision
from gustbed_training.detectors.thresholds import Target, margins, sustained, threshold

PER_HOUR = 7200.0
USUAL = Decision()


def _hours(seed: int, count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [np.exp(0.3 * _smooth(rng.normal(size=int(PER_HOUR)))) for _ in range(count)]


def _smooth(noise: np.ndarray) -> np.ndarray:
    return np.convolve(noise, np.ones(10) / np.sqrt(10), "same")


def test_other_normal_data_keeps_to_the_rate() -> None:
    target = Target(false_per_hour=0.05, margin=1.0)
    limit = threshold(_hours(1, 40), target, PER_HOUR)
    false = sum(
        len(spans(hysteresis(scores > limit, RunCounts.zero(()), USUAL)[0]))
        for scores in _hours(2, 40)
    )
    assert false <= 3 * 0.05 * 40
    assert limit < 1.6 * max(scores.max() for scores in _hours(1, 40))


def test_a_stricter_target_gives_a_higher_threshold() -> None:
    data = _hours(1, 10)
    limits = [threshold(data, Target(rate, 1.0), PER_HOUR) for rate in (1.0, 0.1, 0.001)]
    assert limits == sorted(limits)
    assert limits[0] < limits[-1]


def test_no_threshold_lies_below_what_normal_data_reached() -> None:
    data = _hours(1, 5)
    reached = max(float(sustained(scores, 4).max()) for scores in data)
    assert threshold(data, Target(1e6, 1.25), PER_HOUR) == pytest.approx(1.25 * reached)


def test_margins_follow_new_recordings_within_bounds() -> None:
    assert margins(np.array([0.8, 1.3, 60.0]), Target(margin=1.25)) == pytest.approx(
        [1.25, 1.43, 1.6]
    )
    assert margins(np.array([0.8, 60.0]), Target(margin=2.0)) == [2.0, 2.0]


def test_only_what_lasts_counts() -> None:
    spike = np.ones(100)
    spike[50:53] = 99.0
    assert sustained(spike, 4).max() == 1.0
    assert sustained(spike, 3).max() == 99.0


def test_too_little_data_is_refused_with_the_amount_needed() -> None:
    with pytest.raises(GustbedError, match=r"give at least 0\.17"):
        threshold([np.ones(100)], Target(), PER_HOUR)


def test_single_verdicts_seldom_keep_an_event_open() -> None:
    rng = np.random.default_rng(0)
    spiky = [np.where(rng.random(7200) < 0.03, 9.0, 1.0) for _ in range(4)]
    limit = threshold(spiky, Target(1e6, 1.0), PER_HOUR)
    assert np.mean(np.concatenate(spiky) > limit) <= 0.001


def test_smoothed_ratios_need_a_lower_threshold() -> None:
    rng = np.random.default_rng(0)
    white = [np.abs(rng.normal(size=7200)) for _ in range(4)]
    target = Target(0.05, 1.0)
    smoothed = threshold(white, target, PER_HOUR, Decision(smooth=20))
    assert smoothed < 0.8 * threshold(white, target, PER_HOUR)

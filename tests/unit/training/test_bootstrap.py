"""How far figures hang on the recordings that are judged: draws, and what each comes to."""

import numpy as np
import pytest

from gustbed_training.evaluation.bootstrap import RESAMPLES, draws, resampled
from gustbed_training.evaluation.care import care, care_of_choices
from gustbed_training.evaluation.evaluate import Options, evaluate
from gustbed_training.evaluation.eventwise import match
from gustbed_training.evaluation.intervals import percentile_interval, share_interval
from gustbed_training.evaluation.verdicts import Verdicts
from gustbed_training.evaluation.vus import Track, vus_pr, vus_pr_of_choices
from tests.unit.training.judged import ONE_BY_ONE, judged, last_sample, part, schema, thermal

FOUND = part("....xxxx......", labels=[thermal(4, 8)])
MISSED = part("....x...x.....", labels=[thermal(4, 8)])
QUIET, LOUD = part("." * 14), part("..xx...xxxx...")


def _tracks(count: int) -> list[Track]:
    rng = np.random.default_rng(3)
    tracks = []
    for number in range(count):
        label = np.zeros(60, dtype=bool)
        label[20 : 25 + number] = number % 2 == 0
        tracks.append(Track(rng.random(60) + 0.4 * label, label, rng.random(60) > 0.1))
    return tracks


@pytest.mark.parametrize("buffer", [0, 5, 12])
def test_a_choice_is_worth_what_its_recordings_are_end_to_end(buffer: int) -> None:
    tracks = _tracks(5)
    times = np.array([[1, 1, 1, 1, 1], [2, 0, 1, 3, 0], [0, 0, 1, 0, 1]], dtype=float)
    found = vus_pr_of_choices(tracks, buffer, times)
    assert found is not None
    for row, value in zip(times.astype(int), found, strict=True):
        chosen = [track for track, n in zip(tracks, row, strict=True) for _ in range(n)]
        assert value == pytest.approx(vus_pr(chosen, buffer), abs=1e-12)


def test_a_choice_without_a_fault_is_worth_nothing() -> None:
    found = vus_pr_of_choices(_tracks(2), 4, np.array([[0.0, 2.0]]))
    assert found is not None
    assert found.tolist() == [0.0]
    assert vus_pr_of_choices(_tracks(2)[1:], 4, np.ones((1, 1))) is None


def test_the_care_score_of_a_choice_is_that_of_its_recordings() -> None:
    found = [judged(one) for one in (FOUND, MISSED, QUIET, LOUD)]
    times = np.array([[1, 1, 1, 1], [2, 0, 0, 2], [0, 1, 3, 0], [0, 0, 1, 1]], dtype=float)
    scores = care_of_choices(found, 2, times)
    for row, value in zip(times.astype(int), scores, strict=True):
        chosen = [one for one, n in zip(found, row, strict=True) for _ in range(n)]
        whole = care(chosen, 2)
        assert np.isnan(value) if whole is None else value == pytest.approx(whole.score)


def test_sorts_are_drawn_apart_and_always_the_same() -> None:
    faulty = np.array([True, False, True, False, False, True])
    times = draws(faulty)
    assert times.shape == (RESAMPLES, 6)
    assert RESAMPLES >= 200
    assert (times[:, faulty].sum(axis=1) == 3).all()
    assert (times[:, ~faulty].sum(axis=1) == 3).all()
    np.testing.assert_array_equal(times, draws(faulty))
    assert times.mean(axis=0) == pytest.approx(np.ones(6), abs=0.15)


def _resampled(found: list[Verdicts]) -> object:
    tracks = [Track(one.worst, one.on, ~one.settling) for one in found]
    return resampled(found, tracks, match(found, ONE_BY_ONE).recordings, 1, 2)


def test_figures_vary_as_the_recordings_do() -> None:
    parts = [FOUND, FOUND, MISSED, QUIET, QUIET, LOUD]
    found = evaluate(schema(), parts, last_sample, Options(resample=True)).resampled
    assert found is not None
    assert found.recordings == (3, 3)
    assert len(found.vus_pr) == len(found.care) == RESAMPLES
    # One fault each: of three draws none, one, two or three are of the one that is missed.
    assert set(np.round(found.event_recall, 3)) == {0.0, 0.333, 0.667, 1.0}
    assert min(found.false_per_day) == 0.0
    low, high = percentile_interval(found.vus_pr)
    whole = evaluate(schema(), parts, last_sample).vus_pr
    assert whole is not None
    assert 0 < low < whole < high <= 1
    assert found.of("care") == found.care
    assert found.of("recordings") == ()


def test_recordings_that_are_alike_leave_nothing_to_vary() -> None:
    parts = [FOUND, FOUND, QUIET, QUIET]
    found = evaluate(schema(), parts, last_sample, Options(resample=True)).resampled
    assert found is not None
    assert {*found.event_recall} == {1.0}
    assert np.ptp(found.vus_pr) == pytest.approx(0)


def test_one_recording_of_a_sort_cannot_be_drawn_otherwise() -> None:
    assert _resampled([judged(FOUND), judged(QUIET), judged(QUIET)]) is None
    assert _resampled([judged(FOUND), judged(MISSED), judged(QUIET)]) is None
    assert _resampled([judged(FOUND), judged(MISSED)]) is not None
    assert evaluate(schema(), [FOUND, FOUND], last_sample).resampled is None


def test_exact_bounds_of_shares() -> None:
    # Clopper and Pearson of 8 in 10, as tables have it; of none and of all.
    assert share_interval(8, 10) == pytest.approx((0.4439, 0.9748), abs=1e-4)
    assert share_interval(0, 10) == pytest.approx((0.0, 0.3085), abs=1e-4)
    assert share_interval(10, 10) == pytest.approx((0.6915, 1.0), abs=1e-4)

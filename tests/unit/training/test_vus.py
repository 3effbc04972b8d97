"""VUS-PR: against areas reckoned by hand, and against what the measure's authors compute."""

import numpy as np
import pytest

from gustbed_training.evaluation.vus import Track, vus_pr


def _track(score: np.ndarray, label: np.ndarray) -> Track:
    return Track(score, label, np.ones(len(score), dtype=bool))


def _hand(score: list[float], label: str) -> Track:
    return _track(np.array(score), np.array([letter == "x" for letter in label]))


def _series(n: int, ranges: list[tuple[int, int]], phase: float) -> Track:
    """A score that moves on its own and tells more of some labels than of others."""
    i = np.arange(n)
    label = np.zeros(n, dtype=bool)
    for start, stop in ranges:
        label[start:stop] = True
    score = np.abs(np.sin(1.7 * i + phase)) + 0.6 * label * (1 + np.cos(i / 5))
    return _track(np.round(score, 6), label)


# Printed by basic_metricor().RangeAUC_volume_opt of TSB-AD 1.5 with a threshold for every score,
# for longest buffers of 0, 7 and 20.
_AUTHORS = [
    (200, [(40, 60), (120, 150)], 0.0, (0.742234351, 0.760573212, 0.791014625)),
    (200, [(0, 10), (14, 30), (190, 200)], 1.0, (0.857753228, 0.875590911, 0.892400928)),
    (120, [(50, 51)], 2.0, (0.03125, 0.036323712, 0.097992397)),
    (90, [(20, 30), (33, 41), (44, 46)], 0.5, (0.889220438, 0.934794483, 0.951089828)),
]


@pytest.mark.parametrize(("n", "ranges", "phase", "expected"), _AUTHORS)
def test_it_is_what_the_authors_compute(
    n: int, ranges: list[tuple[int, int]], phase: float, expected: tuple[float, ...]
) -> None:
    track = _series(n, ranges, phase)
    found = [vus_pr([track], buffer) for buffer in (0, 7, 20)]
    assert found == pytest.approx(expected, abs=1e-8)


def test_sampled_thresholds_come_close_on_many_verdicts() -> None:
    # TSB-AD 1.5 prints 0.681748 with a threshold for every score.
    track = _series(4000, [(500, 560), (2000, 2040), (3990, 4000)], 0.3)
    assert vus_pr([track], 20) == pytest.approx(0.681748, abs=2e-3)


def test_a_perfect_score_fills_the_volume() -> None:
    assert vus_pr([_hand([0.1, 0.9, 0.8, 0.2], ".xx.")], 0) == 1.0


def test_precision_is_weighted_by_the_recall_that_it_gains() -> None:
    # Thresholds .95, .9, .8, .2: recall 0, 1/2, 1, 1 and precision 0, 1/2, 2/3, 1/2.
    track = _hand([0.95, 0.9, 0.8, 0.2], ".xx.")
    assert vus_pr([track], 0) == pytest.approx(1 / 2 * 1 / 2 + 1 / 2 * 2 / 3)


def test_a_range_that_is_missed_halves_the_recall() -> None:
    # At .9 one of two ranges exists: recall 1/2 * 1/2, precision 1. At .5 all points pass:
    # recall 1, precision 2/4.
    track = _hand([0.9, 0.5, 0.5, 0.5], "x..x")
    assert vus_pr([track], 0) == pytest.approx(1 / 4 * 1 + 3 / 4 * 1 / 2)


def test_a_buffer_forgives_a_neighbour() -> None:
    beside = _hand([0.1, 0.9, 0.8, 0.2, 0.1], "..x..")
    away = _hand([0.9, 0.1, 0.8, 0.2, 0.1], "..x..")
    assert vus_pr([beside], 0) == vus_pr([away], 0)
    near, far = vus_pr([beside], 2), vus_pr([away], 2)
    assert near is not None
    assert far is not None
    assert near > far


def test_buffers_do_not_reach_into_another_recording() -> None:
    first = _hand([0.1, 0.2, 0.3, 0.8], "...x")
    second = _hand([0.9, 0.1, 0.2, 0.3], "....")
    apart = Track(
        np.concatenate((first.score, np.full(20, 9.0), second.score)),
        np.concatenate((first.label, np.ones(20, dtype=bool), second.label)),
        np.concatenate((first.counts, np.zeros(20, dtype=bool), second.counts)),
    )
    joined = _track(
        np.concatenate((first.score, second.score)), np.concatenate((first.label, second.label))
    )
    assert vus_pr([first, second], 4) == vus_pr([apart], 4)
    assert vus_pr([first, second], 4) == vus_pr([second, first], 4)
    assert vus_pr([first, second], 4) != vus_pr([joined], 4)


def test_verdicts_that_do_not_count_change_nothing() -> None:
    track = _hand([0.95, 0.9, 0.8, 0.2], ".xx.")
    silent = _hand([9.0, 9.0], "..")
    silent = Track(silent.score, silent.label, np.zeros(2, dtype=bool))
    assert vus_pr([track, silent], 3) == vus_pr([track], 3)


@pytest.mark.parametrize("label", ["...", "xxx"])
def test_one_class_alone_has_no_surface(label: str) -> None:
    assert vus_pr([_hand([0.1, 0.2, 0.3], label)], 2) is None


def test_nothing_has_no_surface() -> None:
    assert vus_pr([], 5) is None
    assert vus_pr([_hand([], "")], 5) is None

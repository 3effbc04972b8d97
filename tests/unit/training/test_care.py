"""The CARE score by hand: its parts, its two exceptions, and how recordings become datasets."""

import numpy as np
import pytest

from gustbed_training.evaluation.care import Dataset, criticality_of, cut, score
from tests.unit.training.judged import judged, part, schema, thermal


def _dataset(text: str, onset: int | None = None) -> Dataset:
    return Dataset(np.array([letter == "x" for letter in text]), onset)


def test_everything_right_scores_one() -> None:
    found = score([_dataset("....xxxx", 4), _dataset("........")], 2)
    assert found is not None
    assert (found.score, found.coverage, found.accuracy) == (1.0, 1.0, 1.0)
    assert (found.reliability, found.earliness) == (1.0, 1.0)
    assert (found.faults, found.normal) == (1, 1)


def test_each_part_by_hand() -> None:
    late, missed = _dataset("x....xxx", 4), _dataset("........", 4)
    quiet, noisy = _dataset("...."), _dataset("xx..")
    found = score([late, missed, quiet, noisy], 2)
    assert found is not None
    # 3 right, 1 false, 1 missed: 1.25 * 3 / (1.25 * 3 + 0.25 * 1 + 1); nothing of the other.
    assert found.coverage == pytest.approx((3.75 / 5.0 + 0) / 2)
    # Weights 1, (1 - 4/15) / 0.75, (1 - 8/15) / 0.75, (1 - 12/15) / 0.75, as the authors take them.
    weights = np.array([1, 11 / 11.25, 7 / 11.25, 3 / 11.25])
    assert found.earliness == pytest.approx(weights[1:].sum() / weights.sum() / 2)
    assert found.accuracy == pytest.approx((1 + 0.5) / 2)
    # 1 fault alarmed, 1 not, 1 normal dataset alarmed: 1.25 / (1.25 + 0.25 + 1).
    assert found.reliability == pytest.approx(0.5)
    parts = found.coverage + found.earliness + 2 * found.accuracy + found.reliability
    assert found.score == pytest.approx(parts / 5)


def test_no_alarm_at_all_scores_nothing() -> None:
    found = score([_dataset("....x...", 4), _dataset("........")], 2)
    assert found is not None
    assert found.score == 0.0
    assert found.accuracy == 1.0


def test_a_detector_no_better_than_a_coin_scores_its_accuracy() -> None:
    found = score([_dataset("xxxxxxxx", 4), _dataset("xxx.")], 2)
    assert found is not None
    assert found.score == found.accuracy == 0.25


def test_criticality_counts_up_and_down_but_never_below_nothing() -> None:
    assert criticality_of(_dataset("......xx.x").violating) == 2
    assert criticality_of(_dataset("xxx.x").violating) == 3
    assert criticality_of(_dataset("xx.xx").violating) == 3
    assert criticality_of(_dataset("....").violating) == 0
    assert criticality_of(_dataset("").violating) == 0


def test_faults_alone_or_normal_data_alone_have_no_score() -> None:
    assert score([_dataset("..xx", 2)], 2) is None
    assert score([_dataset("....")], 2) is None
    assert score([], 2) is None


def test_a_fault_takes_as_many_calm_verdicts_before_it_as_it_lasts() -> None:
    one = judged(part("." * 10 + "xxx" + "." * 7, labels=[thermal(10, 13)]))
    fault, *normal = cut([one])
    assert fault.onset == 3
    assert fault.violating.tolist() == [False] * 3 + [True] * 3
    # 7 calm verdicts before and 7 after, in pieces of the fault dataset's 6 at least.
    assert [len(piece.violating) for piece in normal] == [7, 7]
    assert all(piece.onset is None for piece in normal)


def test_long_normal_stretches_are_cut_to_the_length_of_fault_datasets() -> None:
    with_fault = judged(part("..xx", labels=[thermal(2, 4)]))
    without = judged(part("." * 13))
    sizes = [len(piece.violating) for piece in cut([with_fault, without])]
    assert sizes == [4, 5, 4, 4]


def test_what_settles_is_in_no_dataset_and_overlapping_faults_are_one() -> None:
    labels = [thermal(4, 6), thermal(5, 7), thermal(10, 11)]
    one = judged(part("....xxx..x.x", labels=labels), schema(settle_s=2.0))
    datasets = list(cut([one]))
    assert [(len(d.violating), d.onset) for d in datasets] == [(6, 3), (2, 1), (1, None)]


def test_normal_recordings_alone_are_kept_whole() -> None:
    (piece,) = cut([judged(part("." * 9))])
    assert len(piece.violating) == 9

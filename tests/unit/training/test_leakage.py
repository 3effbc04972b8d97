"""A split that is broken on purpose: the check must notice."""

import numpy as np
import pytest

from gustbed_core.errors import GustbedError
from gustbed_training.data import split
from gustbed_training.data.card import SplitRule
from gustbed_training.data.leakage import check_no_leakage
from gustbed_training.data.partition import Part, Partition
from gustbed_training.data.split import (
    partition_dataset,
)
from gustbed_training.data.statistics import reference_of
from tests.unit.training.recorded import pump
from tests.unit.training.splitting import SCHEMA, made


def healthy() -> Partition:
    return partition_dataset(made({"a": [pump(1000, name="a")], "b": [pump(1000, name="b")]}))


def test_a_sound_split_passes_the_check() -> None:
    partition = healthy()
    check_no_leakage(partition, SCHEMA, reference=reference_of(partition.train, SCHEMA))


def test_a_split_without_a_gap_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(split, "gap_of", lambda schema: 0)
    with pytest.raises(GustbedError, match=r"leakage: a\.parquet: train up to sample 600"):
        check_no_leakage(healthy(), SCHEMA)


def test_a_gap_of_less_than_a_window_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(split, "gap_of", lambda schema: schema.window - 1)
    with pytest.raises(GustbedError, match="leakage"):
        check_no_leakage(healthy(), SCHEMA)


@pytest.mark.parametrize("into", ["train", "calibrate", "test"])
def test_a_stretch_that_overlaps_another_is_noticed(into: str) -> None:
    partition = healthy()
    for subset in ("train", "calibrate", "test"):
        part = getattr(partition, subset)[0]
        spoilt = healthy()
        overlapping = Part(part.recording, part.stop - 1, min(part.stop + 50, 1000))
        getattr(spoilt, into).append(overlapping)
        with pytest.raises(GustbedError, match="leakage"):
            check_no_leakage(spoilt, SCHEMA)


def test_the_same_time_of_a_file_that_was_read_twice_is_noticed() -> None:
    partition = healthy()
    later = pump(500, name="a", start=900.0)
    partition.train.append(Part(later, 0, 50))
    with pytest.raises(GustbedError, match="leakage"):
        check_no_leakage(partition, SCHEMA)


def test_samples_to_learn_from_may_touch_tests_but_not_overlap_them() -> None:
    partition = partition_dataset(made({"a": [pump(1000, fit=400)]}, SplitRule(fit=400)))
    check_no_leakage(partition, SCHEMA)
    part = partition.test[0]
    partition.test[0] = Part(part.recording, part.start - 1, part.stop)
    with pytest.raises(GustbedError, match="leakage"):
        check_no_leakage(partition, SCHEMA)


def test_a_turbine_on_both_sides_is_noticed() -> None:
    partition = healthy()
    with pytest.raises(GustbedError, match="turbine b is used to train, but b are kept for tests"):
        check_no_leakage(partition, SCHEMA, ("b",))
    partition = partition_dataset(
        made({"a": [pump(1000, name="a")], "b": [pump(1000, name="b")]},
             SplitRule(test_turbines=("b",)))
    )  # fmt: skip
    partition.test.append(Part(partition.train[0].recording, 0, 10))
    with pytest.raises(GustbedError, match="leakage"):
        check_no_leakage(partition, SCHEMA, ("b",))


def test_statistics_of_all_data_are_noticed() -> None:
    partition = healthy()
    everything = reference_of([*partition.train, *partition.calibrate, *partition.test], SCHEMA)
    with pytest.raises(GustbedError, match="leakage: statistics"):
        check_no_leakage(partition, SCHEMA, reference=everything)


def test_statistics_are_those_of_the_samples_in_the_training_windows() -> None:
    partition = healthy()
    described = reference_of(partition.train, SCHEMA)["warmth"]
    # Counting samples, of both recordings: 0 to 587, of which whole windows are 0 to 579.
    assert described.mean == pytest.approx(np.arange(580).mean())
    assert described.std == pytest.approx(np.arange(580).std())
    assert (described.quantiles[0], described.quantiles[-1]) == (0.0, 579.0)

"""A few seconds become one number by name, for any type."""

import numpy as np
import pytest

from gustbed_core.aggregates import Aggregate, Aggregator, check_aggregates
from gustbed_core.errors import GustbedError

CHANNELS = ("a", "b", "c")
ALL = (
    Aggregate("mean_a", "mean", ("a",)),
    Aggregate("low_b", "min", ("b",)),
    Aggregate("high_b", "max", ("b",)),
    Aggregate("spread_c", "std", ("c",)),
    Aggregate("shake", "rms_change", ("a", "b")),
    Aggregate("missing", "mean", ("z",)),
)


def test_aggregates_over_blocks_equal_those_of_all_samples_together() -> None:
    values = np.random.default_rng(5).normal(3.0, 2.0, size=(3, 40))
    aggregator = Aggregator(ALL, CHANNELS, 4)
    for first in (0, 20):
        aggregator.add(
            np.array([2]), values[None, :, first : first + 20], np.array([100.0 + first])
        )
    (summary,) = aggregator.take(("w1", "w2", "w3", "w4"), "pump")
    assert (summary.turbine, summary.type, summary.t) == ("w3", "pump", 120.0)
    changes = np.concatenate([np.diff(values[:2, :20]), np.diff(values[:2, 20:])], axis=1)
    assert summary.values == pytest.approx(
        {
            "mean_a": values[0].mean(),
            "low_b": values[1].min(),
            "high_b": values[1].max(),
            "spread_c": values[2].std(),
            "shake": np.sqrt(np.square(changes).sum() / changes.shape[1]),
        },
        abs=1e-4,
    )
    assert aggregator.take(("w1", "w2", "w3", "w4"), "pump") == []


def test_turbines_are_kept_apart() -> None:
    aggregator = Aggregator(ALL[:1], CHANNELS, 2)
    values = np.stack([np.full((3, 5), 1.0), np.full((3, 5), 9.0)])
    aggregator.add(np.array([0, 1]), values, np.array([1.0, 2.0]))
    found = aggregator.take(("w1", "w2"), "pump")
    assert [summary.values["mean_a"] for summary in found] == [1.0, 9.0]


@pytest.mark.parametrize(
    ("aggregate", "says"),
    [
        (Aggregate("x", "mean", ("z",)), "no channel 'z'"),
        (Aggregate("x", "mean", ("a", "b")), "mean of 2 channels"),
    ],
)
def test_a_wrong_aggregate_is_named(aggregate: Aggregate, says: str) -> None:
    with pytest.raises(GustbedError, match=says):
        check_aggregates([aggregate], CHANNELS, "pump.yaml: aggregates")

"""Ring buffers, thinning, and what charts are made of."""

import numpy as np
import pytest
from numpy.typing import NDArray

from gustbed_core.channels import CHANNEL_INDEX, CHANNELS
from gustbed_core.telemetry import MINI, Samples
from gustbed_dashboard import charts
from gustbed_dashboard.rings import MAX_COLUMNS, Ring, Table, resample
from gustbed_dashboard.signals import KEPT_HZ, MINI_COLUMNS, signals, thin


def test_a_ring_keeps_the_newest_rows_in_order_across_its_seam() -> None:
    ring = Ring(5, 1)
    for i in range(8):
        ring.append(np.array([float(i)]), np.array([[i * 10.0]]))

    times, rows = ring.since(4.0)

    assert times.tolist() == [4, 5, 6, 7]
    assert rows[:, 0].tolist() == [40, 50, 60, 70]
    assert len(ring) == 5


def test_a_batch_larger_than_the_ring_leaves_its_end() -> None:
    ring = Ring(3, 2)
    ring.append(np.arange(10.0), np.arange(20.0).reshape(10, 2))

    times, rows = ring.since(0)

    assert times.tolist() == [7, 8, 9]
    assert rows[-1].tolist() == [18, 19]


def test_a_table_follows_the_names_that_come_and_keeps_what_stays() -> None:
    table = Table(4)
    table.append(np.array([1.0]), ["a", "b"], np.array([[1.0, 10.0]]))
    table.append(np.array([2.0]), ["b", "a"], np.array([[20.0, 2.0]]))
    table.append(np.array([3.0]), ["b", "c"], np.array([[30.0, 300.0]]))

    times, columns = table.since(0)

    assert times.tolist() == [1, 2, 3]
    assert list(columns) == ["b", "c"]
    assert columns["b"].tolist() == [10, 20, 30]
    assert np.isnan(columns["c"][:2]).all()
    assert table.since(0, ["c", "missing"])[1].keys() == {"c"}


def test_a_table_is_bounded_in_rows_and_columns_and_takes_no_memory_before_the_first() -> None:
    table = Table(3)
    assert table._ring is None
    names = [f"x{i}" for i in range(MAX_COLUMNS + 40)]
    table.append(np.arange(9.0), names, np.zeros((9, len(names))))

    times, columns = table.since(0)

    assert times.tolist() == [6, 7, 8]
    assert list(columns) == names[:MAX_COLUMNS]


def test_resampling_means_per_bin_and_leaves_gaps_empty() -> None:
    times = np.array([-3.5, -3.2, -0.5, 0.0, 9.0])
    values = np.array([1.0, 3.0, 5.0, np.nan, 7.0])

    assert resample(times, values, 0.0, 4.0, 4) == [2.0, None, None, 5.0]


def _samples(rate: float, n: int) -> Samples:
    values = np.zeros((len(CHANNELS), n))
    values[CHANNEL_INDEX["qw"]] = 1.0
    values[CHANNEL_INDEX["ax"]] = np.tile([30.0, -30.0], n // 2)
    return Samples("wt01", "b", 0, 100.0, 1 / rate, values)


@pytest.mark.parametrize("rate", [2.0, 20.0, 50.0])
def test_blocks_are_thinned_to_about_the_kept_rate_with_the_newest_sample(rate: float) -> None:
    samples = _samples(rate, 100)

    times, names, rows = thin(samples)

    assert names == MINI_COLUMNS
    assert rows.shape == (len(times), len(names))
    assert times[-1] == pytest.approx(samples.end)
    assert len(times) <= 100 / rate * KEPT_HZ * 1.5
    assert rows[0, -1] == pytest.approx(60.0)


def _columns(rows: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    return {name: rows[:, place] for place, name in enumerate(MINI_COLUMNS)}


def test_attitude_is_in_degrees() -> None:
    rows = np.zeros((3, len(MINI_COLUMNS)), dtype=np.float32)
    half = np.radians(10) / 2
    rows[:, CHANNEL_INDEX["qw"]], rows[:, CHANNEL_INDEX["qx"]] = np.cos(half), np.sin(half)

    named = signals(MINI, np.array([98.0, 99.0, 100.0]), _columns(rows), 100.0)

    assert named.values["roll"].tolist() == pytest.approx([10, 10, 10], abs=1e-3)
    assert named.age.tolist() == [-2, -1, 0]


def test_signals_of_nothing_are_empty() -> None:
    none = _columns(np.empty((0, len(MINI_COLUMNS)), dtype=np.float32))

    assert {len(values) for values in signals(MINI, np.empty(0), none, 1.0).values.values()} == {0}


def test_another_type_keeps_its_channels_as_they_come_and_nothing_is_added() -> None:
    values = np.arange(40.0).reshape(2, 20)
    samples = Samples("wt01", "b", 0, 100.0, 0.05, values, "crane", ("hoist", "boom"))

    times, names, rows = thin(samples)
    named = signals("crane", times, {"hoist": rows[:, 0], "boom": rows[:, 1]}, 101.0)

    assert names == ("hoist", "boom")
    assert rows[-1].tolist() == [19.0, 39.0]
    assert set(named.values) == {"hoist", "boom"}


def test_a_silence_breaks_the_line() -> None:
    age = np.array([-10.0, -9.5, -2.0, -1.5])
    table = charts.rows(age, {"a": np.arange(4.0), "b": np.arange(4.0)}).to_pydict()

    assert table["value"][:5] == [0.0, 1.0, None, 2.0, 3.0]
    assert table["series"] == ["a"] * 5 + ["b"] * 5


def test_a_chart_without_data_is_an_empty_table() -> None:
    assert charts.rows(np.empty(0), {"a": np.empty(0)}).num_rows == 0
    assert charts.rows(np.arange(3.0), {}).num_rows == 0


def test_the_specification_holds_no_data_and_a_fixed_domain() -> None:
    chart = charts.LineChart({"a": "#fff"}, "1/s", 120, 0.0, 4.0, threshold=1.0)

    first, second = charts.specification(chart), charts.specification(chart)

    assert first == second
    assert "data" not in first
    assert "datasets" not in first
    assert all("data" not in layer for layer in first["layer"])
    encoding = first["layer"][0]["encoding"]
    assert encoding["x"]["scale"]["domain"] == [-120, 0]
    assert encoding["y"]["scale"]["domain"] == [0.0, 4.0]


def test_a_domain_grows_in_whole_steps_and_never_shrinks_below_its_floor() -> None:
    assert charts.domain([np.array([1.0])], 0, 4, 2) == (0, 4)
    assert charts.domain([np.array([4.1, -0.5, np.nan])], 0, 4, 2) == (-2, 6)
    assert charts.domain([np.empty(0)], 0, 4, 2) == (0, 4)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], (0.0, 1.0)),
        ([0.0, 0.0], (0.0, 1.0)),
        ([0.1, 9.4], (0.0, 10.0)),
        ([66.0, 66.1], (66.0, 67.0)),
        ([-3.0, 4.0], (-5.0, 5.0)),
    ],
)
def test_a_domain_of_unknown_signals_is_round_and_no_microscope(
    values: list[float], expected: tuple[float, float]
) -> None:
    low, high = charts.fitted_domain([np.array(values)])

    assert (low, high) == pytest.approx(expected)
    assert all(low <= value <= high for value in values)

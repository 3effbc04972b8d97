"""Ring buffers, thinning, and what charts are made of."""

import numpy as np
import pytest

from gustbed_dashboard import charts
from gustbed_dashboard.rings import Ring, resample
from gustbed_dashboard.signals import COLUMNS, KEPT_HZ, signals, thin
from gustbed_protocol.channels import CHANNEL_INDEX, CHANNELS
from gustbed_protocol.telemetry import Samples


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

    times, rows = thin(samples)

    assert rows.shape == (len(times), COLUMNS)
    assert times[-1] == pytest.approx(samples.end)
    assert len(times) <= 100 / rate * KEPT_HZ * 1.5
    assert rows[0, -1] == pytest.approx(60.0)


def test_attitude_is_in_degrees() -> None:
    rows = np.zeros((3, COLUMNS), dtype=np.float32)
    half = np.radians(10) / 2
    rows[:, CHANNEL_INDEX["qw"]], rows[:, CHANNEL_INDEX["qx"]] = np.cos(half), np.sin(half)

    named = signals(np.array([98.0, 99.0, 100.0]), rows, 100.0)

    assert named.values["roll"].tolist() == pytest.approx([10, 10, 10], abs=1e-3)
    assert named.age.tolist() == [-2, -1, 0]


def test_signals_of_nothing_are_empty() -> None:
    named = signals(np.empty(0), np.empty((0, COLUMNS), dtype=np.float32), 1.0)

    assert {len(values) for values in named.values.values()} == {0}


def test_a_silence_breaks_the_line() -> None:
    age = np.array([-10.0, -9.5, -2.0, -1.5])
    table = charts.rows(age, {"a": np.arange(4.0), "b": np.arange(4.0)}).to_pydict()

    assert table["value"][:5] == [0.0, 1.0, None, 2.0, 3.0]
    assert table["series"] == ["a"] * 5 + ["b"] * 5


def test_a_chart_without_data_is_an_empty_table() -> None:
    assert charts.rows(np.empty(0), {"a": np.empty(0)}).num_rows == 0


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

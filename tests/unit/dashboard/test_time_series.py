"""Ring buffers, thinning, and what charts are made of."""

import numpy as np
import pytest

from gustbed_core.telemetry import Samples
from gustbed_dashboard.components import charts
from gustbed_dashboard.site.ring_buffer import MAX_COLUMNS, RingBuffer, TimeSeriesBuffer, resample
from gustbed_dashboard.site.signals import KEPT_HZ, Downsampler, signal_history
from tests.unit.dashboard.messages import KNOWN, MINI, TYPES

CHANNELS = KNOWN[MINI].channel_names


def test_a_ring_keeps_the_newest_rows_in_order_across_its_seam() -> None:
    ring = RingBuffer(5, 1)
    for i in range(8):
        ring.append(np.array([float(i)]), np.array([[i * 10.0]]))

    times, rows = ring.since(4.0)

    assert times.tolist() == [4, 5, 6, 7]
    assert rows[:, 0].tolist() == [40, 50, 60, 70]
    assert len(ring) == 5


def test_a_batch_larger_than_the_ring_leaves_its_end() -> None:
    ring = RingBuffer(3, 2)
    ring.append(np.arange(10.0), np.arange(20.0).reshape(10, 2))

    times, rows = ring.since(0)

    assert times.tolist() == [7, 8, 9]
    assert rows[-1].tolist() == [18, 19]


def test_a_table_follows_the_names_that_come_and_keeps_what_stays() -> None:
    table = TimeSeriesBuffer(4)
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
    table = TimeSeriesBuffer(3)
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
    values[CHANNELS.index("qw")] = 1.0
    values[CHANNELS.index("ax")] = np.tile([30.0, -30.0], n // 2)
    return Samples("wt01", "b", 0, 100.0, 1 / rate, values, MINI, CHANNELS)


@pytest.mark.parametrize("rate", [2.0, 20.0, 50.0])
def test_blocks_are_thinned_to_about_the_kept_rate_with_the_newest_sample(rate: float) -> None:
    samples = _samples(rate, 100)

    downsample = Downsampler(KNOWN[MINI], samples.names)

    times, rows = downsample(samples)

    assert downsample.names == (*CHANNELS, "vibration"), "an aggregate that is no channel"
    assert rows.shape == (len(times), len(downsample.names))
    assert times[-1] == pytest.approx(samples.end)
    assert len(times) <= 100 / rate * KEPT_HZ * 1.5
    assert rows[0, -1] == pytest.approx(60.0)


def test_features_that_are_no_channel_come_to_the_signals_angles_in_degrees() -> None:
    half = np.radians(10) / 2
    columns = {name: np.zeros(3, dtype=np.float32) for name in CHANNELS}
    columns["qw"][:], columns["qx"][:] = np.cos(half), np.sin(half)

    history = signal_history(KNOWN[MINI], np.array([98.0, 99.0, 100.0]), columns, 100.0)

    assert list(history.values) == [*CHANNELS, "roll", "pitch", "yaw"]
    assert history.values["roll"].tolist() == pytest.approx([10, 10, 10], abs=1e-3)
    assert history.age.tolist() == [-2, -1, 0]


def test_a_feature_whose_channels_do_not_come_is_left_out() -> None:
    columns = {"pitch": np.ones(2), "pitch_demand": np.zeros(2), "wind_direction": np.ones(2)}

    history = signal_history(KNOWN["nrel_5mw"], np.array([1.0, 2.0]), columns, 2.0)

    assert set(history.values) == {*columns, "pitch_error"}
    assert history.values["pitch_error"].tolist() == [1, 1]


def test_signals_of_nothing_are_empty() -> None:
    none = {name: np.empty(0) for name in CHANNELS}

    history = signal_history(KNOWN[MINI], np.empty(0), none, 1.0)

    assert {len(values) for values in history.values.values()} == {0}


def test_a_type_without_a_file_keeps_its_channels_as_they_come_and_nothing_is_added() -> None:
    values = np.arange(40.0).reshape(2, 20)
    names = ("hoist", "boom")
    samples = Samples("wt01", "b", 0, 100.0, 0.05, values, "crane", names)
    crane = TYPES.get("crane", names)
    downsample = Downsampler(crane, names)

    times, rows = downsample(samples)
    history = signal_history(crane, times, {"hoist": rows[:, 0], "boom": rows[:, 1]}, 101.0)

    assert downsample.names == names
    assert rows[-1].tolist() == [19.0, 39.0]
    assert set(history.values) == set(names)


def test_a_silence_breaks_the_line() -> None:
    age = np.array([-10.0, -9.5, -2.0, -1.5])
    table = charts.rows(age, {"a": np.arange(4.0), "b": np.arange(4.0)}).to_pydict()

    assert table["value"][:5] == [0.0, 1.0, None, 2.0, 3.0]
    assert table["series"] == ["a"] * 5 + ["b"] * 5


def test_a_chart_without_data_is_an_empty_table() -> None:
    assert charts.rows(np.empty(0), {"a": np.empty(0)}).num_rows == 0
    assert charts.rows(np.arange(3.0), {}).num_rows == 0


def test_the_specification_holds_no_data_and_a_fixed_domain() -> None:
    chart = charts.LineChart({"a": "#fff"}, "1/s", 120, 0.0, 4.0, thresholds=(1.0,))

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

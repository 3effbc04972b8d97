"""Who may learn from what: by role, by time, by turbine, by the dataset's own word."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gustbed_core.errors import GustbedError
from gustbed_training.data.card import SplitRule
from gustbed_training.data.dataset import Source
from gustbed_training.data.leakage import check_no_leakage
from gustbed_training.data.partition import Label, Part, Partition, Recording
from gustbed_training.data.shortfall import FEWEST_TO_FIT, FEWEST_TO_SPLIT
from gustbed_training.data.split import (
    assignments,
    by_stretch,
    by_time,
    evaluation_parts,
    partition_dataset,
    shortest_to_split,
)
from gustbed_training.durations import duration
from tests.unit.training.recorded import pump, pump_schema
from tests.unit.training.splitting import MADE, SCHEMA, Made, made

LEAK = Label("leak", 300, 350)


def spans(parts: list[Part]) -> list[tuple[str, int, int]]:
    return [(part.recording.turbine, part.start, part.stop) for part in parts]


@given(st.integers(1, 30_000), st.integers(2, 300))
def test_by_time_no_window_sees_two_parts_nor_does_its_neighbour(samples: int, window: int) -> None:
    schema = pump_schema(window=window)
    given_parts = by_time([pump(samples)], schema)
    if not given_parts:
        assert samples < shortest_to_split(schema)
        return
    partition, parts = zip(*given_parts, strict=True)
    assert partition == ("train", "calibrate", "test")
    assert parts[0].start == 0
    assert parts[2].stop == samples
    assert all(part.stop - part.start >= window for part in parts)
    for before, after in pairwise(parts):
        assert after.start - before.stop >= window


@given(
    st.lists(st.tuples(st.integers(10, 200), st.integers(1, 30)), min_size=2, max_size=12),
    st.sampled_from([None, 0.3, 0.8]),
    st.sets(st.integers(0, 11), max_size=3),
)
def test_breaks_shorter_than_a_window_are_no_leak(
    stretches: list[tuple[int, int]], fit: float | None, faulty: set[int]
) -> None:
    recordings, start = [], 0
    learnt = round((fit or 0) * sum(samples for samples, _ in stretches))
    for number, (samples, pause) in enumerate(stretches):
        labels = (Label("leak", 3, 6),) if number in faulty else ()
        limit = None if fit is None else min(max(learnt - start, 0), samples)
        recordings.append(pump(samples, start=float(start), labels=labels, fit=limit))
        start += samples + pause
    dataset = made({"a": recordings})
    try:
        partition = partition_dataset(dataset)
    except GustbedError:
        # Too little of it is without a fault.
        return
    check_no_leakage(partition, SCHEMA)
    tested = {part.recording.start for part in partition.test}
    assert all(each.start in tested for each in recordings if each.labels and fit is None)


def test_a_year_that_breaks_often_is_shared_out_as_a_whole() -> None:
    recordings = [pump(40, start=float(43 * i)) for i in range(100)]
    partition = partition_dataset(made({"a": recordings}))
    ends = [
        [part.recording.start + part.stop for part in parts]
        for parts in (partition.train, partition.calibrate, partition.test)
    ]
    assert max(ends[0]) < min(ends[1]) < max(ends[1]) < min(ends[2])
    assert [round(len(each) / 100, 1) for each in ends] == [0.6, 0.2, 0.2]


def test_runs_keep_their_role_and_training_runs_are_shared_out_by_time() -> None:
    partition = partition_dataset(
        made({
            "train-a": [pump(1000, name="a")],
            "calibrate-b": [pump(500, name="b")],
            "test-c": [pump(400, name="c")],
            "fault-d": [pump(400, name="d", labels=[LEAK])],
        })
    )  # fmt: skip
    assert spans(partition.train) == [("a", 0, 588)]
    assert spans(partition.calibrate) == [("a", 598, 794), ("b", 0, 500)]
    assert spans(partition.test) == [("a", 804, 1000), ("c", 0, 400), ("d", 0, 400)]
    check_no_leakage(partition, SCHEMA)


def test_a_labelled_recording_never_teaches() -> None:
    dataset = made({
        "mine": [pump(1000, name="mine")],
        "hurt": [pump(1000, name="hurt", labels=[LEAK])],
        "calibrate-x": [pump(1000, name="x", labels=[LEAK])],
    })  # fmt: skip
    partition = partition_dataset(dataset)
    learnt = {part.recording.turbine for part in (*partition.train, *partition.calibrate)}
    assert learnt == {"mine"}
    assert ("hurt", 0, 1000) in spans(partition.test)


@given(st.integers(40, 400), st.integers(2, 30))
def test_of_the_first_samples_some_train_and_some_calibrate(fit: int, window: int) -> None:
    schema = pump_schema(window=window)
    recording = pump(1000, fit=fit)
    dataset = made({"a": [recording]}, SplitRule(fit=fit), schema)
    if fit < 3 * window:
        with pytest.raises(GustbedError, match="nothing to train on"):
            partition_dataset(dataset)
        return
    partition = partition_dataset(dataset)
    ((_, first, trained),) = spans(partition.train)
    ((_, calibrate, until),) = spans(partition.calibrate)
    assert first == 0
    assert calibrate - trained == window
    assert until == fit
    assert min(trained, until - calibrate) >= window
    if fit >= 4 * window / 0.3:
        assert trained == round(0.7 * fit)
    assert spans(partition.test) == [("a", fit, 1000)]
    check_no_leakage(partition, schema)


def test_the_benchmarks_400_rows_suffice_with_windows_of_ten_to_thirty() -> None:
    for window in (10, 20, 30):
        schema = pump_schema(window=window)
        dataset = made({"a": [pump(1100, fit=400)]}, SplitRule(fit=400), schema)
        partition = partition_dataset(dataset)
        assert spans(partition.train) == [("a", 0, 280)]
        assert spans(partition.calibrate) == [("a", 280 + window, 400)]


def test_a_label_within_the_first_samples_ends_what_is_learnt() -> None:
    recording = pump(1000, fit=400, labels=[LEAK])
    partition = partition_dataset(made({"a": [recording]}, SplitRule(fit=400)))
    assert spans(partition.calibrate)[0][2] == LEAK.start
    assert spans(partition.test) == [("a", 400, 1000)]


def test_whole_turbines_are_kept_for_tests() -> None:
    rule = SplitRule(test_turbines=("c",))
    dataset = made(
        {
            "a": [pump(1000, name="a")],
            "b": [pump(1000, name="b", labels=[LEAK])],
            "c": [pump(1000, name="c", labels=[LEAK])],
        },
        rule,
    )
    partition = partition_dataset(dataset)
    assert spans(partition.train) == [("a", 0, 750)]
    assert spans(partition.calibrate) == [("a", 760, 1000)]
    assert spans(partition.test) == [("c", 0, 1000)]
    check_no_leakage(partition, SCHEMA, rule.test_turbines)
    assert [part.recording.turbine for part in evaluation_parts(dataset)] == ["c"]


def test_captured_stretches_are_shared_out_whole_and_in_order_of_time() -> None:
    stretches = [pump(100, name="ab"[i % 2], start=200.0 * i) for i in range(20)]
    partition = Partition()
    for subset, part in by_stretch(stretches, SCHEMA):
        getattr(partition, subset).append(part)
    assert [len(partition.train), len(partition.calibrate), len(partition.test)] == [12, 4, 4]
    latest = max(part.recording.start for part in partition.train)
    assert latest < min(part.recording.start for part in partition.calibrate)
    assert all((part.start, part.stop) == (0, 100) for part in partition.test)
    check_no_leakage(partition, SCHEMA)


def test_stretches_that_follow_at_once_keep_their_distance() -> None:
    stretches = [pump(100, start=103.0 * i) for i in range(10)]
    partition = Partition()
    for subset, part in by_stretch(stretches, SCHEMA):
        getattr(partition, subset).append(part)
    assert partition.calibrate[0].start == SCHEMA.window - 3
    check_no_leakage(partition, SCHEMA)


ALL_FAULTY = Label("leak", 0, 1000)


@pytest.mark.parametrize(
    ("recordings", "rule", "cause", "remedy"),
    [
        pytest.param(
            {"a": [pump(1000, labels=[LEAK])]}, SplitRule(),
            "nothing to train on: a recording with a labelled fault is for tests alone, as "
            "a.parquet is",
            "let the time before the first fault teach (split: {fit_s: 300} in the map of the "
            "import), or add one without faults of 70 samples (70 s) at least",
            id="one recording, labelled",
        ),
        pytest.param(
            {name: [pump(1000, labels=[Label("leak", 20, 50)])] for name in ("a", "b")},
            SplitRule(),
            "as a.parquet is, and so are all 2",
            "add one without faults of 70 samples (70 s) at least",
            id="all labelled, from early on",
        ),
        pytest.param(
            {"a": [pump(1000, labels=[ALL_FAULTY])]}, SplitRule(),
            "every row is labelled as a fault, from a.parquet on",
            "in a column of labels 0 stands for no fault: check it, or leave it out of the map",
            id="labels the wrong way round",
        ),
        pytest.param(
            {"a": [pump(40)], "b": [pump(60)]}, SplitRule(),
            "the longest normal recording, b.parquet, has 60 samples (60 s)",
            "give 70 samples (70 s) at least without a break, or set a shorter window",
            id="short",
        ),
        pytest.param(
            {"a": [pump(12, start=15.0 * i) for i in range(6)]}, SplitRule(),
            "a.parquet is cut into 6 stretches, the longest of 12 samples (12 s)",
            "hold short gaps by max_gap_s in the map, set a shorter window, or give more",
            id="cut to pieces",
        ),
        pytest.param(
            {"a": [pump(1000, fit=20)]}, SplitRule(fit=20),
            "of a.parquet the first 20 samples (20 s) may be learnt from, 3 windows without a "
            "break are 30",
            "raise fit_rows or fit_s in the map's split, or set a shorter window",
            id="too few to fit",
        ),
        pytest.param(
            {"a": [pump(1000, fit=400, labels=[Label("leak", 25, 50)])]}, SplitRule(fit=400),
            "in a.parquet a fault is labelled from sample 25 on, 3 windows before it are 30",
            "add recordings that begin without a fault, or set a shorter window",
            id="a fault in what is to fit",
        ),
        pytest.param(
            {"a": [pump(1000, fit=995)]}, SplitRule(fit=995),
            "nothing to test on: of the 1000 samples of a.parquet the first 995 are to be learnt "
            "from, which leaves no window of 10",
            "set fit_rows or fit_s in the map's split to 990 samples (16.5 min) at most",
            id="all to fit",
        ),
        pytest.param(
            {"a": [pump(1000, name="a")]}, SplitRule(test_turbines=("a",)),
            "split.test_turbines keeps every turbine for tests", "leave one to learn from out",
            id="every turbine tests",
        ),
        pytest.param(
            {"test-a": [pump(1000)]}, SplitRule(),
            "the runs' folders say that all are for something else",
            "name the folder of a normal run train-…; of these the later part calibrates and tests",
            id="roles",
        ),
        pytest.param(
            {"a": [pump(1000)]}, SplitRule(by_stretch=True),
            "nothing to calibrate on: 1 normal stretch cannot be shared out whole",
            "wait for more of about one length",
            id="one stretch",
        ),
    ],
)  # fmt: skip
def test_what_leaves_nothing_to_learn_from_is_named_with_what_to_do(
    recordings: dict[str, list[Recording]], rule: SplitRule, cause: str, remedy: str
) -> None:
    with pytest.raises(GustbedError) as caught:
        partition_dataset(made(recordings, rule))
    assert caught.value.what.startswith("made: nothing to ")
    assert caught.value.what.endswith(cause)
    assert caught.value.remedy == remedy


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.5, "0.5 s"), (119, "119 s"), (120, "2 min"), (7201, "2.1 h"), (172_800, "2 days")],
)
def test_durations_are_said_in_a_unit_that_suits_and_never_too_short(
    seconds: float, words: str
) -> None:
    assert duration(seconds) == words


def test_what_a_message_asks_for_suffices_and_a_sample_less_does_not() -> None:
    for window in (2, 10, 33):
        schema = pump_schema(window=window)
        for few, rule, fit in (
            (FEWEST_TO_SPLIT * window, SplitRule(), None),
            (FEWEST_TO_FIT * window, SplitRule(fit=FEWEST_TO_FIT * window), window * 3),
        ):
            rest = 0 if fit is None else window
            assert partition_dataset(made({"a": [pump(few + rest, fit=fit)]}, rule, schema)).test
            less = [pump(few + rest - 1, fit=fit and fit - 1)]
            with pytest.raises(GustbedError, match="nothing to train on"):
                partition_dataset(made({"a": less}, rule, schema))


def test_a_bound_on_hours_shortens_what_is_learnt_and_not_what_is_tested() -> None:
    recordings = {"train-a": [pump(5000, name="a")], "fault-b": [pump(5000, name="b")]}
    partition = partition_dataset(made(recordings), hours=0.1)
    assert partition.train[0].recording.samples == 360
    assert spans(partition.test)[-1] == ("b", 0, 5000)


def test_files_that_hold_nothing_wanted_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = made({"train-a": [pump(1000, name="a")], "fault-b": [pump(400, name="b")]})
    read: list[str] = []

    def note(_: Made, source: Source) -> list[Recording]:
        read.append(source.path.stem)
        return MADE[source.path.stem]

    monkeypatch.setattr(Made, "read", note)
    partition_dataset(dataset, want=("train", "calibrate"))
    assert read == ["train-a"]


def test_evaluation_takes_what_is_kept_for_it_else_everything() -> None:
    kept = made({"train-a": [pump(1000, name="a")], "fault-b": [pump(400, name="b")]})
    assert [part.recording.turbine for part in evaluation_parts(kept)] == ["b"]
    everything = made({"mine": [pump(1000, name="mine")]})
    assert spans(list(evaluation_parts(everything))) == [("mine", 0, 1000)]
    described = made({"mine": [pump(1000, name="mine", fit=400)]}, SplitRule(fit=400))
    assert spans(list(evaluation_parts(described))) == [("mine", 400, 1000)]


def test_short_recordings_are_told_of() -> None:
    dataset = made({"a": [pump(1000), pump(30)]})
    assert [len(parts) for _, _, parts in assignments(dataset)] == [3, 0]

"""Captured stretches become a dataset: normal ones, once each, joined where they touch; and in
periods that were declared normal, whatever the model said.
"""

import gzip
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gustbed_core.capture import Capture, CaptureBatch, pack
from gustbed_core.errors import GustbedError
from gustbed_training.data.dataset import open_dataset
from gustbed_training.data.lake import Declared, import_captures, tell_left_out
from gustbed_training.data.leakage import check_no_leakage
from gustbed_training.data.normal_periods import OUTSIDE, NormalPeriod, parse_periods
from gustbed_training.data.outliers import FEWEST, MOST, trim
from gustbed_training.data.split import partition_dataset
from tests.unit.training.recorded import pump_schema

PUMP = pump_schema(window=10, rate=2.0)
T0 = 1_700_000_000.0


def capture(first: int, count: int = 20, turbine: str = "wt01", boot: str = "b1") -> Capture:
    """Samples ``first`` to ``first + count``, which count, of one turbine."""
    numbers = np.arange(first, first + count, dtype=np.float64)
    values = np.stack([numbers % 7, numbers, numbers * 0 + 5])
    return Capture(
        turbine, "pump", boot, T0 + first / 2, 0.5, ["flow", "warmth", "other"], pack(values),
        [0.1], 0, None,
    )  # fmt: skip


def lake(
    folder: Path, captures: Sequence[Capture], name: str = "a.jsonl", site: str = "s1"
) -> Path:
    path = folder / "2024" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        msgspec.json.encode(CaptureBatch("gustbed-s1", site, [each])) + b"\n" for each in captures
    ]
    # The cloud compresses every line by itself.
    parts = map(gzip.compress, lines) if name.endswith(".gz") else lines
    path.write_bytes(b"".join(parts))
    return folder


def test_captures_are_joined_where_they_touch_and_cut_where_not(tmp_path: Path) -> None:
    captures = [capture(40), capture(0), capture(20), capture(100), capture(110)]
    lines: list[str] = []
    out = import_captures(lake(tmp_path / "lake", captures), PUMP, tmp_path / "out", lines.append)
    first, second = open_dataset(out).recordings()
    assert (first.turbine, first.start, first.samples) == ("s1-wt01", 0.0, 60)
    np.testing.assert_array_equal(first.values[0], np.arange(60))
    # The fifth begins while the fourth still lasts.
    assert (second.start, second.samples) == (50.0, 30)
    np.testing.assert_array_equal(second.values[0], np.arange(100, 130))
    np.testing.assert_array_equal(second.values[1], np.arange(100, 130) % 7)
    assert "5 used" in lines[0]


def test_another_boot_is_another_stretch(tmp_path: Path) -> None:
    captures = [capture(0), capture(20, boot="b2")]
    out = import_captures(lake(tmp_path / "lake", captures), PUMP, tmp_path / "out", _quiet)
    assert [each.samples for each in open_dataset(out).recordings()] == [20, 20]


def test_only_normal_stretches_of_the_type_are_used_and_each_once(tmp_path: Path) -> None:
    good = capture(0)
    captures = [
        good,
        good,
        replace(capture(40), anomalies=2),
        replace(capture(80), reason="event"),
        replace(capture(120), type="mini"),
        replace(capture(160), dt=0.05),
        replace(capture(200), channels=["flow", "a", "b"]),
        replace(capture(240), values="AAAA"),
        replace(capture(280), turbine="../wt01"),
        capture(320, turbine="wt02"),
    ]
    lines: list[str] = []
    folder = lake(tmp_path / "lake", captures, "a.jsonl.gz")
    (folder / "2024" / "torn.jsonl.gz").write_bytes(gzip.compress(b'{"thing"')[:-9])
    (folder / "2024" / "other.jsonl").write_text("not a batch\n")
    out = import_captures(folder, PUMP, tmp_path / "out", lines.append)
    dataset = open_dataset(out)
    assert sorted(path.name for path in out.glob("*.parquet")) == [
        "s1-wt01.parquet", "s1-wt02.parquet",
    ]  # fmt: skip
    assert [each.samples for each in dataset.recordings()] == [20, 20]
    assert dataset.card["captures"] == {
        "used": 2, "repeated": 1, "with an anomaly": 1, "of an event": 1, "of another type": 1,
        "of another rate": 1, "without a channel that the model needs": 1, "broken": 4,
    }  # fmt: skip
    assert "1 of an event" in lines[0]


def test_sites_with_turbines_of_one_name_stay_apart(tmp_path: Path) -> None:
    lake(tmp_path / "lake", [capture(0)])
    lake(tmp_path / "lake", [capture(0)], "b.jsonl", site="s2")
    out = import_captures(tmp_path / "lake", PUMP, tmp_path / "out", _quiet)
    assert {each.turbine for each in open_dataset(out).recordings()} == {"s1-wt01", "s2-wt01"}


def test_shares_are_whole_stretches_in_order_of_time(tmp_path: Path) -> None:
    captures = [capture(100 * i, 40, f"wt0{i % 2}") for i in range(20)]
    out = import_captures(lake(tmp_path / "lake", captures), PUMP, tmp_path / "out", _quiet)
    dataset = open_dataset(out)
    partition = partition_dataset(dataset)
    assert [len(partition.train), len(partition.calibrate), len(partition.test)] == [12, 4, 4]
    assert max(p.recording.start for p in partition.train) < partition.calibrate[0].recording.start
    check_no_leakage(partition, dataset.schema)


def test_an_empty_lake_is_said_and_nothing_is_left_behind(tmp_path: Path) -> None:
    (tmp_path / "lake").mkdir()
    with pytest.raises(GustbedError, match=r"no \.jsonl"):
        import_captures(tmp_path / "lake", PUMP, tmp_path / "out", _quiet)
    lake(tmp_path / "lake", [replace(capture(0), type="mini")])
    with pytest.raises(GustbedError, match="no normal capture of type pump"):
        import_captures(tmp_path / "lake", PUMP, tmp_path / "out", _quiet)
    assert [path.name for path in tmp_path.iterdir()] == ["lake"]


def alarmed(first: int, turbine: str = "wt01") -> Capture:
    return replace(capture(first, turbine=turbine), anomalies=3)


def test_what_the_model_called_anomalous_is_counted_and_how_to_declare_it_is_said(
    tmp_path: Path,
) -> None:
    captures = [capture(0), alarmed(40), alarmed(80), replace(capture(120), reason="event")]
    lines: list[str] = []
    out = import_captures(lake(tmp_path / "lake", captures), PUMP, tmp_path / "out", _quiet)
    tell_left_out(out, lines.append)
    (line,) = lines
    assert line.startswith("3 of 4 captures were left out because the model called them anomalous")
    assert "--normal FROM..TO" in line
    only = lake(tmp_path / "bad", [alarmed(0), alarmed(40)])
    with pytest.raises(GustbedError, match="called 2 anomalous") as caught:
        import_captures(only, PUMP, tmp_path / "none", _quiet)
    assert "--normal" in str(caught.value)


def test_in_a_declared_period_captures_are_used_whatever_the_model_said(tmp_path: Path) -> None:
    captures = [alarmed(0), replace(capture(40), reason="event"), alarmed(80), capture(120),
                capture(160), alarmed(0, "wt02"), capture(40, turbine="wt02")]  # fmt: skip
    # Captures of 20 samples at 2 Hz: the first two end within 35 s, the third does not.
    period = NormalPeriod("wt01", T0, T0 + 45.0)
    out = import_captures(
        lake(tmp_path / "lake", captures), PUMP, tmp_path / "out", _quiet, Declared((period,))
    )
    found = {(each.turbine, each.start) for each in open_dataset(out).recordings()}
    assert found == {("s1-wt01", 0.0), ("s1-wt01", 20.0), ("s1-wt02", 20.0)}
    counts = open_dataset(out).card["captures"]
    assert counts == {"used": 3, OUTSIDE: 3, "with an anomaly": 1}, "wt02 is judged as before"
    everywhere = NormalPeriod("", T0, T0 + 1000.0)
    out = import_captures(
        tmp_path / "lake", PUMP, tmp_path / "all", _quiet, Declared((everywhere,))
    )
    assert open_dataset(out).card["captures"] == {"used": 7}


def test_a_commissioning_can_stand_for_a_period(tmp_path: Path) -> None:
    captures = [alarmed(0), replace(alarmed(40), commissioning="c1"),
                replace(alarmed(80), commissioning="c2")]  # fmt: skip
    folder = lake(tmp_path / "lake", captures)
    for words, used in (("commissioning", 2), ("wt01:commissioning=c2", 1)):
        declared = Declared(parse_periods(words))
        out = import_captures(folder, PUMP, tmp_path / f"out-{used}", _quiet, declared)
        assert open_dataset(out).card["captures"]["used"] == used


def test_what_is_extreme_in_a_declared_period_does_not_teach_and_is_said(tmp_path: Path) -> None:
    def steady(first: int, turbine: str, level: float) -> Capture:
        values = pack(np.full((3, 20), level))
        return replace(capture(first, turbine=turbine), values=values)

    captures = [
        steady(40 * i, turbine, 50.0 if i == 3 else 5.0)
        for turbine in ("wt01", "wt02")
        for i in range(2 * FEWEST)
    ]

    def levels(values: np.ndarray) -> np.ndarray:
        return np.array([np.abs(row).max() / 100 for row in values])

    declared = Declared((NormalPeriod("wt01"),), levels)
    folder = lake(tmp_path / "lake", captures)
    out = import_captures(folder, PUMP, tmp_path / "out", _quiet, declared)
    lines: list[str] = []
    tell_left_out(out, lines.append)
    assert open_dataset(out).card["captures"]["used"] == 4 * FEWEST - 1, "of wt01 alone"
    assert lines == [
        "1 declared captures were left out as extreme beside the others of their turbine, "
        "of 10 % at most"
    ]


@settings(max_examples=50)
@given(st.integers(1, 60), st.integers(0, 60), st.floats(0.01, 10.0), st.integers(0, 1000))
def test_never_more_than_a_bounded_share_is_trimmed_and_the_most_extreme_first(
    count: int, faulty: int, level: float, seed: int
) -> None:
    worse = min(faulty, count)
    ratios = level * np.exp(np.random.default_rng(seed).uniform(-0.1, 0.1, (count, 3)))
    ratios[:worse, 1] *= 20 * 1.5 ** np.arange(worse)
    result = trim(ratios)
    left_out = np.flatnonzero(~result.keep).tolist()
    assert len(left_out) <= min(MOST * count, result.extreme)
    if count < FEWEST or worse == 0:
        assert left_out == []
    elif worse < count / 4:
        assert result.extreme == worse
        assert left_out == list(range(worse))[-int(MOST * count) :]


@pytest.mark.parametrize(
    ("text", "period"),
    [
        (
            "2026-11-27T08:00..2026-11-27T09:30",
            NormalPeriod("", 1_795_766_400.0, 1_795_771_800.0),
        ),
        (
            "wt03:2026-11-27T09:00+01:00..2026-11-28",
            NormalPeriod("wt03", 1_795_766_400.0, 1_795_824_000.0),
        ),
        ("s1-wt03:commissioning=c7", NormalPeriod("s1-wt03", commissioning="c7")),
        ("commissioning", NormalPeriod(commissioning="")),
    ],
)
def test_periods_are_read_as_they_are_written(text: str, period: NormalPeriod) -> None:
    assert parse_periods(text) == (period,)
    assert parse_periods(f"{text}, {text}") == (period, period)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "no period"),
        ("yesterday", "no period"),
        ("yesterday..2026-11-28", "'yesterday' is no time"),
        ("wt03:noon..2026-11-28", "'noon' is no time"),
        ("2026-11-27..", "'' is no time"),
        ("2026-11-28..2026-11-27", "ends before it begins"),
        ("2026-11-27..2026-11-28,", "no period"),
    ],
)
def test_what_is_no_period_is_named(text: str, what: str) -> None:
    with pytest.raises(GustbedError, match=what):
        parse_periods(text)


def _quiet(_line: str) -> None:
    return

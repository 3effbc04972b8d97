"""Captured stretches become a dataset: normal ones, once each, joined where they touch."""

import gzip
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from gustbed_core.capture import Capture, CaptureBatch, pack
from gustbed_core.errors import GustbedError
from gustbed_training.data.dataset import open_dataset
from gustbed_training.data.lake import import_captures
from gustbed_training.data.leakage import check_no_leakage
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


def _quiet(_line: str) -> None:
    return

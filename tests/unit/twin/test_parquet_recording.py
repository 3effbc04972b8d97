"""Recordings in Parquet: of any type, by content, and how a bad one is named."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from gustbed_core.codec import encode
from gustbed_core.commands import Command
from gustbed_core.errors import GustbedError
from gustbed_core.event_kinds import VOLTAGE
from gustbed_core.settings import SiteSettings
from gustbed_twin.datasets.request import DatasetRequest
from gustbed_twin.datasets.request import write as write_dataset
from gustbed_twin.publisher.build import build_source
from gustbed_twin.publisher.commands import CommandHandler
from gustbed_twin.recordings.parquet import is_parquet, read_parquet
from gustbed_twin.recordings.text import read_recording
from gustbed_twin.settings import TwinSettings
from tests.unit.twin.miniatures import CHANNEL_NAMES, MINI


def write(path: Path, columns: dict[str, object], **about: str) -> Path:
    table = pa.table({"t": np.arange(40) / 20, **columns})
    parquet.write_table(table.replace_schema_metadata(about), path)
    return path


def utility(path: Path, **columns: object) -> Path:
    values = {"power": np.arange(40.0), "pitch": np.arange(40.0) / 4, "fault_icing": np.ones(40)}
    return write(path, {**values, **columns}, type="nrel_5mw", sample_rate_hz="20")


def settings(path: Path, **others: object) -> TwinSettings:
    return TwinSettings(replay=path, **others)  # type: ignore[arg-type]


def test_a_generated_miniature_reads_alike_from_parquet_and_csv(tmp_path: Path) -> None:
    write_dataset(DatasetRequest("mini", 1, 0.005, 3, csv="wt01"), tmp_path, force=False)
    table, text = tmp_path / "wt01.parquet", tmp_path / "wt01.csv"
    assert is_parquet(table)
    assert not is_parquet(text)
    found = read_parquet(table, MINI)
    assert (found.type, found.names, found.rate_hz) == ("mini", CHANNEL_NAMES, 20.0)
    assert np.allclose(found.values, read_recording(text, MINI).values, rtol=1e-14, atol=0)


def test_a_utility_recording_is_played_with_its_type_and_channels_but_not_its_labels(
    tmp_path: Path,
) -> None:
    # Mounted under another name, as a container has it.
    path = utility(tmp_path / "recording.csv")
    made = build_source(settings(path, replay_loop=False), SiteSettings(turbines=2))
    steps = [made.source.step() for _ in range(4)]
    assert {(step.type, step.names) for step in steps if step} == {("nrel_5mw", ("power", "pitch"))}
    power = np.concatenate([step.values[0, 0] for step in steps if step])
    assert np.array_equal(power, np.arange(40.0))
    assert made.source.step() is None


def test_a_fault_over_a_utility_recording_is_refused_not_laid_over_the_wrong_channels(
    tmp_path: Path,
) -> None:
    made = build_source(settings(utility(tmp_path / "a.parquet")), SiteSettings(turbines=1))
    desk = CommandHandler(made.source, ("wt01",))
    ack = desk.handle(0, encode(Command("inject", VOLTAGE)))
    assert ack is not None
    assert not ack.accepted
    assert "nrel_5mw" in ack.reason


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"pitch": np.full(40, np.nan)}, "row 1, column pitch"),
        ({"pitch": np.where(np.arange(40) == 6, np.inf, 0.0)}, "row 7, column pitch"),
        ({"pitch": ["high"] * 40}, "column pitch: not numbers"),
        ({"pitch": pa.array([None, *range(39)], pa.float64())}, "row 1, column pitch"),
    ],
)
def test_a_value_that_is_none_is_named(
    tmp_path: Path, columns: dict[str, object], words: str
) -> None:
    with pytest.raises(GustbedError, match=words):
        read_parquet(utility(tmp_path / "a.parquet", **columns), MINI)


def test_a_file_that_cannot_be_played_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1 and no more")
    with pytest.raises(GustbedError, match=r"a\.parquet: not Parquet"):
        read_parquet(path, MINI)
    with pytest.raises(GustbedError, match="no column rps"):
        read_parquet(write(path, {"power": np.ones(40)}), MINI)
    with pytest.raises(GustbedError, match="no channel"):
        read_parquet(write(path, {"fault_icing": np.ones(40)}, type="nrel_5mw"), MINI)
    with pytest.raises(GustbedError, match="sample_rate_hz 'fast'"):
        read_parquet(write(path, {"a": np.ones(40)}, type="x", sample_rate_hz="fast"), MINI)


@pytest.mark.parametrize(
    ("others", "variable"),
    [
        ({"replay_rate_hz": 10.0}, "REPLAY_RATE_HZ"),
        ({"interval_s": 0.33}, "INTERVAL_S times GUSTBED_TWIN_REPLAY_RATE_HZ"),
        ({"type": "other"}, "TYPE"),
        ({"legacy": "wt01"}, "LEGACY"),
        ({"checkpoint": Path("x")}, "CHECKPOINT"),
    ],
)
def test_settings_that_do_not_go_with_the_recording_are_named(
    tmp_path: Path, others: dict[str, object], variable: str
) -> None:
    path = utility(tmp_path / "a.parquet")
    with pytest.raises(GustbedError, match=f"GUSTBED_TWIN_{variable}"):
        build_source(settings(path, **others), SiteSettings(turbines=1))

"""Datasets of recordings in memory, to be split."""

from pathlib import Path

from gustbed_core.signals import Schema
from gustbed_training.data.card import SplitRule
from gustbed_training.data.dataset import Dataset, Source
from gustbed_training.data.partition import Recording
from tests.unit.training.recorded import pump_schema

SCHEMA = pump_schema(window=10)


class Made(Dataset):
    """A dataset whose recordings are in memory."""

    def read(self, source: Source) -> list[Recording]:
        return MADE[source.path.stem]


MADE: dict[str, list[Recording]] = {}


def made(
    recordings: dict[str, list[Recording]],
    rule: SplitRule | None = None,
    schema: Schema = SCHEMA,
) -> Dataset:
    """Names begin with a role, or are training data."""
    MADE.clear()
    MADE.update(recordings)
    sources = []
    for name in recordings:
        roles = {"test": "test", "fault": "fault", "calibrate": "calibrate"}
        role = roles.get(name.partition("-")[0], "train")
        sources.append(Source(Path(f"{name}.parquet"), role))  # type: ignore[arg-type]
    return Made(Path("made"), schema, tuple(sources), rule or SplitRule())

"""The recordings that a twin is fitted to: files of one turbine, or folders of datasets."""

from dataclasses import dataclass
from pathlib import Path

from gustbed_core.errors import GustbedError
from gustbed_core.turbine_types import TurbineType
from gustbed_twin.filters import Floats
from gustbed_twin.recordings.parquet import is_parquet, read_parquet
from gustbed_twin.recordings.text import read_recording

_GIVE = "give Parquet or CSV files of one turbine, or folders that `gustbed twin generate` wrote"


@dataclass(frozen=True, slots=True)
class Recorded:
    """One file's samples: ``values`` is (channels, samples), in the order of the type."""

    path: Path
    values: Floats
    rate_hz: float


def read_all(paths: list[Path], turbine: str, kind: TurbineType) -> list[Recorded]:
    """Read every file; of a folder that of ``turbine``. Raises ``GustbedError`` naming the file."""
    return [_read(_file(path, turbine), kind) for path in paths]


def _file(path: Path, turbine: str) -> Path:
    if not path.is_dir():
        return path
    file = path / f"{turbine}.parquet"
    if not file.is_file():
        raise GustbedError(f"--data {path}: no {file.name} in it", f"--turbine NAME, or {_GIVE}")
    return file


def _read(path: Path, kind: TurbineType) -> Recorded:
    if not path.is_file():
        raise GustbedError(f"--data {path}: no such file", _GIVE)
    read = read_parquet if is_parquet(path) else read_recording
    recording = read(path, kind)
    # A recording of another type of the same make has what is needed under the same names.
    missing = [name for name in kind.channel_names if name not in recording.names]
    if missing:
        raise GustbedError(
            f"{path}: no column {missing[0]}", f"give recordings of type {kind.name}"
        )
    columns = [recording.names.index(name) for name in kind.channel_names]
    rate = recording.rate_hz or kind.rate_hz
    return Recorded(path, recording.values[:, columns].T.copy(), rate)

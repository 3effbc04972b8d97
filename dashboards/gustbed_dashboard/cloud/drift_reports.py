"""Drift reports that ``gustbed model drift`` left in a folder, one JSON file a model."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from gustbed_core.drift import DriftReport

MAX_FILES = 32
MAX_BYTES = 2 * 1024 * 1024
REFRESH_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class DriftView:
    """Reports by model, and one line for each file that is none."""

    reports: list[DriftReport] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class DriftReader:
    """Reads the folder again when the last reading is old. Files are small and few."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.folder = folder
        self._clock = clock
        self._read_at = float("-inf")
        self._view = DriftView()

    def watch(self) -> DriftView:
        """What the folder holds now, or held some seconds ago."""
        if self._clock() - self._read_at > REFRESH_SECONDS:
            self._view, self._read_at = read_folder(self.folder), self._clock()
        return self._view


def read_folder(folder: Path) -> DriftView:
    """Every report below ``folder``, the newest first; a missing folder holds none."""
    view = DriftView()
    try:
        files = sorted(folder.glob("*.json"))[:MAX_FILES]
    except OSError as error:
        return DriftView(problems=[f"{folder}: {error.strerror}: make it readable"])
    for path in files:
        try:
            view.reports.append(_read(path))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            view.problems.append(f"{path}: {reason}: run `gustbed model drift` again")
    view.reports.sort(key=lambda report: -report.t)
    return view


def _read(path: Path) -> DriftReport:
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError(f"more than {MAX_BYTES} bytes are no drift report")
    return msgspec.json.decode(data, type=DriftReport)

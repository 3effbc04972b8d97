"""Scores a recording without a broker: what this machine's onnxruntime says of each window."""

import csv
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gustbed_edge.detector import Detector, violation_masks
from gustbed_edge.events import KINDS
from gustbed_protocol.channels import CHANNEL_INDEX, CHANNELS
from gustbed_protocol.errors import GustbedError
from gustbed_protocol.events import ModelRef, VerdictState
from gustbed_protocol.package import Package, read_package
from gustbed_protocol.violations import Violation

NEEDED = ("rps", "wind_speed_rps", "voltage", "qw", "qx", "qy", "qz")
"""Channels that engineered features are made of; a recording may leave the others out."""
BATCH = 256


@dataclass(frozen=True, slots=True)
class OfflineVerdict:
    """The verdict on the window that ends before ``sample`` (counted from 0)."""

    sample: int
    state: VerdictState
    score: float | None
    ratios: dict[str, float]
    violations: list[Violation]
    model: ModelRef


def open_package(path: Path) -> Package:
    """Read a package from a file. Raises ``GustbedError`` naming it."""
    try:
        return read_package(path.read_bytes())
    except OSError as error:
        raise GustbedError(f"{path}: {error.strerror}", "give a model package") from error
    except GustbedError as error:
        raise GustbedError(f"{path}: {error}", "give a whole model package") from error


def read_recording(path: Path) -> NDArray[np.float32]:
    """Channels (channels, samples) of a CSV file whose header names them.

    Raises ``GustbedError`` naming file, line and column.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(_rows(path, csv.reader(stream)))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise GustbedError(f"{path}: {error}", "give a CSV recording with a header") from error
    if not rows:
        raise GustbedError(f"{path}: no samples", "give a recording with samples in it")
    return np.array(rows, dtype=np.float32).T


def score_recording(values: NDArray[np.float32], detector: Detector) -> Iterator[OfflineVerdict]:
    """One verdict per step, of windows as they would be in the service."""
    manifest = detector.manifest
    masks = violation_masks(manifest, KINDS)
    ends = range(manifest.window, values.shape[1] + 1, manifest.step)
    columns = [CHANNEL_INDEX[name] for name in manifest.channel_names]
    for first in range(0, len(ends), BATCH):
        part = ends[first : first + BATCH]
        windows = np.stack([values[columns, end - manifest.window : end] for end in part])
        for end, ratios in zip(part, detector.score(windows), strict=True):
            yield _verdict(end, ratios, masks, detector)


def _verdict(
    end: int, ratios: NDArray[np.float32], masks: NDArray[np.bool_], detector: Detector
) -> OfflineVerdict:
    model, names = detector.model, detector.manifest.feature_names
    if np.isnan(ratios).any():
        return OfflineVerdict(end, "unknown", None, {}, [], model)
    above = ratios > 1
    named = {name: float(ratio) for name, ratio in zip(names, ratios, strict=True)}
    violations = [kind for kind, mask in zip(KINDS, masks, strict=True) if above[mask].any()]
    state: VerdictState = "anomaly" if violations else "ok"
    return OfflineVerdict(end, state, max(named.values()), named, violations, model)


def _rows(path: Path, lines: Iterable[list[str]]) -> Iterator[NDArray[np.float64]]:
    numbered = enumerate(lines, start=1)
    _, header = next(numbered, (1, []))
    columns = {name: header.index(name) for name in CHANNEL_INDEX if name in header}
    missing = [name for name in NEEDED if name not in columns]
    if missing:
        raise GustbedError(
            f"{path}: no column {missing[0]}", f"name the columns {', '.join(NEEDED)}"
        )
    for number, fields in numbered:
        if not fields:
            continue
        if len(fields) != len(header):
            raise GustbedError(
                f"{path} line {number}: {len(fields)} fields, the header has {len(header)}",
                "mend the line",
            )
        row = np.zeros(len(CHANNELS))
        for name, position in columns.items():
            row[CHANNEL_INDEX[name]] = _number(fields[position], f"{path} line {number}, {name}")
        yield row


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise GustbedError(f"{where}: {text[:40]!r} is not a number", "mend the line") from error
    if not math.isfinite(value):
        raise GustbedError(f"{where}: {text[:40]!r} is not finite", "mend the line")
    return value

"""Scores a recording without a broker: what this machine's onnxruntime says of each window."""

import csv
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gustbed_core.errors import GustbedError
from gustbed_core.events import ModelRef, VerdictState
from gustbed_core.package import Manifest, Package, read_package
from gustbed_core.violations import Violation
from gustbed_edge.events.tracker import KINDS, Judge
from gustbed_edge.scoring.detector import Detector
from gustbed_edge.scoring.smoothing import Smoother

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


def read_recording(path: Path, manifest: Manifest) -> NDArray[np.float32]:
    """The model's channels (channels, samples) of a CSV file whose header names them. What no
    feature is made of may be missing.

    Raises ``GustbedError`` naming file, line and column.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(_rows(path, csv.reader(stream), manifest))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise GustbedError(f"{path}: {error}", "give a CSV recording with a header") from error
    if not rows:
        raise GustbedError(f"{path}: no samples", "give a recording with samples in it")
    return np.array(rows, dtype=np.float32).T


def score_recording(values: NDArray[np.float32], detector: Detector) -> Iterator[OfflineVerdict]:
    """One verdict per step, of windows as they would be in the service."""
    manifest = detector.manifest
    judge = Judge.of(manifest, manifest.decision)
    smoother = Smoother(1, len(manifest.features), manifest.decision.smooth)
    ends = range(manifest.window, values.shape[1] + 1, manifest.step)
    for first in range(0, len(ends), BATCH):
        part = ends[first : first + BATCH]
        windows = np.stack([values[:, end - manifest.window : end] for end in part])
        for end, ratios in zip(part, detector.score(windows), strict=True):
            yield _verdict(end, ratios, judge, smoother)


def _verdict(
    end: int, ratios: NDArray[np.float32], judge: Judge, smoother: Smoother
) -> OfflineVerdict:
    if np.isnan(ratios).any():
        return OfflineVerdict(end, "unknown", None, {}, [], judge.model)
    means = smoother.mean(np.zeros(1, dtype=np.intp), ratios[None])
    (above,) = judge.by_kind(means) > 1
    named = dict(zip(judge.features, means[0].tolist(), strict=True))
    violations = [kind for kind, hit in zip(KINDS, above, strict=True) if hit]
    state: VerdictState = "anomaly" if violations else "ok"
    return OfflineVerdict(end, state, max(named.values()), named, violations, judge.model)


def _rows(
    path: Path, lines: Iterable[list[str]], manifest: Manifest
) -> Iterator[NDArray[np.float64]]:
    numbered = enumerate(lines, start=1)
    _, header = next(numbered, (1, []))
    places = {name: place for place, name in enumerate(manifest.channel_names)}
    columns = {name: header.index(name) for name in places if name in header}
    needed = {name for feature in manifest.features for name in feature.channels}
    missing = [name for name in manifest.channel_names if name in needed - columns.keys()]
    if missing:
        wanted = ", ".join(name for name in manifest.channel_names if name in needed)
        raise GustbedError(f"{path}: no column {missing[0]}", f"name the columns {wanted}")
    for number, fields in numbered:
        if not fields:
            continue
        if len(fields) != len(header):
            raise GustbedError(
                f"{path} line {number}: {len(fields)} fields, the header has {len(header)}",
                "mend the line",
            )
        row = np.zeros(len(places))
        for name, position in columns.items():
            row[places[name]] = _number(fields[position], f"{path} line {number}, {name}")
        yield row


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise GustbedError(f"{where}: {text[:40]!r} is not a number", "mend the line") from error
    if not math.isfinite(value):
        raise GustbedError(f"{where}: {text[:40]!r} is not finite", "mend the line")
    return value

"""Scores a recording without a broker: what this machine's onnxruntime says of each window."""

import csv
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gustbed_core import decisions
from gustbed_core.decisions import MeanHistory
from gustbed_core.errors import GustbedError
from gustbed_core.event_kinds import EventKind
from gustbed_core.events import ModelRef, VerdictState
from gustbed_core.package import Manifest, Package, read_package
from gustbed_edge.events.judge import Judge
from gustbed_edge.scoring.detector import Detector

BATCH = 256


@dataclass(frozen=True, slots=True)
class OfflineVerdict:
    """The verdict on the window that ends before ``sample`` (counted from 0)."""

    sample: int
    state: VerdictState
    score: float | None
    ratios: dict[str, float]
    violations: list[EventKind]
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
    smooth = manifest.decision.smooth
    history = MeanHistory.empty(1, smooth, len(manifest.features))
    lasts = decisions.window_ends(0, values.shape[1], manifest.window, manifest.step)
    for first in range(0, len(lasts), BATCH):
        ends = (lasts[first : first + BATCH] + 1).tolist()
        windows = np.stack([values[:, end - manifest.window : end] for end in ends])
        ratios = detector.score(windows)
        scored = ~np.isnan(ratios[:, 0])
        means, history = decisions.moving_mean(ratios[None, scored], history, smooth)
        ratios[scored] = means[0]
        above = decisions.violating(judge.by_kind(ratios))
        for place, end in enumerate(ends):
            row = ratios[place] if scored[place] else None
            yield _verdict(end, row, above[place], judge)


def _verdict(
    end: int, ratios: NDArray[np.float32] | None, hits: NDArray[np.bool_], judge: Judge
) -> OfflineVerdict:
    if ratios is None:
        return OfflineVerdict(end, "unknown", None, {}, [], judge.model)
    named = dict(zip(judge.features, ratios.tolist(), strict=True))
    violations = [judge.kinds[place] for place in np.flatnonzero(hits).tolist()]
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

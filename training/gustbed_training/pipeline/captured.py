"""Datasets of what edges captured: kept, so that the same lake is read once."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gustbed_core.package import Package, sha256
from gustbed_core.signals import Schema
from gustbed_training.data.lake import Declared, import_captures, tell_left_out
from gustbed_training.data.normal_periods import parse_periods
from gustbed_training.data.outliers import Levels
from gustbed_training.data.types import find_type, type_names
from gustbed_training.detectors.scoring import load_package, scorer
from gustbed_training.pipeline.cache import files_digest
from gustbed_training.pipeline.measure import schema_in
from gustbed_training.pipeline.stretches import windows_apart
from gustbed_training.progress import Log


def captured(
    folder: Path,
    schema: Schema,
    home: Path,
    log: Log,
    normal: str | None = None,
    incumbent: Path | None = None,
) -> Path:
    """The dataset of what edges captured of a type, made unless it is there.

    ``normal`` declares periods; in them, the package of ``incumbent`` finds what is extreme.
    Raises ``GustbedError``.
    """
    declared = None if normal is None else _declared(normal, schema, incumbent, log)
    key = files_digest(folder)
    if normal is not None:
        judge = b"" if incumbent is None else incumbent.read_bytes()
        key += "-" + sha256(normal.encode() + b"\0" + judge)[:8]
    out = home / "datasets" / f"lake-{schema.turbine_type}-{key}"
    if not out.is_dir():
        import_captures(folder, schema, out, log, declared)
    tell_left_out(out, log)
    return out


def schema_of_captures(turbine_type: str, incumbent: Path | None) -> Schema:
    """That of the type; of a type without a file, as the model in service declares it."""
    if turbine_type in type_names() or incumbent is None:
        return find_type(turbine_type).schema
    return schema_in(load_package(incumbent).manifest)


def _declared(normal: str, schema: Schema, incumbent: Path | None, log: Log) -> Declared:
    periods = parse_periods(normal)
    package = None if incumbent is None else load_package(incumbent)
    if package is None or not set(package.manifest.channel_names) <= set(schema.channel_names):
        log("no model in service of these channels: what is extreme in the periods stays")
        return Declared(periods)
    return Declared(periods, _levels(package, schema.channel_names))


def _levels(package: Package, channels: Sequence[str]) -> Levels:
    """Median ratios by the package's features, of samples of these channels."""
    schema, score = schema_in(package.manifest), scorer(package.model)
    rows = [channels.index(name) for name in schema.channel_names]

    def levels(values: NDArray[np.float32]) -> NDArray[np.floating]:
        windows = windows_apart(values[rows], schema)
        if not len(windows):
            return np.empty(0)
        medians: NDArray[np.floating] = np.median(score(windows)[1], axis=0)
        return medians

    return levels

"""Recordings: one turbine's samples in a Parquet or CSV file, columns named after the channels.

Only the schema's channels must be there; others are ignored. A column ``t`` (seconds) is optional
and cuts the recording where samples are missing. Columns named ``fault_<name>`` label faults;
without them nobody said what is normal.
"""

import os
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gustbed_core.errors import GustbedError
from gustbed_core.signals import Schema
from gustbed_training.data.columns import SUFFIXES, read_floats, row_number
from gustbed_training.data.labels import PREFIX, LabelRules, labels_of
from gustbed_training.data.partition import Label, Recording

TIME = "t"


def recording_files(folder: Path) -> list[Path]:
    """Every recording below a folder, in the order of their paths; or the file itself."""
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise GustbedError(f"{folder}: no such folder", "name a folder of recordings, or a file")
    found = (
        Path(place) / name
        for place, _, names in os.walk(folder, followlinks=True)
        for name in names
        if name.endswith(SUFFIXES)
    )
    files = sorted(
        path
        for path in found
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    if not files:
        raise GustbedError(f"{folder}: no .parquet or .csv recording", "check the path")
    return files


def read_recording(
    path: Path,
    schema: Schema,
    rules: LabelRules | None = None,
    fit: int | None = None,
    shortest: int | None = None,
    *,
    must_vary: bool = False,
) -> list[Recording]:
    """Read a file into its unbroken stretches of at least ``shortest`` samples (a window's).

    ``fit``: how many of the file's first rows may be learnt from; ``must_vary``: whether a sensor
    that never changes is an error. Raises ``GustbedError`` naming
    the file and the row or column.
    """
    shortest = schema.window if shortest is None else shortest
    columns = read_floats(
        path, schema.channel_names, lambda name: name == TIME or name.startswith(PREFIX)
    )
    _check_values(path, columns)
    if must_vary:
        _check_varying(path, columns, schema)
    values = np.stack([columns[name] for name in schema.channel_names]).astype(np.float32)
    length = values.shape[1]
    times = columns.get(TIME, np.arange(length) / schema.sample_rate_hz)
    faults = {name: column for name, column in columns.items() if name.startswith(PREFIX)}
    labels = labels_of(path.stem, times, faults, rules or LabelRules(), schema)
    recordings = [
        Recording(
            str(path),
            path.stem,
            float(times[start]),
            values[:, start:stop],
            within(labels, start, stop),
            bool(faults),
            None if fit is None else min(max(fit - start, 0), stop - start),
        )
        for start, stop in _stretches(path, columns.get(TIME), length, schema.sample_rate_hz)
        if stop - start >= shortest
    ]
    if not recordings:
        raise GustbedError(
            f"{path}: {length} rows hold no unbroken stretch of {shortest} samples",
            f"record at least {shortest / schema.sample_rate_hz:g} s "
            f"at {schema.sample_rate_hz:g} Hz",
        )
    return recordings


def within(labels: tuple[Label, ...], start: int, stop: int) -> tuple[Label, ...]:
    """Labels cut to samples ``start`` to ``stop``, counted from there."""
    return tuple(
        Label(
            label.fault,
            max(label.start, start) - start,
            min(label.stop, stop) - start,
            label.severity,
            label.violation,
            label.signals,
        )
        for label in labels
        if label.start < stop and label.stop > start
    )


def _check_values(path: Path, columns: dict[str, NDArray[np.float64]]) -> None:
    for name, column in columns.items():
        bad = np.flatnonzero(~np.isfinite(column))
        if len(bad):
            raise GustbedError(
                f"{path}: row {row_number(path, int(bad[0]))}, column {name!r}: "
                "empty or not finite",
                "mend or remove the row",
            )


def _check_varying(path: Path, columns: dict[str, NDArray[np.float64]], schema: Schema) -> None:
    for name in (feature.name for feature in schema.features if feature.op == "value"):
        if len(columns[name]) > 1 and np.ptp(columns[name]) == 0:
            raise GustbedError(
                f"{path}: column {name!r} never changes from {columns[name][0]:g}",
                "leave out recordings with a dead sensor",
            )


def _stretches(
    path: Path, times: NDArray[np.float64] | None, length: int, rate: float
) -> list[tuple[int, int]]:
    """Cut where the time does not advance by one sample. Raises if the rate is another one."""
    if times is None or length < 2:
        return [(0, length)]
    steps = np.diff(times)
    usual = float(np.median(steps))
    if not 0.9 < usual * rate < 1.1:
        raise GustbedError(
            f"{path}: column {TIME!r} advances by {usual:g} s a row",
            f"resample the recording to {rate:g} Hz",
        )
    backwards = np.flatnonzero(steps <= 0)
    if len(backwards):
        row = row_number(path, int(backwards[0]) + 1)
        raise GustbedError(
            f"{path}: row {row}, column {TIME!r}: time stands still or goes back",
            "put the rows in order of time, each once",
        )
    cuts = np.flatnonzero(np.abs(steps - usual) > 0.5 * usual) + 1
    return list(pairwise([0, *(int(cut) for cut in cuts), length]))

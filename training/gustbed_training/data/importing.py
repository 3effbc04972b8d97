"""Somebody's recordings and a map into a dataset folder, with a card that says what was done."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from gustbed_core.errors import GustbedError
from gustbed_core.signals import Schema
from gustbed_core.topics import level
from gustbed_training.data.card import SplitRule
from gustbed_training.data.import_map import MapFile, read_map
from gustbed_training.data.labels import PREFIX
from gustbed_training.data.recordings import recording_files
from gustbed_training.data.resampling import Resampled, ResamplingError, Rows, Rules, resample
from gustbed_training.data.same_data import Runs, runs_of, shared
from gustbed_training.data.source_files import SourceRecording, read_source_file
from gustbed_training.data.writing import sha256, whole_folder, write_card, write_recording
from gustbed_training.durations import duration
from gustbed_training.progress import Log

_OTHER = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True)
class _Imported:
    """One recording: its name, where it is from, and its samples."""

    name: str
    source: SourceRecording
    resampled: Resampled
    fit: int | None


def import_files(map_file: Path, files: Sequence[Path], out: Path, log: Log) -> Path:
    """Read every file, or folder of files, by the map, and write the dataset folder ``out``.

    Raises ``GustbedError`` naming file, row and column; nothing is left behind then.
    """
    mapped, schema = read_map(map_file)
    found = [
        file for each in files for file in (recording_files(each) if each.is_dir() else [each])
    ]
    if not found:
        raise GustbedError("no file to import", "name CSV or Parquet files")
    _check_digests(found)
    with whole_folder(out) as folder:
        imported = []
        sources: dict[str, Path] = {}
        seen = _Seen()
        for file in found:
            for source in read_source_file(file, mapped):
                one = _import(source, mapped, schema)
                if one.name in sources:
                    raise GustbedError(
                        f"{file}: turbine {one.name!r} is in {sources[one.name]} too",
                        "give every recording a name of its own",
                    )
                sources[one.name] = file
                seen.check(source)
                _write(one, mapped, schema, folder)
                log(_summary_line(one))
                imported.append(_without_samples(one))
        _check_turbines(map_file, mapped, sources)
        write_card(folder, schema, list(sources), _card(imported, mapped, found))
    log(f"{out}: {len(imported)} recordings of {schema.turbine_type}")
    return out


def _import(source: SourceRecording, mapped: MapFile, schema: Schema) -> _Imported:
    rules = Rules(
        schema.sample_rate_hz,
        mapped.max_gap_s,
        mapped.time.jitter_s if mapped.time else None,
        mapped.repeated == "cut",
    )
    _check_filled(source, mapped)
    try:
        resampled = resample(source.rows, rules)
    except ResamplingError as error:
        column = mapped.time.column if mapped.time is not None else ""
        if error.channel is not None:
            column = _columns(mapped)[error.channel]
        where = f"{source.file}: row {error.row}" + (f", column {column!r}" if column else "")
        raise GustbedError(f"{where}: {error.what}", error.remedy) from error
    _check_constant(source, resampled, mapped, schema)
    _check_length(source, resampled, mapped, schema)
    return _Imported(_name(source), source, resampled, _fit(source.rows, resampled, mapped, schema))


class _Seen:
    """What earlier recordings hold: the same data under another name would test themselves."""

    def __init__(self) -> None:
        self._earlier: list[tuple[SourceRecording, Runs]] = []

    def check(self, source: SourceRecording) -> None:
        """Raise ``GustbedError`` if an earlier recording holds the same."""
        runs, first = runs_of(source.rows.values)
        for other, others in self._earlier:
            both = shared(runs, others)
            if both is None:
                continue
            row = source.rows.numbers[first[np.isin(runs, both)].min()]
            raise GustbedError(
                f"{source.file}: row {row} and after: turbine {source.turbine!r} has the same data "
                f"as {other.turbine!r} in {other.file}",
                "leave one of them out: a model would be tested on what it was taught",
            )
        # Without its values.
        self._earlier.append((replace(source, rows=source.rows.head(0)), runs))


def _name(source: SourceRecording) -> str:
    lost = [each for each in source.turbine if each.isalnum() and not each.isascii()]
    if lost:
        raise GustbedError(
            f"{source.file}: turbine {source.turbine!r}: {lost[0]!r} cannot be in a name",
            "name the file, or the turbine in its column, with A to Z, digits, '-' and '_'",
        )
    name = _OTHER.sub("-", source.turbine).strip("-")
    try:
        return level(name)
    except ValueError as error:
        raise GustbedError(f"{source.file}: turbine {source.turbine!r}: {error}") from error


def _check_constant(
    source: SourceRecording, resampled: Resampled, mapped: MapFile, schema: Schema
) -> None:
    for index, channel in enumerate(schema.channel_names):
        column = resampled.values[:, index]
        if channel not in mapped.allow_constant and np.ptp(column) == 0:
            name = mapped.channels()[channel].column
            raise GustbedError(
                f"{_where(source, mapped)}: column {name!r} never changes from {column[0]:g} in "
                f"{len(source.rows.values)} rows",
                f"a dead sensor? leave the recording out, or allow_constant: [{channel}] in the "
                "map",
            )


def _check_filled(source: SourceRecording, mapped: MapFile) -> None:
    empty = np.flatnonzero(np.isnan(source.rows.values).all(axis=0))
    if len(empty):
        raise GustbedError(
            f"{_where(source, mapped)}: column {_columns(mapped)[empty[0]]!r} has no value in "
            f"{len(source.rows.values)} rows",
            "leave its channel out of the map, or the recording out of the import",
        )


def _check_length(
    source: SourceRecording, resampled: Resampled, mapped: MapFile, schema: Schema
) -> None:
    longest = max(_stretches(resampled, schema))
    if longest >= schema.window:
        return
    rows = len(source.rows.values)
    cause = (
        f"{_where(source, mapped)}: {rows} rows hold no unbroken stretch of {schema.window} "
        f"samples, the longest has {longest}"
    )
    if rows < schema.window:
        need = duration(schema.window / schema.sample_rate_hz)
        raise GustbedError(cause, f"record {need} at least, or set a shorter window in the map")
    missing = np.isnan(source.rows.values).sum(axis=0)
    worst = int(missing.argmax())
    if 2 * missing[worst] >= rows - resampled.counts.kept > 0:
        cause += f"; column {_columns(mapped)[worst]!r} has no value in {missing[worst]} rows"
        raise GustbedError(
            cause, "leave its channel out of the map, or set a larger max_gap_s or shorter window"
        )
    raise GustbedError(
        f"{cause}; its time goes on elsewhere {resampled.counts.breaks} times",
        "set a larger max_gap_s or a shorter window in the map",
    )


def _where(source: SourceRecording, mapped: MapFile) -> str:
    """The file, and the turbine where a file holds several."""
    several = mapped.turbine != "filename"
    return f"{source.file}: turbine {source.turbine!r}" if several else str(source.file)


def _columns(mapped: MapFile) -> list[str]:
    return [part.column for part in mapped.channels().values()]


def _stretches(resampled: Resampled, schema: Schema) -> list[int]:
    """Samples between breaks."""
    breaks = np.flatnonzero(np.diff(resampled.times) > 1.5 / schema.sample_rate_hz) + 1
    return [int(n) for n in np.diff(np.concatenate(([0], breaks, [len(resampled.times)])))]


def _fit(rows: Rows, resampled: Resampled, mapped: MapFile, schema: Schema) -> int | None:
    """How many samples came from the rows that may be learnt from."""
    count = mapped.split.fit_rows
    if mapped.split.fit_s is not None:
        if rows.times is None:
            count = round(mapped.split.fit_s * schema.sample_rate_hz)
        else:
            count = int((rows.times - rows.times[0] < mapped.split.fit_s).sum())
    return None if count is None else int(resampled.samples_before[min(count, len(rows.values))])


def _write(one: _Imported, mapped: MapFile, schema: Schema, folder: Path) -> None:
    labels = {f"{PREFIX}{name}": one.resampled.labels[:, i] for i, name in enumerate(mapped.labels)}
    path = folder / f"{one.name}.parquet"
    write_recording(path, schema, one.resampled.times, one.resampled.values, labels)


def _summary_line(one: _Imported) -> str:
    counts = one.resampled.counts
    did = [
        f"{number} {what}"
        for number, what in (
            (counts.filled, "samples filled in"),
            (counts.held, "values held"),
            (counts.cut, "rows cut out"),
            (counts.breaks, "places where it does not go on"),
        )
        if number
    ]
    more = f" ({', '.join(did)})" if did else ""
    name = one.name if one.name == one.source.turbine else f"{one.name} ({one.source.turbine!r})"
    return f"{one.source.file}: {name}, {counts.kept} of {counts.rows} rows{more}"


def _without_samples(one: _Imported) -> dict[str, Any]:
    unit: dict[str, Any] = {"turbine": one.name, "file": one.source.file.name}
    return (
        unit | asdict(one.resampled.counts) | {"samples": len(one.resampled.times), "fit": one.fit}
    )


def _card(imported: list[dict[str, Any]], mapped: MapFile, files: list[Path]) -> dict[str, Any]:
    fits = {each["turbine"]: each["fit"] for each in imported if each["fit"] is not None}
    same = len(fits) == len(imported) and len(set(fits.values())) == 1
    fit = next(iter(fits.values())) if same else fits or None
    rule = SplitRule(fit=fit, test_turbines=mapped.split.test_turbines)
    labels = mapped.labels.items()
    return {
        "labels": [f"{PREFIX}{name}" for name in mapped.labels],
        "violations": {name: part.violation for name, part in labels if part.violation},
        "signals": {name: list(part.signals) for name, part in labels if part.signals},
        "split": msgspec.to_builtins(rule),
        "recordings": imported,
        "source": {file.name: sha256(file) for file in files},
        "map": msgspec.to_builtins(mapped),
    }


def _check_digests(files: Sequence[Path]) -> None:
    seen: dict[str, Path] = {}
    for file in files:
        if not file.is_file():
            raise GustbedError(f"{file}: no such file", "check the path")
        digest = sha256(file)
        if digest in seen:
            # The copy would be tested on what the other taught.
            raise GustbedError(f"{file}: the same as {seen[digest]}", "name every file once")
        seen[digest] = file


def _check_turbines(map_file: Path, mapped: MapFile, sources: dict[str, Path]) -> None:
    unknown = [name for name in mapped.split.test_turbines if name not in sources]
    if unknown:
        raise GustbedError(
            f"{map_file}: split.test_turbines: no turbine {unknown[0]!r}",
            f"there are {', '.join(list(sources)[:20])}",
        )

"""What edges captured into a dataset to train on: normal stretches only, each of them once."""

import gzip
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from gustbed_core.capture import SCHEMA, Capture, CaptureBatch, unpack
from gustbed_core.errors import GustbedError, PayloadError
from gustbed_core.signals import Schema
from gustbed_core.topics import level
from gustbed_training.data.card import SplitRule
from gustbed_training.data.writing import whole_folder, write_card, write_recording
from gustbed_training.progress import Log

_SUFFIXES = (".jsonl", ".jsonl.gz")
_BREAK = 2
"""Samples that a reader needs to see that a stretch has ended."""


@dataclass(frozen=True)
class _Stretch:
    """Samples (channels, samples) of a turbine, from ``t0`` in Unix s."""

    boot: str
    t0: float
    values: NDArray[np.float32]


def import_captures(folder: Path, schema: Schema, out: Path, log: Log) -> Path:
    """Write a dataset folder from ``.jsonl`` and ``.jsonl.gz`` files of captured batches.

    Other types are left out, and so are stretches with an anomaly, those that an event asked
    for, and repetitions; all of them are counted. Shares are whole stretches in order of time.
    Raises ``GustbedError`` if nothing is left.
    """
    counts: Counter[str] = Counter()
    turbines: dict[str, list[_Stretch]] = defaultdict(list)
    seen: set[tuple[str, str, str, float]] = set()
    for site, capture in _captures(folder, counts):
        key = (site, capture.turbine, capture.boot, capture.t0)
        why = _reason_against(capture, schema, repeated=key in seen)
        seen.add(key)
        values = None if why else _values(capture, schema)
        if values is None:
            counts[why or "broken"] += 1
            continue
        counts["used"] += 1
        turbines[f"{site}-{capture.turbine}"].append(_Stretch(capture.boot, capture.t0, values))
    _log_counts(folder, counts, log)
    if not turbines:
        raise GustbedError(
            f"{folder}: no normal capture of type {schema.turbine_type}",
            "wait until edges have sent some",
        )
    origin = min(each.t0 for stretches in turbines.values() for each in stretches)
    with whole_folder(out) as part:
        samples = {}
        for name, stretches in sorted(turbines.items()):
            times, values = _joined(stretches, origin, schema)
            samples[name] = len(times)
            write_recording(part / f"{name}.parquet", schema, times, values.T, {})
        write_card(part, schema, list(samples), _card(counts, samples, origin))
    log(f"{out}: {len(samples)} turbines, {_hours(samples, schema):.2f} turbine-hours")
    return out


def _captures(folder: Path, counts: Counter[str]) -> Iterator[tuple[str, Capture]]:
    files = [path for path in sorted(folder.rglob("*")) if path.name.endswith(_SUFFIXES)]
    if not files:
        raise GustbedError(f"{folder}: no .jsonl or .jsonl.gz file", "name a folder of captures")
    decoder = msgspec.json.Decoder(CaptureBatch)
    for file in files:
        for line in _lines(file, counts):
            try:
                batch = decoder.decode(line)
            except msgspec.MsgspecError:
                counts["broken"] += 1
                continue
            if batch.schema != SCHEMA:
                counts["of another schema"] += len(batch.captures)
                continue
            for capture in batch.captures:
                if _named(batch.site, capture.turbine):
                    yield batch.site, capture
                else:
                    counts["broken"] += 1


def _named(*names: str) -> bool:
    """Whether all can be part of a file's name."""
    try:
        return all(level(name) for name in names)
    except ValueError:
        return False


def _lines(file: Path, counts: Counter[str]) -> Iterator[bytes]:
    """A file's lines, as far as it can be read."""
    with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as stream:
        try:
            yield from (line for line in stream if line.strip())
        except (OSError, EOFError, zlib.error):
            counts["broken"] += 1


def _reason_against(capture: Capture, schema: Schema, *, repeated: bool) -> str | None:
    """Why a capture is not learnt from, or nothing."""
    if capture.type != schema.turbine_type:
        return "of another type"
    if repeated:
        return "repeated"
    if capture.reason == "event":
        return "of an event"
    if capture.anomalies > 0:
        return "with an anomaly"
    if not set(schema.channel_names) <= set(capture.channels):
        return "without a channel that the model needs"
    if not 0.9 < capture.dt * schema.sample_rate_hz < 1.1:
        return "of another rate"
    return None


def _values(capture: Capture, schema: Schema) -> NDArray[np.float32] | None:
    try:
        values = unpack(capture.values, len(capture.channels))
    except PayloadError:
        return None
    chosen = values[[capture.channels.index(name) for name in schema.channel_names]]
    good = bool(np.isfinite(chosen).all()) and chosen.shape[1] > 0 and np.isfinite(capture.t0)
    return chosen if good else None


def _joined(
    stretches: list[_Stretch], origin: float, schema: Schema
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """One turbine's samples with their times from the origin; breaks between what is apart."""
    rate = schema.sample_rate_hz
    positions: list[NDArray[np.int64]] = []
    values: list[NDArray[np.float32]] = []
    end, boot = -_BREAK, ""
    for each in sorted(stretches, key=lambda stretch: stretch.t0):
        start = round((each.t0 - origin) * rate)
        # Blocks come by a clock that is a little off: half a sample is no gap.
        skip = max(end - start, 0)
        if skip >= each.values.shape[1]:
            continue
        start += skip
        if start > end or each.boot != boot:
            start = max(start, end + _BREAK - 1)
        kept = each.values[:, skip:]
        positions.append(np.arange(start, start + kept.shape[1], dtype=np.int64))
        values.append(kept)
        end, boot = start + kept.shape[1], each.boot
    return np.concatenate(positions) / rate, np.concatenate(values, axis=1)


def _log_counts(folder: Path, counts: Counter[str], log: Log) -> None:
    counted = ", ".join(f"{count} {what}" for what, count in counts.most_common())
    log(f"{folder}: captures: {counted or 'none'}")


def _hours(samples: dict[str, int], schema: Schema) -> float:
    return sum(samples.values()) / schema.sample_rate_hz / 3600


def _card(counts: Counter[str], samples: dict[str, int], origin: float) -> dict[str, Any]:
    return {
        "labels": [],
        "split": msgspec.to_builtins(SplitRule(by_stretch=True)),
        "begins": datetime.fromtimestamp(origin, UTC).isoformat(timespec="seconds"),
        "samples": samples,
        "captures": dict(counts),
    }

"""What edges captured, read from the lake's files: each capture once, checked."""

import gzip
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from gustbed_core.capture import SCHEMA, Capture, CaptureBatch, unpack
from gustbed_core.errors import GustbedError, PayloadError
from gustbed_core.signals import Schema
from gustbed_core.topics import level

EVENT, ANOMALY, UNFAIR = "of an event", "with an anomaly", "of a day whose bytes were spent"
"""Why captures are left out where the model's verdict decides, and where shares do."""
_SUFFIXES = (".jsonl", ".jsonl.gz")


@dataclass(frozen=True)
class Captured:
    """A capture of a site, with its samples (channels, samples) of a schema's channels."""

    site: str
    capture: Capture
    values: NDArray[np.float32]

    @property
    def begin(self) -> float:
        """Of its first sample, in Unix s."""
        return self.capture.t0

    @property
    def end(self) -> float:
        """One sample after its last, in Unix s."""
        return self.capture.t0 + self.capture.dt * int(self.values.shape[1])


Refusal = Callable[[Captured], str | None]
"""Why a capture is left out, or nothing."""


def drawn(one: Captured) -> str | None:
    """Take what the clock drew, a fair sample whatever the verdicts: not what an event asked for,
    nor what is left of a day on which some were dropped by their verdicts.
    """
    if one.capture.reason == "event":
        return EVENT
    return None if one.capture.fair else UNFAIR


def called_normal(one: Captured) -> str | None:
    """Take what the clock drew and the model called normal."""
    if one.capture.reason == "event":
        return EVENT
    return ANOMALY if one.capture.anomalies > 0 else None


def read_captures(
    folder: Path, schema: Schema, counts: Counter[str], refuse: Refusal
) -> Iterator[Captured]:
    """Captures of ``.jsonl`` and ``.jsonl.gz`` files, less those of other types, broken ones,
    repetitions and what ``refuse`` names; ``counts`` is told of all of them.

    Raises ``GustbedError`` for a folder without files.
    """
    seen: set[tuple[str, str, str, float]] = set()
    for site, capture in _captures(folder, counts):
        key = (site, capture.turbine, capture.boot, capture.t0)
        why = _reason_against(capture, schema, repeated=key in seen)
        seen.add(key)
        values = None if why else _values(capture, schema)
        if values is None:
            counts[why or "broken"] += 1
            continue
        one = Captured(site, capture, values)
        why = refuse(one)
        counts[why or "used"] += 1
        if why is None:
            yield one


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
    """Why a capture is nothing that a model of the schema could look at, or nothing."""
    if capture.type != schema.turbine_type:
        return "of another type"
    if repeated:
        return "repeated"
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

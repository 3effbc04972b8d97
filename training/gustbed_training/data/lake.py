"""What edges captured into a dataset to train on: normal stretches only, each of them once."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from gustbed_core.errors import GustbedError
from gustbed_core.signals import Schema
from gustbed_training.data.captured import (
    ANOMALY,
    EVENT,
    Captured,
    called_normal,
    read_captures,
)
from gustbed_training.data.card import SplitRule, card_fields
from gustbed_training.data.normal_periods import NormalPeriod, declared_normal
from gustbed_training.data.outliers import MOST, Levels, trim
from gustbed_training.data.writing import whole_folder, write_card, write_recording
from gustbed_training.progress import Log

EXTREME, SPARED = "extreme beside the turbine's others", "as extreme, but kept"
_BREAK = 2
"""Samples that a reader needs to see that a stretch has ended."""
_HOW = "gustbed model train --from-lake --normal FROM..TO"


@dataclass(frozen=True)
class Declared:
    """Periods that are normal whatever the model said; ``levels`` finds what is extreme in them,
    and None leaves that in.
    """

    periods: tuple[NormalPeriod, ...]
    levels: Levels | None = None


def import_captures(
    folder: Path, schema: Schema, out: Path, log: Log, declared: Declared | None = None
) -> Path:
    """Write a dataset folder from ``.jsonl`` and ``.jsonl.gz`` files of captured batches.

    Other types are left out, and so are repetitions; and, outside of what is declared, stretches
    with an anomaly and those that an event asked for; all of them are counted. Shares are whole
    stretches in order of time. Raises ``GustbedError`` if nothing is left.
    """
    counts: Counter[str] = Counter()
    refuse = declared_normal(declared.periods) if declared else called_normal
    turbines: dict[str, list[Captured]] = defaultdict(list)
    for one in read_captures(folder, schema, counts, refuse):
        turbines[f"{one.site}-{one.capture.turbine}"].append(one)
    if declared and declared.levels:
        turbines = {
            name: _trimmed(stretches, declared.levels, declared.periods, counts)
            for name, stretches in turbines.items()
        }
    _log_counts(folder, counts, log)
    if not turbines:
        raise _nothing(folder, schema, counts)
    origin = min(each.begin for stretches in turbines.values() for each in stretches)
    with whole_folder(out) as part:
        samples = {}
        for name, stretches in sorted(turbines.items()):
            times, values = _joined(stretches, origin, schema)
            samples[name] = len(times)
            write_recording(part / f"{name}.parquet", schema, times, values.T, {})
        write_card(part, schema, list(samples), _card(counts, samples, origin))
    log(f"{out}: {len(samples)} turbines, {_hours(samples, schema):.2f} turbine-hours")
    return out


def tell_left_out(dataset: Path, log: Log) -> None:
    """Say of a dataset of captures what the model, or a comparison, kept out of it."""
    counts: Counter[str] = Counter(card_fields(dataset).get("captures", {}))
    called = counts[ANOMALY] + counts[EVENT]
    if called:
        log(
            f"{called} of {called + counts['used']} captures were left out because the model "
            f"called them anomalous. If the turbines were in order, declare when: {_HOW}"
        )
    if counts[EXTREME]:
        log(
            f"{counts[EXTREME]} declared captures were left out as extreme beside the others of "
            f"their turbine, of {100 * MOST:.0f} % at most"
        )
    if counts[SPARED]:
        log(f"{counts[SPARED]} more are as extreme and were kept: check the declared periods")


def _trimmed(
    stretches: list[Captured],
    levels: Levels,
    periods: tuple[NormalPeriod, ...],
    counts: Counter[str],
) -> list[Captured]:
    """One turbine's captures less those that are extreme; only declared ones are looked at."""
    if not any(period.concerns(stretches[0]) for period in periods):
        return stretches
    found = [(one, levels(one.values)) for one in stretches]
    judged = [(one, ratios) for one, ratios in found if len(ratios)]
    if not judged:
        return stretches
    result = trim(np.stack([ratios for _, ratios in judged]))
    left_out = {id(one) for (one, _), keep in zip(judged, result.keep, strict=True) if not keep}
    counts["used"] -= len(left_out)
    counts[EXTREME] += len(left_out)
    counts[SPARED] += result.extreme - len(left_out)
    return [one for one in stretches if id(one) not in left_out]


def _nothing(folder: Path, schema: Schema, counts: Counter[str]) -> GustbedError:
    what = f"{folder}: no normal capture of type {schema.turbine_type}"
    called = counts[ANOMALY] + counts[EVENT]
    if not called:
        return GustbedError(what, "wait until edges have sent some")
    return GustbedError(
        f"{what}: the model called {called} anomalous",
        f"if the turbines were in order, declare when: {_HOW}",
    )


def _joined(
    stretches: list[Captured], origin: float, schema: Schema
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """One turbine's samples with their times from the origin; breaks between what is apart."""
    rate = schema.sample_rate_hz
    positions: list[NDArray[np.int64]] = []
    values: list[NDArray[np.float32]] = []
    end, boot = -_BREAK, ""
    for each in sorted(stretches, key=lambda stretch: stretch.begin):
        start = round((each.begin - origin) * rate)
        # Blocks come by a clock that is a little off: half a sample is no gap.
        skip = max(end - start, 0)
        if skip >= each.values.shape[1]:
            continue
        start += skip
        if start > end or each.capture.boot != boot:
            start = max(start, end + _BREAK - 1)
        kept = each.values[:, skip:]
        positions.append(np.arange(start, start + kept.shape[1], dtype=np.int64))
        values.append(kept)
        end, boot = start + kept.shape[1], each.capture.boot
    return np.concatenate(positions) / rate, np.concatenate(values, axis=1)


def _log_counts(folder: Path, counts: Counter[str], log: Log) -> None:
    counted = ", ".join(f"{count} {what}" for what, count in (+counts).most_common())
    log(f"{folder}: captures: {counted or 'none'}")


def _hours(samples: dict[str, int], schema: Schema) -> float:
    return sum(samples.values()) / schema.sample_rate_hz / 3600


def _card(counts: Counter[str], samples: dict[str, int], origin: float) -> dict[str, Any]:
    return {
        "labels": [],
        "split": msgspec.to_builtins(SplitRule(by_stretch=True)),
        "begins": datetime.fromtimestamp(origin, UTC).isoformat(timespec="seconds"),
        "samples": samples,
        "captures": dict(+counts),
    }

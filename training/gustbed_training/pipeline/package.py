"""The fifth step: everything that serving needs, in one archive."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from gustbed_core.commissioning.population import Population
from gustbed_core.errors import GustbedError
from gustbed_core.jobs import PACKAGE_FILE
from gustbed_core.package import Manifest, Package, write_package
from gustbed_core.signals import Schema
from gustbed_training.data.partition import Part
from gustbed_training.data.types import signal_fields
from gustbed_training.data.windows import window_ends_of, windows_of
from gustbed_training.detectors.scoring import scorer
from gustbed_training.evaluation.model_card import model_card
from gustbed_training.evaluation.report import as_metrics
from gustbed_training.pipeline.cache import code_digest
from gustbed_training.pipeline.fit import Details
from gustbed_training.pipeline.gate import Gate
from gustbed_training.pipeline.identity import Identity
from gustbed_training.pipeline.measure import Measured
from gustbed_training.pipeline.prepare import Prepared

_NORMAL, _FAULTY = 8, 8
"""Golden windows of each sort."""


@dataclass(frozen=True)
class Made:
    """What the steps before have made."""

    prepared: Prepared
    model: bytes
    details: Details
    measured: Measured
    gate: Gate
    population: Population | None = None


def inputs(trained: Path, measured: Path, gate: Path, identity: Identity) -> dict[str, Any]:
    """All that the step's output depends on."""
    return {
        "trained": trained.name,
        "measured": measured.name,
        "gate": gate.name,
        "identity": msgspec.to_builtins(identity),
        "epoch": os.environ.get("SOURCE_DATE_EPOCH"),
        "code": code_digest("pipeline/package.py", "evaluation"),
    }


def package(made: Made, identity: Identity, folder: Path) -> None:
    """Write the archive to the step's folder."""
    schema = made.prepared.schema
    golden = _golden(made.prepared.partition.test, schema)
    manifest = Manifest(
        **signal_fields(schema),
        name=identity.name,
        version=identity.version,
        created=_now(),
        detector=made.details.detector,
        thresholds=made.details.thresholds,
        reference=made.prepared.reference,
        metrics=_metrics(made.measured),
        training=made.details.training | _said(made.gate),
    )
    ratios = scorer(made.model)(golden)[1]
    card = model_card(manifest, made.measured.plain, _gate_words(made.gate))
    whole = Package(manifest, made.model, golden, ratios, card, made.population)
    write_package(whole, folder / PACKAGE_FILE)


def _said(gate: Gate) -> dict[str, str]:
    return {"gate": gate.words, "gate_against": ", ".join(gate.against)}


def _gate_words(gate: Gate) -> str:
    against = f" It was measured against {' and '.join(gate.against)}." if gate.against else ""
    return f"{'Passed.' if gate.passed else f'Refused: {gate.words}.'}{against}"


def _metrics(measured: Measured) -> dict[str, float]:
    metrics = as_metrics(measured.plain)
    if measured.synthetic is not None:
        found = as_metrics(measured.synthetic)
        metrics |= {f"disturbed_{name}": found[name] for name in ("vus_pr", "event_recall")
                    if name in found}  # fmt: skip
    return metrics


def _golden(parts: Sequence[Part], schema: Schema) -> NDArray[np.float32]:
    """Windows from test data, evenly drawn: normal ones, and faulty ones where there are any."""
    sorts: dict[bool, list[NDArray[np.float32]]] = {False: [], True: []}
    each = min(max(1, 64 // len(parts)), _NORMAL)
    for part in parts:
        for faulty, windows in _sorted(part, schema, each):
            sorts[faulty].append(windows)
    counts = {False: _NORMAL, True: _FAULTY}
    chosen = [
        _evenly(np.concatenate(found), counts[sort]) for sort, found in sorts.items() if found
    ]
    return np.ascontiguousarray(np.concatenate(chosen))


def _sorted(part: Part, schema: Schema, each: int) -> Iterator[tuple[bool, NDArray[np.float32]]]:
    """A part's windows, ``each`` of those that lie within a fault and of those that see none."""
    ends = window_ends_of(part, schema)
    if not len(ends):
        return
    seen = np.zeros(len(ends), dtype=np.bool_)
    within = np.zeros(len(ends), dtype=np.bool_)
    for label in part.recording.labels:
        seen |= (ends >= label.start) & (ends - schema.window + 1 < label.stop)
        within |= (ends - schema.window + 1 >= label.start) & (ends < label.stop)
    for faulty, chosen in ((False, ~seen), (True, within)):
        for index in _picks(np.flatnonzero(chosen), each):
            start = part.start + int(index) * schema.step
            yield faulty, windows_of(Part(part.recording, start, start + schema.window), schema)


def _picks(choices: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    if not len(choices):
        return choices
    return choices[np.unique(np.linspace(0, len(choices) - 1, count).astype(np.intp))]


def _evenly(windows: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    return windows[_picks(np.arange(len(windows), dtype=np.intp), count)]


def _now() -> str:
    """When the package was made; SOURCE_DATE_EPOCH makes builds repeatable to the byte."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    try:
        now = datetime.fromtimestamp(int(given), UTC) if given else datetime.now(UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise GustbedError(f"SOURCE_DATE_EPOCH={given}", "give seconds since 1970") from error
    return now.isoformat(timespec="seconds")

"""The third step: how well a graph does on the test subset; of a rival's package likewise.

Without labelled faults, recordings show only false alarms. Then the graph is also measured on
copies of them with synthetic faults.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from gustbed_core.errors import GustbedError
from gustbed_core.package import Manifest
from gustbed_core.signals import Schema
from gustbed_training.data.dataset import Dataset
from gustbed_training.data.partition import Part
from gustbed_training.data.split import evaluation_parts
from gustbed_training.data.types import signal_fields
from gustbed_training.data.windows import windows_of
from gustbed_training.detectors.scoring import scorer
from gustbed_training.evaluation.cost import BATCH, microseconds_per_window
from gustbed_training.evaluation.evaluate import Evaluation, Options, evaluate
from gustbed_training.pipeline.cache import code_digest
from gustbed_training.pipeline.prepare import Prepared
from gustbed_training.pipeline.synthetic_faults import with_synthetic_faults

_LENIENT = Options(labels_required=False)
_PLAIN, _SYNTHETIC = "evaluation.json", "synthetic.json"


@dataclass(frozen=True)
class Measured:
    """Of the test subset; and with synthetic faults, where it has no labelled ones."""

    plain: Evaluation
    synthetic: Evaluation | None

    @property
    def telling(self) -> Evaluation:
        """The one that knows faults."""
        return self.synthetic or self.plain


def inputs(prepared: Path, model: str) -> dict[str, Any]:
    """All that the step's output depends on; ``model`` identifies a graph."""
    return {
        "prepared": prepared.name,
        "model": model,
        "code": code_digest(
            "evaluation", "data", "detectors/scoring.py", "pipeline/measure.py",
            "pipeline/synthetic_faults.py",
        ),
    }  # fmt: skip


def measure(
    prepared: Prepared, schema: Schema, model: bytes, aimed: float | None, folder: Path
) -> None:
    """Evaluate a graph on the test subset to the step's folder.

    ``schema`` is how the graph sees the recordings. ``aimed``: false events per turbine-day that
    its thresholds were set for, if known.
    """
    parts = [select_channels(part, prepared.schema, schema) for part in prepared.partition.test]
    plain = judged(schema, parts, model, aimed)
    _write(plain, folder / _PLAIN)
    if not plain.eventwise.outcomes:
        faulty = with_synthetic_faults(
            prepared.partition.test, prepared.partition.train, prepared.schema
        )
        seen = [select_channels(part, prepared.schema, schema) for part in faulty]
        _write(evaluate(schema, seen, scorer(model), _LENIENT), folder / _SYNTHETIC)


@dataclass(frozen=True)
class HeldOut:
    """What a dataset keeps for tests, read anew each time that it is gone through."""

    dataset: Dataset

    def __iter__(self) -> Iterator[Part]:
        return evaluation_parts(self.dataset)


def measure_held_out(
    schema: Schema, parts: HeldOut, model: bytes, aimed: float | None, folder: Path
) -> None:
    """The same on recordings of another dataset, as they are labelled."""
    _write(judged(schema, parts, model, aimed), folder / _PLAIN)


def judged(schema: Schema, parts: Iterable[Part], model: bytes, aimed: float | None) -> Evaluation:
    """Evaluate and time a graph. Recordings without labels are taken as normal; parts are gone
    through twice.
    """
    options = replace(_LENIENT, aimed_false_per_day=aimed, resample=True)
    found = evaluate(schema, parts, scorer(model), options)
    return replace(found, microseconds_per_window=cost(model, _some_windows(parts, schema)))


def load_measured(folder: Path) -> Measured:
    """Read the step's folder."""
    plain = msgspec.json.decode((folder / _PLAIN).read_bytes(), type=Evaluation)
    path = folder / _SYNTHETIC
    other = msgspec.json.decode(path.read_bytes(), type=Evaluation) if path.is_file() else None
    return Measured(plain, other)


def schema_of(manifest: Manifest, like: Schema) -> Schema:
    """How a package sees recordings of a schema. Raises ``GustbedError`` if it cannot."""
    title = f"{manifest.name} {manifest.version}"
    if manifest.turbine_type != like.turbine_type:
        raise GustbedError(
            f"{title} is for turbines of type {manifest.turbine_type}, the data are of type "
            f"{like.turbine_type}",
            "give a model of that type",
        )
    if abs(manifest.sample_rate_hz / like.sample_rate_hz - 1) > 0.01:
        raise GustbedError(
            f"{title} takes {manifest.sample_rate_hz:g} Hz, the data have {like.sample_rate_hz:g}",
            "import them at that rate, or train on them",
        )
    missing = [name for name in manifest.channel_names if name not in like.channel_names]
    if missing:
        raise GustbedError(f"{title}: the data have no channel {missing[0]!r}", "train on them")
    return replace(
        schema_in(manifest),
        sample_rate_hz=like.sample_rate_hz,
        settle_s=like.settle_s,
        aftermath=like.aftermath,
    )


def schema_in(manifest: Manifest) -> Schema:
    """What a package says of its turbine type's signals."""
    return Schema(**signal_fields(manifest))


def select_channels(part: Part, schema: Schema, by: Schema) -> Part:
    """A part with the channels that another schema wants, in its order."""
    if by.channel_names == schema.channel_names:
        return part
    rows = [schema.channel_names.index(name) for name in by.channel_names]
    return replace(part, recording=replace(part.recording, values=part.recording.values[rows]))


def cost(model: bytes, windows: NDArray[np.float32]) -> float | None:
    """Microseconds per window on one thread; None without a window to time with."""
    return microseconds_per_window(model, windows) if len(windows) else None


def _some_windows(parts: Iterable[Part], schema: Schema) -> NDArray[np.float32]:
    found = [np.empty((0, len(schema.features), schema.window), dtype=np.float32)]
    for part in parts:
        stop = min(part.stop, part.start + BATCH * schema.step + schema.window)
        found.append(windows_of(replace(part, stop=stop), schema))
        if sum(map(len, found)) >= BATCH:
            break
    return np.concatenate(found)


def _write(found: Evaluation, path: Path) -> None:
    path.write_bytes(msgspec.json.encode(found))

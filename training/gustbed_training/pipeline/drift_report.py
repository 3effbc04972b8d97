"""A drift report of recordings: windows that do not overlap, and what the model makes of them."""

import time
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from gustbed_core import drift as wire
from gustbed_core.errors import GustbedError
from gustbed_core.package import Manifest, Package
from gustbed_core.signals import Schema
from gustbed_training.data.dataset import open_dataset
from gustbed_training.data.split import whole
from gustbed_training.data.windows import windows_of
from gustbed_training.detectors.scoring import scorer
from gustbed_training.drift import Drift, drift
from gustbed_training.pipeline.measure import schema_of, select_channels


def drift_of(package: Package, data: Path) -> Drift:
    """Compare all recordings of a dataset with a package. Raises ``GustbedError``."""
    dataset = open_dataset(data)
    schema = schema_of(package.manifest, dataset.schema)
    apart = replace(schema, step=schema.window)
    windows, begins, ends = [_none(schema)], [], []
    for one in dataset.recordings():
        windows.append(windows_of(select_channels(whole(one), dataset.schema, schema), apart))
        begins.append(one.start)
        ends.append(one.start + one.samples / schema.sample_rate_hz)
    every = np.concatenate(windows)
    ratios = scorer(package.model)(every)[1]
    found = drift(package.manifest.reference, schema, every, ratios.max(axis=1, initial=0.0))
    hours = (max(ends) - min(begins)) / 3600 if begins else None
    return replace(found, hours=hours)


def write_report(found: Drift, manifest: Manifest, source: str, folder: Path) -> Path:
    """Write the report where the dashboard looks for it. Raises ``GustbedError``."""
    features = [
        wire.FeatureDrift(one.feature, one.psi, one.shift, one.level.value)
        for one in found.features
    ]
    report = wire.DriftReport(
        f"{manifest.name} {manifest.version}",
        manifest.turbine_type,
        time.time(),
        found.level.value,
        features,
        source,
    )
    path = folder / wire.report_file(manifest.name)
    part = path.with_name(f".{path.name}.part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part.write_bytes(msgspec.json.encode(report))
        part.replace(path)
    except OSError as error:
        raise GustbedError(f"{path}: {error.strerror}", "make it writable") from error
    return path


def _none(schema: Schema) -> NDArray[np.float32]:
    return np.empty((0, len(schema.features), schema.window), dtype=np.float32)

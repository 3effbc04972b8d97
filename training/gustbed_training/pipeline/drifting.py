"""A drift report of recordings: windows that do not overlap, and what the model makes of them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gustbed_protocol.package import Package
from gustbed_training.data.dataset import open_dataset
from gustbed_training.data.schema import Schema
from gustbed_training.data.split import whole
from gustbed_training.data.windows import windows_of
from gustbed_training.detectors.scoring import scorer
from gustbed_training.drift import Drift, drift
from gustbed_training.pipeline.measure import as_seen, schema_of


def drift_of(package: Package, data: Path) -> Drift:
    """Compare all recordings of a dataset with a package. Raises ``GustbedError``."""
    dataset = open_dataset(data)
    schema = schema_of(package.manifest, dataset.schema)
    apart = replace(schema, step=schema.window)
    parts = (as_seen(whole(one), dataset.schema, schema) for one in dataset.recordings())
    windows = np.concatenate([_none(schema), *(windows_of(part, apart) for part in parts)])
    ratios = scorer(package.model)(windows)[1]
    return drift(package.manifest.reference, schema, windows, ratios.max(axis=1, initial=0.0))


def _none(schema: Schema) -> NDArray[np.float32]:
    return np.empty((0, len(schema.features), schema.window), dtype=np.float32)

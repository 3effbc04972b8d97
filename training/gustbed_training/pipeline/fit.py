"""The second step: a detector fitted, its thresholds set, its graph exported."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from gustbed_core.commissioning.population import (
    POPULATION_ARRAYS,
    Population,
    population_of,
    population_to_bytes,
)
from gustbed_core.errors import GustbedError
from gustbed_core.signals import Schema
from gustbed_training.data.dataset import open_dataset
from gustbed_training.data.partition import Part
from gustbed_training.data.windows import sliding_windows, window_ends_of, windows_of_all
from gustbed_training.detectors.base import FitData, Plan
from gustbed_training.detectors.explaining import Explaining
from gustbed_training.detectors.registry import detector
from gustbed_training.detectors.thresholds import Target
from gustbed_training.pipeline.cache import code_digest, versions
from gustbed_training.pipeline.calibrate import explained, exported, thresholds_of
from gustbed_training.pipeline.population import fit_population, machines_of, widen
from gustbed_training.pipeline.prepare import Prepared, hours_by_subset
from gustbed_training.progress import Log

MODEL, DETAILS, POPULATION = "model.onnx", "details.json", "population.npz"
MAX_BYTES = 400_000_000
"""Of windows in memory; a larger dataset is thinned out evenly."""
_LIBRARIES = ("numpy", "torch", "onnx", "scikit-learn")


@dataclass(frozen=True)
class Details:
    """What the step knows beside the graph."""

    detector: str
    thresholds: dict[str, float]
    training: dict[str, str]


def inputs(
    prepared: Path, name: str, plan: Plan, target: Target, population: Path | None = None
) -> dict[str, Any]:
    """All that the step's output depends on; ``population`` is a folder of machines that differ."""
    machines = {} if population is None else {"population": open_dataset(population).digest()}
    return machines | {
        "prepared": prepared.name,
        "detector": name,
        "plan": msgspec.to_builtins(plan),
        "target": msgspec.to_builtins(target),
        "code": code_digest(
            "detectors",
            "data",
            "pipeline/fit.py",
            "pipeline/calibrate.py",
            "pipeline/population.py",
        ),
        "libraries": versions(_LIBRARIES),
    }


def fit(
    prepared: Prepared, name: str, plan: Plan, target: Target, folder: Path, log: Log,
    population: Path | None = None,
) -> None:  # fmt: skip
    """Fit, calibrate and export to the step's folder; with a ``population`` of machines that
    differ, so that turbines can be commissioned, if the detector allows it. Raises
    ``GustbedError``.
    """
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(plan.seed)
    schema, partition = prepared.schema, prepared.partition
    windows = _training_windows(partition.train, schema)
    held = [part for part in partition.calibrate if count_windows(part, schema)]
    if not len(windows) or not held:
        raise GustbedError(
            f"{prepared.name}: no window to {'calibrate' if len(windows) else 'train'} on",
            f"give unbroken normal data of more than {schema.window} samples",
        )
    calibrating = sum(count_windows(part, schema) for part in held)
    log(f"{name}: {len(windows)} windows, calibrating on {calibrating}")
    data = FitData(schema, windows, _Lazy(partition.train, schema), _Lazy(held, schema))
    module = detector(name).fit(data, plan, log)
    machines = None
    if population is not None and isinstance(module, Explaining):
        machines = machines_of(population)
        widen(module, machines, schema)
    thresholds = thresholds_of(module, _Lazy(held, schema), schema, target)
    details = Details(
        name,
        dict(zip(schema.feature_names, thresholds, strict=True)),
        _provenance(prepared, plan, target),
    )
    model = exported(module, thresholds, schema)
    if machines is not None and isinstance(module, Explaining):
        model = explained(module, thresholds, schema)
        found = fit_population(model, module, schema, machines, _Lazy(held, schema), log)
        (folder / POPULATION).write_bytes(population_to_bytes(found))
    (folder / MODEL).write_bytes(model)
    (folder / DETAILS).write_bytes(msgspec.json.encode(details))


def load_fit(folder: Path) -> tuple[bytes, Details]:
    """The graph and the details of the step's folder."""
    details = msgspec.json.decode((folder / DETAILS).read_bytes(), type=Details)
    return (folder / MODEL).read_bytes(), details


def load_population(folder: Path, features: int) -> Population | None:
    """How machines differ, if the step was told; of so many features."""
    path = folder / POPULATION
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as arrays:
        return population_of({name: arrays[name] for name in POPULATION_ARRAYS}, features)


class _Lazy(Sequence[NDArray[np.float32]]):
    """Windows of parts, cut each time that they are asked for."""

    def __init__(self, parts: Sequence[Part], schema: Schema) -> None:
        self._parts, self._schema = parts, schema

    def __len__(self) -> int:
        return len(self._parts)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return _Lazy(self._parts[index], self._schema)
        return sliding_windows(self._parts[index], self._schema)


def _training_windows(parts: Sequence[Part], schema: Schema) -> NDArray[np.float32]:
    total = sum(count_windows(part, schema) for part in parts)
    every = -(-total * _bytes(schema) // MAX_BYTES)
    return windows_of_all(parts, replace(schema, step=schema.step * max(every, 1)))


def count_windows(part: Part, schema: Schema) -> int:
    """How many windows lie wholly within a part."""
    return len(window_ends_of(part, schema))


def _bytes(schema: Schema) -> int:
    return 4 * len(schema.features) * schema.window


def _provenance(prepared: Prepared, plan: Plan, target: Target) -> dict[str, str]:
    hours = hours_by_subset(prepared)
    return {
        "data": prepared.name,
        "data_digest": prepared.digest,
        "seed": str(plan.seed),
        **({} if plan.epochs is None else {"epochs": str(plan.epochs)}),
        "train_turbine_hours": f"{hours['train']:.3f}",
        "calibrate_turbine_hours": f"{hours['calibrate']:.3f}",
        "thresholds": json.dumps(msgspec.to_builtins(target), sort_keys=True),
        "torch": str(torch.__version__),
    }

"""Datasets of any turbine type, from names and files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gustbed_twin.datasets.writer import Dataset, arrow, open_folder, write_dataset
from gustbed_twin.physics.model import FarmPlan
from gustbed_twin.physics.registry import load_physics
from gustbed_twin.scenarios.build import build_farm
from gustbed_twin.shards import parse_shard
from gustbed_twin.wind.request import Wind


@dataclass(frozen=True, slots=True)
class DatasetRequest:
    """What is asked for. ``wind`` is in the type's unit: m/s, or anemometer rev/s of miniatures.

    ``rate_hz`` None is the type's own; ``faults`` are as ``--fault`` gives them; ``csv`` names a
    turbine to write a recording of; ``types_dir`` is the user's folder of types;
    every constant of a turbine is within 1 ± ``variation`` of its type's.
    """

    type: str
    turbines: int
    hours: float
    seed: int = 42
    scenario: Path | None = None
    wind: float | None = None
    turbulence: float | None = None
    layout: Path | None = None
    wake: str = "none"
    shard: str = "1/1"
    rate_hz: int | None = None
    faults: tuple[str, ...] = ()
    csv: str | None = None
    types_dir: Path | None = None
    variation: float = 0.0


def write(request: DatasetRequest, out: Path, *, force: bool) -> dict[str, Any]:
    """Check the request, then write the dataset and return its card. Raises ``GustbedError``."""
    physics = load_physics(request.type, request.types_dir)
    plan = FarmPlan(
        request.turbines, request.seed, Wind(mean=request.wind, turbulence=request.turbulence),
        request.layout, request.wake, parse_shard("--shard", request.shard), request.rate_hz,
        request.variation,
    )  # fmt: skip
    built = build_farm(physics, plan, request.scenario, request.faults)
    arrow()
    open_folder(out, force=force)
    return write_dataset(Dataset(physics, plan, built, request.hours, request.csv), out)

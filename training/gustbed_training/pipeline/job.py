"""What is asked of the pipeline, and what comes of it."""

from dataclasses import dataclass, field
from pathlib import Path

from gustbed_core.package import Manifest
from gustbed_training.detectors.base import Plan
from gustbed_training.detectors.thresholds import Target
from gustbed_training.pipeline.gate import Gate
from gustbed_training.pipeline.identity import Identity

STEPS = ("prepare", "train", "evaluate", "gate", "package", "register")
HOME = Path(".gustbed")
"""Where steps, datasets and the record of runs lie unless another folder is named."""


@dataclass(frozen=True)
class Job:
    """Train a detector on a dataset and write a package.

    Without a ``detector`` the data choose: the shipped one needs some hours of them.
    ``incumbent`` is the package in service that the new one must not be worse than. ``hours``
    bounds what is read of each normal recording. ``force`` makes finished steps again.
    ``population`` is a dataset of machines that differ: with it turbines can be commissioned.
    """

    data: Path
    identity: Identity
    out: Path
    detector: str | None = None
    plan: Plan = field(default_factory=Plan)
    target: Target = field(default_factory=Target)
    hours: float | None = None
    incumbent: Path | None = None
    home: Path = HOME
    force: bool = False
    track: bool = True
    population: Path | None = None


@dataclass(frozen=True)
class Result:
    """A package, whether or not it passed its gate."""

    package: Path
    manifest: Manifest
    gate: Gate
    seconds: float

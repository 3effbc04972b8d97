"""Datasets from the twin: what to simulate, and running the twin's command line to do it.

A dataset is a folder of runs, ``<role>-<name>/<turbine>.parquet``, beside ``profile.json``, which
says what was asked of the twin. Runs differ in wind, turbulence and seed, so that a model learns
the turbine rather than one afternoon.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from gustbed_protocol.errors import GustbedError
from gustbed_protocol.violations import Violation

Role = Literal["train", "calibrate", "test", "fault"]
_ROLES: tuple[Role, ...] = ("train", "calibrate", "test", "fault")
DESCRIPTION = "profile.json"
CACHE = Path(".gustbed") / "datasets"


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault. Times in seconds from the run's start; severity from 0 to 1."""

    turbine: str
    kind: Violation
    severity: float
    start: float
    duration: float


@dataclass(frozen=True, slots=True)
class Run:
    """One simulation. ``wind`` is the mean anemometer speed in 1/s, ``turbulence`` a fraction."""

    role: Role
    name: str
    turbines: int
    hours: float
    seed: int
    wind: float
    turbulence: float
    faults: tuple[Fault, ...] = ()

    @property
    def folder(self) -> str:
        """Name of the run's folder; it starts with the role."""
        return f"{self.role}-{self.name}"


@dataclass(frozen=True, slots=True)
class Profile:
    """A dataset by name."""

    name: str
    runs: tuple[Run, ...]

    @property
    def turbine_hours(self) -> float:
        """Simulated time."""
        return sum(run.turbines * run.hours for run in self.runs)


def digest(profile: Profile) -> str:
    """Content hash: of what is asked for, and of the simulator that is asked."""
    seen = hashlib.sha256(json.dumps(asdict(profile), sort_keys=True).encode())
    for path in _twin_sources():
        seen.update(path.read_bytes())
    return seen.hexdigest()[:16]


def cached(profile: Profile, say: Callable[[str], None]) -> Path:
    """Make the dataset in the cache, unless it is there."""
    folder = CACHE / f"{profile.name}-{digest(profile)}"
    make(profile, folder, say)
    return folder


def make(profile: Profile, folder: Path, say: Callable[[str], None]) -> None:
    """Simulate every run that the folder does not hold yet. Raises ``GustbedError``."""
    wanted = {"profile": asdict(profile), "digest": digest(profile)}
    description = folder / DESCRIPTION
    if description.is_file():
        if json.loads(description.read_text(encoding="utf-8"))["digest"] == wanted["digest"]:
            return
        raise GustbedError(f"{folder}: holds another dataset", "remove it or name another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GustbedError(f"{folder}: {error.strerror}", "name a folder to write to") from error
    for number, run in enumerate(profile.runs, start=1):
        say(
            f"dataset {profile.name}: run {number}/{len(profile.runs)} {run.folder}, "
            f"{run.turbines * run.hours:g} turbine-hours"
        )
        _simulate(run, folder / run.folder)
    description.write_text(json.dumps(wanted, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def role_of(file: Path, folder: Path) -> Role:
    """Role of a recording by the folder it lies in; recordings of one's own train the model."""
    top = file.relative_to(folder).parts[0] if file != folder else ""
    return next((role for role in _ROLES if top.startswith(f"{role}-")), "train")


def check_complete(folder: Path) -> None:
    """Raise ``GustbedError`` if the folder holds a dataset that was not finished."""
    if not folder.is_dir() or (folder / DESCRIPTION).is_file():
        return
    if any(entry.name.startswith(f"{role}-") for entry in folder.iterdir() for role in _ROLES):
        raise GustbedError(f"{folder}: the dataset is unfinished", "run make-dataset on it again")


def _twin_sources() -> Iterable[Path]:
    spec = find_spec("gustbed_twin")
    if spec is None or not spec.submodule_search_locations:
        raise GustbedError("gustbed_twin is not installed", "pip install ./twin, or give --data")
    return sorted(Path(spec.submodule_search_locations[0]).glob("*.py"))


def _simulate(run: Run, folder: Path) -> None:
    if folder.is_dir():
        return
    unfinished = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    command = [
        sys.executable, "-m", "gustbed_twin", "generate",
        "--turbines", str(run.turbines), "--hours", str(run.hours), "--seed", str(run.seed),
        "--wind-mean", str(run.wind), "--turbulence", str(run.turbulence),
        "--out", str(unfinished),
    ]  # fmt: skip
    for fault in run.faults:
        command += ["--fault", _argument(fault)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        shutil.rmtree(unfinished, ignore_errors=True)
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise GustbedError(f"the twin failed to simulate {run.folder}", last)
    try:
        unfinished.rename(folder)
    except OSError:
        shutil.rmtree(unfinished, ignore_errors=True)
        if not folder.is_dir():
            raise
        # Another process was quicker; the same run gives the same files.


def _argument(fault: Fault) -> str:
    return (
        f"{fault.turbine}:{fault.kind}:start={fault.start}:duration={fault.duration}"
        f":severity={fault.severity}"
    )

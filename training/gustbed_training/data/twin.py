"""Datasets from the twin: what to simulate, and running the twin's command line to do it.

A dataset is a folder of runs, ``<role>-<name>/<turbine>.parquet``, beside ``profile.json``, which
says what was asked of the twin. Runs differ in wind, turbulence and seed, so that a model learns
the turbine rather than one afternoon.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from gustbed_core.errors import GustbedError
from gustbed_core.event_kinds import EventKind
from gustbed_training.data.dataset import DESCRIPTION, Role
from gustbed_training.data.types import files_of, find_type
from gustbed_training.progress import Log

CACHE = Path(".gustbed") / "datasets"
KEEP = 2
"""Cached datasets of one profile: the newest ones; they are large."""
_PROCESSES = 2
_SOURCES = (".py", ".yaml", ".txt")


@dataclass(frozen=True, slots=True)
class Fault:
    """A miniature's fault. Times in s from the run's start; severity from 0 to 1."""

    turbine: str
    kind: EventKind
    severity: float
    start: float
    duration: float


@dataclass(frozen=True, slots=True)
class Run:
    """One simulation. ``wind`` is the mean in the type's unit, m/s or the miniature's anemometer
    revolutions in 1/s; ``turbulence`` a fraction. ``scenario`` is the content of a scenario file
    of a utility type: faults, commands, weather. Constants of a turbine are within 1 ±
    ``variation`` of its type's, the same in every run of a seed.
    """

    type: str = field(kw_only=True)
    role: Role
    name: str
    turbines: int
    hours: float
    seed: int
    wind: float
    turbulence: float
    faults: tuple[Fault, ...] = ()
    scenario: Mapping[str, Any] | None = None
    variation: float = 0.0

    @property
    def folder(self) -> str:
        """Name of the run's folder; it starts with the role."""
        return f"{self.role}-{self.name}"

    @property
    def turbine_hours(self) -> float:
        """Simulated time."""
        return self.turbines * self.hours


@dataclass(frozen=True, slots=True)
class Profile:
    """A dataset by name."""

    name: str
    runs: tuple[Run, ...]

    @property
    def turbine_hours(self) -> float:
        """Simulated time."""
        return sum(run.turbine_hours for run in self.runs)


@dataclass(frozen=True)
class Course:
    """What machines go through: a period that is declared normal, then calm and faulty runs."""

    period: Run
    calm: tuple[Run, ...]
    faulty: tuple[Run, ...]

    @property
    def runs(self) -> tuple[Run, ...]:
        """All of them, the period first."""
        return (self.period, *self.calm, *self.faulty)


def digest(profile: Profile) -> str:
    """Content hash: of what is asked for, of its types, and of the simulator that is asked."""
    seen = hashlib.sha256(json.dumps(asdict(profile), sort_keys=True).encode())
    for name in sorted({run.type for run in profile.runs}):
        for path in files_of(find_type(name)):
            seen.update(path.read_bytes())
    root = _twin()
    for path in _sources(root):
        seen.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return seen.hexdigest()[:16]


def cached(profile: Profile, log: Log, cache: Path = CACHE) -> Path:
    """Make the dataset in the cache, unless it is there; older ones of its name go."""
    folder = cache / f"{profile.name}-{digest(profile)}"
    make(profile, folder, log)
    folder.touch()
    prune(profile.name, cache)
    return folder


def prune(name: str, cache: Path = CACHE) -> None:
    """Remove all but the newest cached datasets of a profile."""
    own = re.compile(re.escape(name) + "-[0-9a-f]{16}")
    found = [path for path in cache.iterdir() if own.fullmatch(path.name)]
    for path in sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)[KEEP:]:
        shutil.rmtree(path, ignore_errors=True)


def make(profile: Profile, folder: Path, log: Log) -> None:
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
    _simulate_all(profile, folder, log)
    # Written last: without it the dataset is known to be unfinished.
    part = description.with_suffix(".part")
    part.write_text(json.dumps(wanted, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    part.rename(description)


def _simulate_all(profile: Profile, folder: Path, log: Log) -> None:
    missing = [run for run in profile.runs if not (folder / run.folder).is_dir()]
    # The longest first, or the last would run alone.
    missing.sort(key=lambda run: run.turbine_hours, reverse=True)
    total, done, begun = sum(run.turbine_hours for run in missing), 0.0, time.monotonic()
    log(f"dataset {profile.name}: {len(missing)} runs, {total:.4g} turbine-hours")
    pool = ThreadPoolExecutor(min(_PROCESSES, os.cpu_count() or 1))
    try:
        running = {pool.submit(_simulate, run, folder / run.folder): run for run in missing}
        for number, finished in enumerate(as_completed(running), start=1):
            finished.result()
            done += running[finished].turbine_hours
            left = (time.monotonic() - begun) * (total - done) / done
            log(
                f"dataset {profile.name}: {number}/{len(missing)} {running[finished].folder}, "
                f"{left:.0f} s left"
            )
    finally:
        pool.shutdown(cancel_futures=True)


def _simulate(run: Run, folder: Path) -> None:
    unfinished = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    with tempfile.TemporaryDirectory() as work:
        command = _command(run, unfinished, Path(work))
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
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


def _command(run: Run, out: Path, work: Path) -> list[str]:
    command = [
        sys.executable, "-m", "gustbed_twin", "generate", "--type", run.type,
        "--turbines", str(run.turbines), "--hours", str(run.hours), "--seed", str(run.seed),
        "--wind-mean", str(run.wind), "--turbulence", str(run.turbulence), "--out", str(out),
    ]  # fmt: skip
    if run.variation:
        command += ["--variation", str(run.variation)]
    for fault in run.faults:
        command += ["--fault", _argument(fault)]
    if run.scenario is not None:
        scenario = work / "scenario.yaml"
        scenario.write_text(yaml.safe_dump(dict(run.scenario)), encoding="utf-8")
        command += ["--scenario", str(scenario)]
    return command


def _argument(fault: Fault) -> str:
    return (
        f"{fault.turbine}:{fault.kind}:start={fault.start}:duration={fault.duration}"
        f":severity={fault.severity}"
    )


def _twin() -> Path:
    spec = find_spec("gustbed_twin")
    if spec is None or not spec.submodule_search_locations:
        raise GustbedError("gustbed_twin is not installed", "pip install ./twin, or give --data")
    return Path(spec.submodule_search_locations[0])


def _sources(root: Path) -> Iterable[Path]:
    return sorted(path for path in root.rglob("*") if path.suffix in _SOURCES)

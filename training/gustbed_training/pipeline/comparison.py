"""Every detector trained and judged again and again, on as many cores as there are.

Steps are kept as those of a single training are, so that a comparison that was stopped goes on,
and another seed costs only its own trainings.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec

from gustbed_core.errors import GustbedError
from gustbed_training.data.dataset import open_dataset
from gustbed_training.data.split import evaluation_parts
from gustbed_training.data.windows import hours_of
from gustbed_training.detectors.base import Plan
from gustbed_training.detectors.reference_autoencoder import ORIGINAL_EPOCHS
from gustbed_training.detectors.registry import SHIPPED
from gustbed_training.evaluation.comparison import Run
from gustbed_training.pipeline import fit, measure, prepare
from gustbed_training.pipeline.cache import Store
from gustbed_training.pipeline.defaults import (
    evaluation_profile,
    made,
    population,
    shipped_types,
    training_profile,
)
from gustbed_training.pipeline.identity import Identity
from gustbed_training.pipeline.job import Job
from gustbed_training.pipeline.measure import Measured
from gustbed_training.pipeline.parallel import finished
from gustbed_training.pipeline.steps import (
    KEEP_PREPARED,
    aimed_per_day,
    evaluate_step,
    prepare_step,
    train_step,
)
from gustbed_training.progress import Log

EPOCHS = {"reference": ORIGINAL_EPOCHS}
"""Of detectors that learn by epochs: what a comparison gives them at most."""
ONCE = frozenset({"pca", "dynamic", "ridge"})
"""Trained with the first seed alone: no chance is in them."""
LIMITS = (
    "On nrel_5mw nobody can see a converter trip of severity 0.5 or less, which the twin does not "
    "let trip; a stuck or slow pitch while the demand rests or moves more slowly still; a stuck "
    "sensor whose quantity rests; icing or imbalance at standstill.",
    "Windings that overheat near no load warm by less than their usual error.",
    "Operation beyond what was trained on (other offsets, colder or hotter air) may raise events.",
)
"""What is known of the shipped detector beside its figures."""
_LONGEST = ("reference", "compact")


@dataclass(frozen=True)
class ComparisonData:
    """What detectors compete on: a dataset to train on, and one to be judged on.

    Without ``judging`` they are judged on the test share of the first. ``population`` is of
    machines that differ.
    """

    name: str
    training: Path
    judging: Path | None = None
    population: Path | None = None


@dataclass(frozen=True)
class Trial:
    """One training."""

    data: ComparisonData
    detector: str
    seed: int


def default_comparisons(home: Path, log: Log) -> list[ComparisonData]:
    """The twin's datasets of both types, simulated unless they are there."""
    return [
        ComparisonData(
            turbine_type,
            made(training_profile(turbine_type), home, log),
            made(evaluation_profile(turbine_type), home, log),
            population(turbine_type, home, log),
        )
        for turbine_type in shipped_types()
    ]


def run_all(
    datasets: Sequence[ComparisonData],
    detectors: Sequence[str],
    seeds: Sequence[int],
    home: Path,
    log: Log,
) -> list[Run]:
    """Train and judge each detector with each seed on each field. Raises ``GustbedError``."""
    begun = time.monotonic()
    log(f"compare: {capped()}")
    store = Store(home / "pipeline")
    for data in datasets:
        prepare_step(store, _job(Trial(data, detectors[0], 0), home), _named(log, data.name))
    trials = [
        Trial(data, name, seed)
        for data in datasets
        for seed in seeds
        for name in detectors
        if seed == seeds[0] or name not in ONCE
    ]
    found: dict[Trial, Measured] = {}
    for trial, measured in finished(partial(_try, home=home), _longest_first(trials)):
        found[trial] = measured
        passed = time.monotonic() - begun
        vus = measured.telling.vus_pr
        log(
            f"compare: {len(found)}/{len(trials)} {_title(trial)}: "
            f"VUS-PR {'-' if vus is None else f'{vus:.3f}'}, {passed / 60:.1f} min so far"
        )
    store.prune("prepare", KEEP_PREPARED)
    return [
        Run(trial.data.name, trial.detector, trial.seed, found[trial].telling) for trial in trials
    ]


def describe(data: ComparisonData) -> str:
    """A sentence on a field's datasets."""
    dataset = open_dataset(data.training)
    ready = f"Trained on {data.training.name}"
    if data.judging is None:
        return f"{ready}, judged on what it keeps for tests. {capped()}"
    hours, faults = 0.0, 0
    for part in evaluation_parts(open_dataset(data.judging)):
        hours += hours_of([part], dataset.schema)
        faults += len(part.recording.labels)
    return (
        f"{ready}, judged on {data.judging.name}: {hours:.1f} turbine-hours of other winds and "
        f"seeds with {faults} faults. {capped()}"
    )


def capped() -> str:
    """What bounds a comparison, in a sentence."""
    epochs = " and ".join(
        f"{name} learns for {count} epochs, or until its loss has converged"
        for name, count in EPOCHS.items()
    )
    once = ", ".join(sorted(ONCE))
    return (
        f"Bounds: {epochs}; {once} are trained once, for no chance is in them; of larger datasets "
        f"{fit.MAX_BYTES // 10**6} MB of windows are used."
    )


def _longest_first(trials: Sequence[Trial]) -> list[Trial]:
    """No core is idle at the end if what takes longest begins first."""

    def size(data: ComparisonData) -> int:
        return sum(file.stat().st_size for file in data.training.rglob("*") if file.is_file())

    sizes = {data: size(data) for data in {trial.data for trial in trials}}
    ranks = {name: rank for rank, name in enumerate(_LONGEST)}
    return sorted(
        trials,
        key=lambda trial: (ranks.get(trial.detector, len(ranks)), -sizes[trial.data], trial.seed),
    )


def _try(trial: Trial, home: Path) -> Measured:
    try:
        return _train_and_judge(trial, home)
    except GustbedError as error:
        # Its kinds do not all survive the way back from a child process.
        raise GustbedError(f"{_title(trial)}: {error}") from None


def _train_and_judge(trial: Trial, home: Path) -> Measured:
    def log(line: str) -> None:
        print(f"  {_title(trial)}: {line}", file=sys.stderr, flush=True)

    store, job = Store(home / "pipeline"), _job(trial, home)
    prepared = prepare_step(store, job, lambda _: None)
    fitted = train_step(store, job, prepared, trial.detector, log)
    if trial.data.judging is None:
        return measure.load_measured(evaluate_step(store, job, prepared, fitted, log))
    dataset = open_dataset(trial.data.judging)

    def make(folder: Path) -> None:
        schema = prepare.load_prepared(prepared).schema
        model, _ = fit.load_fit(fitted)
        aimed = aimed_per_day(job.target, schema)
        measure.measure_held_out(schema, measure.HeldOut(dataset), model, aimed, folder)

    inputs = measure.inputs(Path(f"{dataset.folder.name}-{dataset.digest()}"), fitted.name)
    inputs["split"] = msgspec.to_builtins(dataset.split)
    return measure.load_measured(store.step("judge", inputs, make, log))


def _job(trial: Trial, home: Path) -> Job:
    identity = Identity("comparison", "0.0.0")
    plan = Plan(trial.seed, EPOCHS.get(trial.detector))
    return Job(
        trial.data.training, identity, home / "unused", trial.detector, plan, home=home,
        population=trial.data.population if trial.detector == SHIPPED else None,
    )  # fmt: skip


def _named(log: Log, name: str) -> Log:
    return lambda line: log(f"compare: prepare {name}: {line}")


def _title(trial: Trial) -> str:
    return f"{trial.data.name} {trial.detector} seed {trial.seed}"

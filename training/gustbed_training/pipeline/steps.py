"""The pipeline: prepare, train, evaluate, gate, package, register, each kept once it is done."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from gustbed_core.errors import GustbedError
from gustbed_core.jobs import PACKAGE_FILE
from gustbed_core.package import check_name, read_package, sha256, version_key
from gustbed_core.signals import Schema
from gustbed_training.data.dataset import open_dataset
from gustbed_training.detectors.registry import DETECTORS, detector, suited
from gustbed_training.detectors.scoring import load_package
from gustbed_training.detectors.thresholds import Target
from gustbed_training.pipeline import fit, measure, package, prepare
from gustbed_training.pipeline.cache import Store, code_digest, write_atomically
from gustbed_training.pipeline.gate import Gate, Rival, judge, judge_stand_in
from gustbed_training.pipeline.job import STEPS, Job, Result
from gustbed_training.pipeline.tracking import NotRecordedError, Run, record, store_uri
from gustbed_training.pipeline.vouching import vouch
from gustbed_training.progress import Log

BASELINE = "pca"
_GATE = "gate.json"
KEEP_PREPARED = 2
"""Prepared datasets are large; those used longest ago are removed."""


def run(job: Job, log: Log) -> Result:
    """Do every step that is not done yet. Raises ``GustbedError``; what was finished stays.

    A package that does not pass its gate is written all the same, for inspection.
    """
    check_name(job.identity.name)
    version_key(job.identity.version)
    if job.detector is not None:
        detector(job.detector)
    begun = time.monotonic()
    store = Store(job.home / "pipeline", job.force)
    prepared = prepare_step(store, job, step_log(log, "prepare"))
    best = _attempt(store, job, prepared, log)
    packed = _package_step(store, job, prepared, best, step_log(log, "package"))
    packed_bytes = (packed / PACKAGE_FILE).read_bytes()
    archive = vouch(packed_bytes, job.identity, best.gate, job.home)
    register_log = step_log(log, "register")
    write_atomically(job.out, archive)
    register_log(f"{job.out}, {len(archive)} bytes")
    manifest = read_package(archive).manifest
    seconds = time.monotonic() - begun
    if job.track:
        _record_step(store, job, Run(manifest, packed / PACKAGE_FILE, seconds), register_log)
    store.prune("prepare", KEEP_PREPARED)
    return Result(job.out, manifest, best.gate, seconds)


@dataclass(frozen=True)
class Attempt:
    """A detector, and the folders of the steps that made and judged a model of it."""

    detector: str
    fitted: Path
    measured: Path
    gated: Path

    @property
    def gate(self) -> Gate:
        """Its verdict."""
        return _load_gate(self.gated)


def _attempt(store: Store, job: Job, prepared: Path, log: Log) -> Attempt:
    """By the job's detector, and no other; else by the first suited one that passes its gate, by
    the baseline if that passes where they do not, or by the very first.

    Recordings that drift on for hours are too much for the detector that suits most, and a few
    dozen channels leave it too few data for each.
    """
    if job.detector is not None:
        return _try(store, job, prepared, job.detector, (), log)
    gate_log = step_log(log, "gate")
    refused: list[Attempt] = []
    last = (BASELINE,) if BASELINE in DETECTORS else ()
    for name in (*suited_to(prepared), *last):
        if refused:
            gate_log(f"{refused[-1].detector} is refused: trying {name}")
        found = _try(store, job, prepared, name, refused if name in last else (), log)
        if found.gate.passed:
            if refused:
                gate_log(f"{_words(refused)}; {name} passes and ships")
            return found
        refused.append(found)
    gate_log(f"{_words(refused)}; {refused[0].detector} is kept for inspection")
    return refused[0]


def _try(
    store: Store, job: Job, prepared: Path, name: str, refused: Sequence[Attempt], log: Log
) -> Attempt:
    """Train and judge; the baseline in the place of those that were refused."""
    fitted = train_step(store, job, prepared, name, step_log(log, "train"))
    measured = evaluate_step(store, job, prepared, fitted, step_log(log, "evaluate"))
    log = step_log(log, "gate")
    baseline = service = None
    if name != BASELINE and BASELINE in DETECTORS:
        baseline = _measure_baseline(store, job, prepared, log)
    if job.incumbent is not None:
        service = _measure_service(store, job.incumbent, prepared, log)

    def verdict() -> Gate:
        ours = measure.load_measured(measured)
        if not refused:
            return judge(ours, baseline and _rival(baseline), service and _rival(service))
        rivals = [(_rival((each.detector, each.measured)), each.gate.words) for each in refused]
        return judge_stand_in(ours, rivals, service and _rival(service))

    inputs = {
        "measured": measured.name,
        "baseline": baseline and baseline[1].name,
        "service": service and (service[0], service[1].name),
        "refused": [(each.detector, each.gated.name) for each in refused],
    }
    return Attempt(name, fitted, measured, _gate_step(store, inputs, verdict, log))


def _words(refused: Sequence[Attempt]) -> str:
    return "; ".join(f"{each.detector} is refused: {each.gate.words}" for each in refused)


def step_log(log: Log, step: str) -> Log:
    """Log lines of a step after its place and name."""
    place = f"{STEPS.index(step) + 1}/{len(STEPS)} {step}"
    return lambda line: log(f"{place}: {line}")


def prepare_step(store: Store, job: Job, log: Log) -> Path:
    """Read the dataset and share it out."""
    dataset = open_dataset(job.data)
    inputs = prepare.inputs(dataset, job.hours)
    return store.step(
        "prepare",
        inputs,
        lambda folder: prepare.prepare(dataset, job.hours, inputs["data"], folder),
        log,
    )


def train_step(store: Store, job: Job, prepared: Path, name: str, log: Log) -> Path:
    """Fit a detector of any name with the job's plan."""
    return store.step(
        "train",
        fit.inputs(prepared, name, job.plan, job.target, job.population),
        lambda folder: fit.fit(
            prepare.load_prepared(prepared),
            name,
            job.plan,
            job.target,
            folder,
            log,
            job.population,
        ),
        log,
    )


def suited_to(prepared: Path) -> tuple[str, ...]:
    """The detectors that the data choose, the best suited first."""
    ready = prepare.load_prepared(prepared)
    return suited(sum(fit.count_windows(part, ready.schema) for part in ready.partition.calibrate))


def evaluate_step(store: Store, job: Job, prepared: Path, fitted: Path, log: Log) -> Path:
    """Measure what a train step made."""

    def make(folder: Path) -> None:
        ready = prepare.load_prepared(prepared)
        model, _ = fit.load_fit(fitted)
        aimed = aimed_per_day(job.target, ready.schema)
        measure.measure(ready, ready.schema, model, aimed, folder)

    return store.step("evaluate", measure.inputs(prepared, fitted.name), make, log)


def aimed_per_day(target: Target, schema: Schema) -> float:
    """False events per turbine-day that thresholds are set for, all features together."""
    return 24 * target.false_per_hour * len(schema.features)


def _gate_step(store: Store, inputs: dict[str, Any], verdict: Callable[[], Gate], log: Log) -> Path:
    def make(folder: Path) -> None:
        (folder / _GATE).write_bytes(msgspec.json.encode(verdict()))

    gated = store.step("gate", inputs | {"code": code_digest("pipeline/gate.py")}, make, log)
    log(_load_gate(gated).words)
    return gated


def _measure_baseline(store: Store, job: Job, prepared: Path, log: Log) -> tuple[str, Path]:
    """What is fitted to the same data to compare with. Raises ``GustbedError`` that says so."""

    def baseline_log(line: str) -> None:
        log(f"{BASELINE}: {line}")

    try:
        fitted = train_step(store, job, prepared, BASELINE, baseline_log)
    except GustbedError as error:
        # Nobody asked for this one: what it lacks is not what the wanted detector lacks.
        raise GustbedError(
            f"the gate has no {BASELINE} to compare with: {error.what}", error.remedy
        ) from error
    return BASELINE, evaluate_step(store, job, prepared, fitted, baseline_log)


def _measure_service(
    store: Store, incumbent: Path, prepared: Path, log: Log
) -> tuple[str, Path] | None:
    """The model in service on the same recordings, if it can read them."""
    serving = load_package(incumbent)
    title = f"{serving.manifest.name} {serving.manifest.version}"
    ready = prepare.load_prepared(prepared)
    try:
        schema = measure.schema_of(serving.manifest, ready.schema)
    except GustbedError as error:
        log(f"not compared with the model in service: {error}")
        return None

    def make(folder: Path) -> None:
        measure.measure(ready, schema, serving.model, None, folder)

    inputs = measure.inputs(prepared, sha256(serving.model))
    return title, store.step("evaluate", inputs, make, lambda line: log(f"{title}: {line}"))


def _rival(found: tuple[str, Path]) -> Rival:
    return Rival(found[0], measure.load_measured(found[1]))


def _package_step(store: Store, job: Job, prepared: Path, best: Attempt, log: Log) -> Path:
    def make(folder: Path) -> None:
        model, details = fit.load_fit(best.fitted)
        ready = prepare.load_prepared(prepared)
        parts = package.Made(
            ready,
            model,
            details,
            measure.load_measured(best.measured),
            best.gate,
            fit.load_population(best.fitted, len(ready.schema.features)),
        )
        package.package(parts, job.identity, folder)

    inputs = package.inputs(best.fitted, best.measured, best.gated, job.identity)
    return store.step("package", inputs, make, log)


def _record_step(store: Store, job: Job, entry: Run, log: Log) -> None:
    """Record the run, once. A failure is logged, and the record tried again by the next run."""

    def make(folder: Path) -> None:
        recorded = record(entry, job.home)
        log(f"run {recorded} of {store_uri(job.home)}")
        (folder / "run").write_text(recorded)

    inputs = {"package": entry.package.parent.name, "store": store_uri(job.home)}
    try:
        store.step("register", inputs, make, log)
    except NotRecordedError as error:
        log(f"not recorded: {error}")


def _load_gate(folder: Path) -> Gate:
    return msgspec.json.decode((folder / _GATE).read_bytes(), type=Gate)

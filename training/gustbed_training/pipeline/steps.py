"""The pipeline: prepare, train, evaluate, gate, package, register, each kept once it is done."""

import time
from dataclasses import dataclass, replace
from pathlib import Path

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
from gustbed_training.pipeline.gate import Gate, Rival, judge
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
    """Folders of the steps that made and judged a model."""

    fitted: Path
    measured: Path
    gated: Path

    @property
    def gate(self) -> Gate:
        """Its verdict."""
        return _load_gate(self.gated)


def _attempt(store: Store, job: Job, prepared: Path, log: Log) -> Attempt:
    """By the job's detector; else by the first suited one that passes its gate, or the very first.

    Recordings that drift on for hours are too much for the detector that suits most.
    """
    names = suited_to(prepared) if job.detector is None else (job.detector,)
    gate_log = step_log(log, "gate")
    found: list[Attempt] = []
    for name in names:
        if found:
            gate_log(f"{names[0]} is refused: trying {name}")
        fitted = train_step(store, job, prepared, name, step_log(log, "train"))
        measured = evaluate_step(store, job, prepared, fitted, step_log(log, "evaluate"))
        gated = _gate_step(store, replace(job, detector=name), prepared, measured, gate_log)
        found.append(Attempt(fitted, measured, gated))
        if found[-1].gate.passed:
            return found[-1]
    return found[0]


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


def _gate_step(store: Store, job: Job, prepared: Path, measured: Path, log: Log) -> Path:
    baseline = service = None
    if job.detector != BASELINE and BASELINE in DETECTORS:

        def baseline_log(line: str) -> None:
            log(f"{BASELINE}: {line}")

        fitted = train_step(store, job, prepared, BASELINE, baseline_log)
        baseline = (BASELINE, evaluate_step(store, job, prepared, fitted, baseline_log))
    if job.incumbent is not None:
        service = _measure_service(store, job.incumbent, prepared, log)

    def make(folder: Path) -> None:
        gate = judge(measure.load_measured(measured), _rival(baseline), _rival(service))
        (folder / _GATE).write_bytes(msgspec.json.encode(gate))

    inputs = {
        "measured": measured.name,
        "baseline": baseline and baseline[1].name,
        "service": service and (service[0], service[1].name),
        "code": code_digest("pipeline/gate.py"),
    }
    gated = store.step("gate", inputs, make, log)
    log(_load_gate(gated).words)
    return gated


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


def _rival(found: tuple[str, Path] | None) -> Rival | None:
    return None if found is None else Rival(found[0], measure.load_measured(found[1]))


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

"""What each subcommand does. What is heavy to import is imported where it is needed."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gustbed_core.errors import GustbedError
from gustbed_training.progress import Log

Command = Callable[[argparse.Namespace, Log], None]


def make_dataset(options: argparse.Namespace, log: Log) -> None:
    """Simulate a profile."""
    from gustbed_training.data.profiles import profile
    from gustbed_training.data.twin import make

    wanted = profile(options.profile)
    make(wanted, options.out, log)
    print(f"{options.out}: {wanted.turbine_hours:.1f} turbine-hours")


def import_(options: argparse.Namespace, log: Log) -> None:
    """Recordings of one's own to a dataset folder."""
    from gustbed_training.data.importing import import_files

    print(import_files(options.map, options.files, options.out, log))


def report(options: argparse.Namespace, _log: Log) -> None:
    """A dataset's report."""
    from gustbed_training.data.report import write_report

    print(write_report(options.data, options.out or options.data))


def describe(options: argparse.Namespace, _log: Log) -> None:
    """What a dataset is of, and what its model is called."""
    from gustbed_training.data.dataset import open_dataset
    from gustbed_training.pipeline.identity import model_name

    turbine_type = options.type or open_dataset(options.data).schema.turbine_type
    _print_json({"turbine_type": turbine_type, "name": model_name(turbine_type)})


def train(options: argparse.Namespace, log: Log) -> None:
    """The whole pipeline."""
    from gustbed_core.package import check_name, version_key
    from gustbed_training.detectors.base import Plan
    from gustbed_training.detectors.registry import detector
    from gustbed_training.pipeline.job import Job
    from gustbed_training.pipeline.steps import run

    version_key(options.version)
    if options.detector is not None:
        detector(options.detector)
    if options.name is not None:
        check_name(options.name)
    data = _data(options, log)
    identity, target = _identity(options, data)
    job = Job(
        data,
        identity,
        options.out,
        options.detector,
        Plan(options.seed, options.epochs),
        target,
        options.hours,
        options.incumbent,
        options.home,
        options.force,
        not options.no_record,
        _population(options, log),
    )
    result = run(job, log)
    manifest = result.manifest
    if options.json:
        _print_json({
            "package": str(result.package), "name": manifest.name, "version": manifest.version,
            "turbine_type": manifest.turbine_type, "detector": manifest.detector,
            "gate": result.gate.words, "gate_against": result.gate.against,
            "metrics": manifest.metrics,
            "seconds": round(result.seconds, 2),
        })  # fmt: skip
    else:
        print(f"{result.package}: {manifest.name} {manifest.version}, {manifest.detector}")
        for name, value in manifest.metrics.items():
            print(f"  {name} = {value:g}")
    if not result.gate.passed:
        raise GustbedError(
            f"{result.package}: refused by the quality gate: {result.gate.words}",
            "the package is kept for inspection",
        )


def evaluate(options: argparse.Namespace, log: Log) -> None:
    """A package on recordings."""
    from dataclasses import replace

    from gustbed_training.data.dataset import open_dataset
    from gustbed_training.data.split import evaluation_parts, taught
    from gustbed_training.detectors.scoring import load_package, scorer
    from gustbed_training.evaluation.evaluate import Options
    from gustbed_training.evaluation.evaluate import evaluate as judge
    from gustbed_training.evaluation.report import as_json, as_table
    from gustbed_training.pipeline.defaults import evaluation_profile, made
    from gustbed_training.pipeline.measure import cost, schema_of, select_channels

    package = load_package(options.model)
    title = f"{package.manifest.name} {package.manifest.version}"
    data = options.data or made(
        evaluation_profile(package.manifest.turbine_type), options.home, log
    )
    dataset = open_dataset(data)
    schema = schema_of(package.manifest, dataset.schema)
    learnt = taught(dataset, package.manifest.training.get("data_digest", ""))
    if learnt:
        log(f"{title} learnt from {data}: only the share that it kept for tests is judged")
    kept = evaluation_parts(dataset, kept_only=learnt)
    parts = (select_channels(part, dataset.schema, schema) for part in kept)
    asked = Options(labels_required=not options.unlabelled)
    found = judge(schema, parts, scorer(package.model), asked)
    found = replace(found, microseconds_per_window=cost(package.model, package.golden_windows))
    if options.json:
        _print_json({"model": title, "detector": package.manifest.detector} | as_json(found))
    else:
        print(f"{title} ({package.manifest.detector})\n{as_table(found)}")


def compare(options: argparse.Namespace, log: Log) -> None:
    """Every detector, several times."""
    from gustbed_training.detectors.registry import DETECTORS, detector
    from gustbed_training.evaluation.comparison import compare as rows_of
    from gustbed_training.evaluation.comparison import rows_as_json, rows_as_table
    from gustbed_training.evaluation.detection_page import Results, write_detection
    from gustbed_training.evaluation.reproducibility import (
        check_figures,
        checks_as_table,
        read_rows,
    )
    from gustbed_training.pipeline.comparison import (
        LIMITS,
        ComparisonData,
        default_comparisons,
        describe,
        run_all,
    )

    chosen = options.detectors or tuple(DETECTORS)
    for name in chosen:
        detector(name)
    stated = None if options.against is None else read_rows(options.against)
    fields = (
        default_comparisons(options.home, log)
        if options.data is None
        else [ComparisonData(options.data.name, options.data)]
    )
    runs = run_all(fields, chosen, options.seeds, options.home, log)
    if options.docs is not None:
        notes = {field.name: describe(field) for field in fields}
        # What is known beside the figures is known of our own detectors on the twin's turbines.
        limits = LIMITS if options.data is None else ()
        for path in write_detection(Results(runs, options.as_command, notes, limits), options.docs):
            log(f"compare: wrote {path}")
    rows = rows_of(runs)
    if options.json:
        print(json.dumps(rows_as_json(rows), indent=2, allow_nan=False))
    else:
        print(rows_as_table(rows))
    if stated is not None:
        table = checks_as_table(check_figures(rows_as_json(rows), stated))
        # With --json, the rows stay all that a program reads.
        (log if options.json else print)(f"\nBeside {options.against}:\n{table}")


def reality(options: argparse.Namespace, log: Log) -> None:
    """Packages on machines that they were not made for."""
    from gustbed_training.detectors.scoring import load_package
    from gustbed_training.evaluation.detection_page import write_reality
    from gustbed_training.evaluation.reality_gap import rows_as_json, table
    from gustbed_training.pipeline.reality import measure_all

    found = {}
    for path in options.models:
        package = load_package(path)
        title = package.manifest.turbine_type
        found[title] = measure_all(package, options.hours, options.home, log, options.only or ())
        if not options.json:
            print(f"\n{title}\n\n{table(found[title])}", flush=True)
    if options.docs is not None:
        for path in write_reality(found, options.docs):
            log(f"reality: wrote {path}")
    if options.json:
        _print_json({title: rows_as_json(rows) for title, rows in found.items()})


def drift(options: argparse.Namespace, log: Log) -> None:
    """A site's recordings, or captures, against what a package was trained on."""
    from gustbed_core.drift import FOLDER
    from gustbed_training.detectors.scoring import load_package
    from gustbed_training.drift.words import as_json, as_table
    from gustbed_training.pipeline.drift_report import drift_of, drift_of_captures, write_report

    package = load_package(options.model)
    if options.data is None:
        found = drift_of_captures(package, options.captures, log)
    else:
        found = drift_of(package, options.data, log)
    source = "the lake" if options.data is None else str(options.data)
    log(f"report: {write_report(found, package.manifest, source, options.home / FOLDER)}")
    if options.json:
        _print_json(
            {"model": f"{package.manifest.name} {package.manifest.version}"} | as_json(found)
        )
    else:
        print(as_table(found))


def card(options: argparse.Namespace, _log: Log) -> None:
    """The card that travels with a package."""
    from gustbed_training.detectors.scoring import load_package

    print(load_package(options.package).card or "(no card)")


def factory(options: argparse.Namespace, log: Log) -> None:
    """The models that the edge ships with."""
    from gustbed_training.pipeline.defaults import shipped_types
    from gustbed_training.pipeline.factory import make_factory

    for turbine_type in options.types or shipped_types():
        for path in make_factory(turbine_type, options.out, options.home, log):
            print(path)


def _data(options: argparse.Namespace, log: Log) -> Path:
    """The dataset that is asked for, made if need be."""
    if options.normal is not None and options.captures is None:
        raise GustbedError("--normal without --captures", "it declares periods of captures")
    if options.data is not None:
        found: Path = options.data
        return found
    if options.captures is not None:
        from gustbed_training.pipeline.captured import captured, schema_of_captures

        schema = schema_of_captures(options.type, options.incumbent)
        return captured(
            options.captures, schema, options.home, log, options.normal, options.incumbent
        )
    from gustbed_training.pipeline.defaults import made, training_profile

    return made(training_profile(options.type), options.home, log)


def _population(options: argparse.Namespace, log: Log) -> Path | None:
    """Machines that differ: those that are named; else the twin's, if it can simulate the type and
    no data of another origin are named.
    """
    if options.population is not None:
        named: Path = options.population
        return named
    from gustbed_training.pipeline.defaults import population

    return None if options.data is not None else population(options.type, options.home, log)


def _identity(options: argparse.Namespace, data: Path) -> Any:
    from gustbed_training.data.dataset import open_dataset
    from gustbed_training.detectors.thresholds import Target
    from gustbed_training.pipeline.identity import Identity, model_name

    schema = open_dataset(data).schema
    target = Target()
    if options.false_per_day is not None:
        target = Target(options.false_per_day / 24 / len(schema.features), target.margin)
    name = options.name or model_name(schema.turbine_type)
    return Identity(name, options.version), target


def _print_json(value: dict[str, Any]) -> None:
    print(json.dumps(value, indent=2, allow_nan=False))


COMMANDS: dict[str, Command] = {
    "make-dataset": make_dataset,
    "import": import_,
    "report": report,
    "describe": describe,
    "train": train,
    "evaluate": evaluate,
    "compare": compare,
    "reality": reality,
    "drift": drift,
    "card": card,
    "factory": factory,
}

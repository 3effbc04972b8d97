"""Detectors on the Skoltech Anomaly Benchmark, by its leaderboard's protocol.

    python bench/skab.py [FOLDER] [--detectors dynamic,compact,…] [--json]
    python bench/skab.py [FOLDER] --choose

FOLDER holds the benchmark's CSV files or folders of them, all of which count; without it
GUSTBED_SKAB names it. By the protocol (``run``) a model learns from the first 400 rows of one run,
whatever their labels and times say, and judges each of its later rows by itself; the counts of all
runs are added up. The 31 rows that end the first windows after the 400 are left out. ``pooled``
fits one model to the first rows of all runs, which then knows how far levels go from run to run:
no figure of it compares with the leaderboard. Intervals of F1 are bootstrapped, run by run.

Everything goes through the training command line: import, train, evaluate.

``--choose`` says which drift the detector for short recordings should expect, by the recording
without anomalies alone: pieces of it as long as a run, with synthetic faults. What counts is the
share of faulty verdicts found less that of normal ones accused (Youden 1950), for nobody knows
before how much of a run is faulty; of priors that are as good as the best, to the gate's tolerance,
it takes the one that accuses the fewest normal verdicts. No run is looked at.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from gustbed_core.signals import Schema
from gustbed_training.data.dataset import open_dataset
from gustbed_training.data.importing import import_files
from gustbed_training.data.partition import Part, Recording
from gustbed_training.data.split import FIT_TRAIN, to_learn_from
from gustbed_training.data.windows import windows_of
from gustbed_training.detectors.base import FitData, Plan
from gustbed_training.detectors.drift_intervals import Prior
from gustbed_training.detectors.prediction_intervals import LEVEL_DRIFT, PredictionIntervals
from gustbed_training.detectors.scoring import scorer
from gustbed_training.detectors.thresholds import Target
from gustbed_training.evaluation.evaluate import evaluate
from gustbed_training.evaluation.pointwise import ConfusionCounts
from gustbed_training.pipeline.calibrate import exported, thresholds_of
from gustbed_training.pipeline.gate import RECALL_TOLERANCE
from gustbed_training.pipeline.synthetic_faults import with_synthetic_faults

ROOT = Path(__file__).resolve().parents[1]
MAP = ROOT / "docs" / "examples" / "skab.yaml"
DETECTORS = ("dynamic", "compact", "pca", "forest", "reference")
RUN, POOLED = "run", "pooled"
WAYS = (RUN, POOLED)
FOLDER_VARIABLE = "GUSTBED_SKAB"
NORMAL = "anomaly-free"
FIT_ROWS = 400
ALL = "all"
_BOOTSTRAPS, _CONFIDENCE = 10_000, 0.95
_PIECE, _APART = 1150, 250
"""Rows of a piece, and from one to the next: as long as a run."""
CANDIDATES = tuple(
    Prior(drift, degrees, LEVEL_DRIFT.refuted)
    for drift in (0.02, 0.04, 0.08, 0.16, 0.32)
    for degrees in (2.0, 4.0, 8.0)
)


@dataclass(frozen=True)
class Judged:
    """A run of the benchmark, ``valve1/0`` say, and its rows counted."""

    run: str
    counts: ConfusionCounts

    @property
    def folder(self) -> str:
        """The benchmark's, that the run lies in."""
        return self.run.split("/")[0]


@dataclass(frozen=True)
class Row:
    """A line of the table: a folder's runs, or all. ``by_run`` has F1, false and missed alarm rate.

    ``interval`` is F1's of 95 %, were other runs of the same bench drawn.
    """

    detector: str
    fit: str
    folder: str
    f1: float
    interval: tuple[float, float]
    false_alarm_rate: float
    missed_alarm_rate: float
    rows: int
    by_run: dict[str, tuple[float, float, float]]


def rows(
    files: Sequence[Path], detectors: Sequence[str], ways: Sequence[str], mapped: Path
) -> Iterator[Row]:
    """Train and evaluate; a row per detector, way to fit and folder, and one of all folders."""
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        protocol = protocol_map(mapped, place / "map.yaml")
        runs = {f"{file.parent.name}/{file.stem}": file for file in files}
        copies = {name: protocol_copy(file, name, mapped, place) for name, file in runs.items()}
        for way in ways:
            datasets = _datasets(copies, way, protocol, place / way)
            for detector in detectors:
                found = list(_judge(detector, way, datasets, copies, place / "home"))
                yield from table(detector, way, found)


def table(detector: str, way: str, found: Sequence[Judged]) -> Iterator[Row]:
    """A row per folder, and one of all where there are several."""
    folders = list(dict.fromkeys(each.folder for each in found))
    for folder in folders:
        yield _row(detector, way, folder, [each for each in found if each.folder == folder])
    if len(folders) > 1:
        yield _row(detector, way, ALL, found)


def _row(detector: str, way: str, folder: str, found: Sequence[Judged]) -> Row:
    total = sum((each.counts for each in found), ConfusionCounts())
    judged = total.true_positive + total.false_positive + total.false_negative + total.true_negative
    f1, false_alarms, missed = _shares(total)
    by_run = {each.run: _shares(each.counts) for each in found}
    interval = f1_interval([each.counts for each in found])
    return Row(detector, way, folder, f1, interval, false_alarms, missed, judged, by_run)


def f1_interval(counts: Sequence[ConfusionCounts]) -> tuple[float, float]:
    """Of the F1 of all runs together, each drawn as often as chance has it (Efron 1979)."""
    right, false, missed = np.array(
        [(c.true_positive, c.false_positive, c.false_negative) for c in counts], dtype=np.float64
    ).T
    draws = np.random.default_rng(0).integers(len(counts), size=(_BOOTSTRAPS, len(counts)))
    twice = 2 * right[draws].sum(axis=1)
    f1 = twice / np.maximum(twice + false[draws].sum(axis=1) + missed[draws].sum(axis=1), 1)
    low, high = np.quantile(f1, [(1 - _CONFIDENCE) / 2, (1 + _CONFIDENCE) / 2]).tolist()
    return round(low, 3), round(high, 3)


def protocol_map(mapped: Path, out: Path, *, labelled: bool = True) -> Path:
    """The map for rows that count whatever their time is: no break is cut, no run left out."""
    found = _read_map(mapped)
    found.pop("time", None)
    if not labelled:
        found.pop("labels", None)
    found["split"] = {"fit_rows": FIT_ROWS}
    found["allow_constant"] = list(found["columns"])
    out.write_text(yaml.safe_dump(found), encoding="utf-8")
    return out


def protocol_copy(file: Path, name: str, mapped: Path, folder: Path) -> Path:
    """A run's file under a name of its own, the rows to learn from without labels."""
    found = _read_map(mapped)
    labels = {part["column"] for part in found.get("labels", {}).values()}
    with file.open(newline="", encoding="utf-8") as source:
        lines = list(csv.reader(source, delimiter=found.get("separator", ",")))
    places = [at for at, column in enumerate(lines[0]) if column in labels]
    taught = 0
    for line in lines[1 : FIT_ROWS + 1]:
        taught += any(float(line[at] or 0) for at in places)
        for at in places:
            line[at] = "0"
    if taught:
        _log(f"{name}: {taught} of the first {FIT_ROWS} rows are labelled, and learnt from")
    copy = folder / f"{name.replace('/', '-')}.csv"
    with copy.open("w", newline="", encoding="utf-8") as out:
        csv.writer(out, delimiter=found.get("separator", ",")).writerows(lines)
    return copy


def _read_map(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def _datasets(
    copies: dict[str, Path], way: str, protocol: Path, folder: Path
) -> dict[str, list[str]]:
    """Dataset folders, each with the runs in it."""
    groups = {ALL: list(copies)} if way == POOLED else {copies[run].stem: [run] for run in copies}
    for name, runs in groups.items():
        files = [copies[run] for run in runs]
        _training("import", "--map", protocol, "--out", folder / name, *files)
    return {str(folder / name): runs for name, runs in groups.items()}


def _judge(
    detector: str, way: str, datasets: dict[str, list[str]], copies: dict[str, Path], home: Path
) -> Iterator[Judged]:
    for folder, runs in datasets.items():
        dataset = Path(folder)
        package = dataset.with_name(f"{dataset.name}-{detector}.tar.gz")
        # What the quality gate refuses is kept, and judged here like any other.
        _training(
            "train", "--data", dataset, "--detector", detector, "--out", package,
            "--name", "skab", "--home", home, "--no-record", made=package,
        )  # fmt: skip
        for run in runs:
            recording = dataset / f"{copies[run].stem}.parquet"
            found = _training("evaluate", "--model", package, "--data", recording, "--json")
            # One verdict a row.
            counts = ConfusionCounts(**json.loads(found)["pointwise"]["counts"])
            _log(f"{detector} {way} {run}: F1 {_shares(counts)[0]:.3f}")
            yield Judged(run, counts)


def _training(*arguments: str | Path, made: Path | None = None) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "gustbed_training", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    if done.returncode and not (made and made.exists()):
        raise SystemExit(done.stderr.strip() or f"{arguments[0]}: exit code {done.returncode}")
    return done.stdout


def _shares(counts: ConfusionCounts) -> tuple[float, float, float]:
    rates = (counts.f1, counts.false_alarm_rate, counts.missed_alarm_rate)
    f1, false_alarms, missed = (round(share or 0.0, 3) for share in rates)
    return f1, false_alarms, missed


def choose(
    normal: Path, mapped: Path, candidates: Sequence[Prior]
) -> Iterator[tuple[Prior, float, float]]:
    """Each with the shares of synthetic faults' verdicts found and of normal verdicts accused."""
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        protocol = protocol_map(mapped, place / "map.yaml", labelled=False)
        dataset = open_dataset(import_files(protocol, [normal], place / "normal", _log))
        (recording,) = dataset.recordings()
        found = [_faulty(piece, dataset.schema) for piece in pieces(recording)]
        _log(f"{len(found)} pieces of {_PIECE} rows")
        for prior in candidates:
            total = ConfusionCounts()
            for learnt, judged in found:
                total += _counts(PredictionIntervals(prior), learnt, judged)
            yield prior, total.recall or 0.0, total.false_alarm_rate or 0.0


def pieces(recording: Recording) -> Iterator[Recording]:
    """As long as runs; they overlap."""
    for start in range(0, recording.samples - _PIECE + 1, _APART):
        values = recording.values[:, start : start + _PIECE]
        yield Recording(f"{recording.source} from {start}", recording.turbine, 0.0, values)


def _faulty(piece: Recording, schema: Schema) -> tuple[FitData, list[Part]]:
    """What to learn from its first rows, and the rest with synthetic faults."""
    parts = dict(to_learn_from(piece, FIT_ROWS, FIT_TRAIN, schema))
    train, held = (windows_of(parts[subset], schema) for subset in ("train", "calibrate"))
    rest = [Part(piece, FIT_ROWS, piece.samples)]
    faulty = with_synthetic_faults(rest, [parts["train"]], schema)
    return FitData(schema, train, [train], [held]), list(faulty)


def _counts(
    detector: PredictionIntervals, learnt: FitData, judged: Sequence[Part]
) -> ConfusionCounts:
    module = detector.fit(learnt, Plan(), lambda _: None)
    thresholds = thresholds_of(module, learnt.held, learnt.schema, Target())
    graph = exported(module, thresholds, learnt.schema)
    return evaluate(learnt.schema, judged, scorer(graph)).pointwise


def _print_choice(folder: Path, mapped: Path) -> int:
    normal = next(iter(sorted(folder.rglob(f"{NORMAL}.csv"))), None)
    if normal is None:
        raise SystemExit(f"{folder}: no {NORMAL}.csv: name the benchmark's folder of all data")
    print(f"{'drift':>6s} {'weight':>7s} {'found':>6s} {'accused':>8s} {'less':>6s}")
    found: dict[Prior, tuple[float, float]] = {}
    for prior, recall, false in choose(normal, mapped, CANDIDATES):
        found[prior] = recall, false
        print(
            f"{prior.drift:6g} {prior.degrees:7g} {recall:6.3f} {false:8.3f} {recall - false:6.3f}",
            flush=True,
        )
    chosen = best_prior(found)
    same = (
        "as" if chosen == LEVEL_DRIFT else f"not {LEVEL_DRIFT.drift:g} {LEVEL_DRIFT.degrees:g} as"
    )
    print(f"chosen: {chosen.drift:g} {chosen.degrees:g}, {same} the detector has it")
    return int(chosen != LEVEL_DRIFT)


def best_prior(found: Mapping[Prior, tuple[float, float]]) -> Prior:
    """Of those as good as the best, the one that accuses the fewest; ``found`` are two shares."""
    best = max(recall - false for recall, false in found.values())
    near = {
        prior: false
        for prior, (recall, false) in found.items()
        if recall - false >= best - RECALL_TOLERANCE
    }
    return min(near, key=lambda prior: near[prior])


def _files(folder: Path | None) -> list[Path]:
    """The runs below a folder, by folder and number."""
    given = _folder(folder)
    found = [
        file
        for file in given.rglob("*.csv")
        if file.stem != NORMAL and not any(part.startswith(".") for part in file.parts)
    ]
    if not found:
        raise SystemExit(f"{given}: no CSV files: name a folder of the benchmark, valve1 say")
    return sorted(found, key=lambda path: (str(path.parent), len(path.stem), path.stem))


def _folder(folder: Path | None) -> Path:
    given = folder or (Path(os.environ[FOLDER_VARIABLE]) if FOLDER_VARIABLE in os.environ else None)
    if given is None:
        raise SystemExit(f"no folder: name one, or set {FOLDER_VARIABLE}")
    return given


def _log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> int:
    """Print JSON with ``--json``, else a table."""
    parser = argparse.ArgumentParser(description="Detectors on SKAB")
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--detectors", default=",".join(DETECTORS))
    parser.add_argument("--fit", choices=WAYS, action="append", help="both unless one is asked for")
    parser.add_argument("--map", type=Path, default=MAP, metavar="MAP.yaml")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--choose", action="store_true", help="say which drift is to be expected")
    options = parser.parse_args()
    if options.choose:
        return _print_choice(_folder(options.folder), options.map)
    files = _files(options.folder)
    found = rows(files, options.detectors.split(","), options.fit or WAYS, options.map)
    if options.json:
        print(json.dumps([asdict(row) for row in found], indent=2))
        return 0
    print(
        f"{'detector':10s} {'fit':7s} {'folder':8s} {'runs':>4s} {'F1':>6s} {'95 %':>13s} "
        f"{'FAR':>6s} {'MAR':>6s} {'rows':>6s}"
    )
    for row in found:
        low, high = row.interval
        print(
            f"{row.detector:10s} {row.fit:7s} {row.folder:8s} {len(row.by_run):4d} {row.f1:6.3f} "
            f"{low:6.3f}-{high:.3f} {row.false_alarm_rate:7.3f} {row.missed_alarm_rate:6.3f} "
            f"{row.rows:6d}{'  not comparable' if row.fit == POOLED else ''}",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())

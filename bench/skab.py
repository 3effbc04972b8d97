"""Detectors on the Skoltech Anomaly Benchmark, by its leaderboard's protocol.

    python bench/skab.py [FOLDER] [--detectors dynamic,compact,…] [--json]

FOLDER holds the benchmark's CSV files, valve1 say; without it GUSTBED_SKAB names it. The first 400
rows of each file may be learnt from, every later row that ends a window is judged by itself, and
the counts of all files are added up. ``run`` fits a model to each file; ``pooled`` fits one model
to the first rows of all files, which then know how far levels go from run to run.

Everything goes through the training command line: import, train, evaluate.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from gustbed_training.evaluation.pointwise import ConfusionCounts

ROOT = Path(__file__).resolve().parents[1]
MAP = ROOT / "docs" / "examples" / "skab.yaml"
DETECTORS = ("dynamic", "compact", "pca", "forest", "reference")
WAYS = ("run", "pooled")
FOLDER_VARIABLE = "GUSTBED_SKAB"


@dataclass(frozen=True)
class Row:
    """A line of the table. ``files`` are the F1, false and missed alarm rate of each model."""

    detector: str
    fit: str
    f1: float
    false_alarm_rate: float
    missed_alarm_rate: float
    rows: int
    files: dict[str, tuple[float, float, float]]


def rows(
    files: Sequence[Path], detectors: Sequence[str], ways: Sequence[str], mapped: Path
) -> Iterator[Row]:
    """Train and evaluate; one row per detector and way to fit."""
    with tempfile.TemporaryDirectory() as scratch:
        for way in ways:
            groups = {"all": list(files)} if way == "pooled" else {f.stem: [f] for f in files}
            datasets = {
                name: _imported(group, mapped, Path(scratch) / way / name)
                for name, group in groups.items()
            }
            for detector in detectors:
                yield _row(detector, way, datasets, Path(scratch) / "home")


def _row(detector: str, way: str, datasets: dict[str, Path], home: Path) -> Row:
    total, files = ConfusionCounts(), {}
    for name, dataset in datasets.items():
        counts = _judged(detector, dataset, home)
        files[name] = _shares(counts)
        total += counts
        _log(f"{detector} {way} {name}: F1 {files[name][0]:.3f}")
    judged = total.true_positive + total.false_positive + total.false_negative + total.true_negative
    return Row(detector, way, *_shares(total), judged, files)


def _imported(files: Sequence[Path], mapped: Path, out: Path) -> Path:
    _training("import", "--map", mapped, "--out", out, *files)
    return out


def _judged(detector: str, dataset: Path, home: Path) -> ConfusionCounts:
    package = dataset.with_name(f"{dataset.name}-{detector}.tar.gz")
    # What the quality gate refuses is kept, and judged here like any other.
    _training(
        "train", "--data", dataset, "--detector", detector, "--out", package,
        "--name", "skab", "--home", home, "--no-record", made=package,
    )  # fmt: skip
    found = json.loads(_training("evaluate", "--model", package, "--data", dataset, "--json"))
    # One verdict a row.
    return ConfusionCounts(**found["pointwise"]["counts"])


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


def _files(folder: Path | None) -> list[Path]:
    given = folder or (Path(os.environ[FOLDER_VARIABLE]) if FOLDER_VARIABLE in os.environ else None)
    if given is None:
        raise SystemExit(f"no folder: name one, or set {FOLDER_VARIABLE}")
    files = sorted(given.glob("*.csv"), key=lambda path: (len(path.stem), path.stem))
    if not files:
        raise SystemExit(f"{given}: no CSV files: name a folder of the benchmark, valve1 say")
    return files


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
    options = parser.parse_args()
    files = _files(options.folder)
    found = rows(files, options.detectors.split(","), options.fit or WAYS, options.map)
    if options.json:
        print(json.dumps([asdict(row) for row in found], indent=2))
        return 0
    print(f"{'detector':12s} {'fit':8s} {'F1':>6s} {'FAR':>6s} {'MAR':>6s} {'rows':>7s}")
    for row in found:
        print(
            f"{row.detector:12s} {row.fit:8s} {row.f1:6.3f} {row.false_alarm_rate:6.3f} "
            f"{row.missed_alarm_rate:6.3f} {row.rows:7d}",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())

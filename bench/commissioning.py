"""What commissioning costs an edge, beside the same edge without it.

    python bench/commissioning.py [--json] [--quick] [--turbines N …] [--package PATH]

Five edges score the same batches, a block of every turbine in each, in turns: ``plain``, whose
turbines are judged as the factory has it; ``prior``, of whose turbines nothing is known yet;
``watched``, all of whose turbines had alarms that may cost them the factory's trust;
``own``, all of whose turbines have a correction of their own; ``learning``, all of whose turbines
are in a normal period. Time is the scoring thread's processor time for a batch, from payloads to
verdicts. What the commissioner's thread takes beside it is told per verdict.
"""

import argparse
import json
import math
import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

import gustbed_edge
from gustbed_core import codec, topics
from gustbed_core.commissioning.correction import Correction, prior
from gustbed_core.commissioning.messages import CommissionCommand, CorrectionInfo
from gustbed_core.commissioning.period import Period, correction_to_bytes, period_to_bytes
from gustbed_core.commissioning.population import Population
from gustbed_core.errors import GustbedError
from gustbed_core.package import Package
from gustbed_core.settings import turbine_id
from gustbed_core.telemetry import Samples, block_from_samples
from gustbed_core.turbine_types import load_types
from gustbed_edge.commissioning.commissioner import Commissioner
from gustbed_edge.commissioning.desk import Desk
from gustbed_edge.commissioning.records import Kept, Record
from gustbed_edge.commissioning.site import Site as CommissionedSite
from gustbed_edge.commissioning.store import Store
from gustbed_edge.commissioning.trust import Patience
from gustbed_edge.disk import Disk
from gustbed_edge.events.tracker import EventTracker, Site
from gustbed_edge.ingest.quarantine import Quarantine
from gustbed_edge.ingest.queue import Received
from gustbed_edge.ingest.reader import BlockReader
from gustbed_edge.ingest.receiver import BlockReceiver
from gustbed_edge.scoring.detector import Detector
from gustbed_edge.scoring.recordings import open_package
from gustbed_edge.scoring.scorer import Scorer

SITES = (6, 100, 1000)
"""Turbines."""
PACKAGE = Path(gustbed_edge.__file__).parent / "factory" / "windturbine" / "package.tar.gz"
BLOCK_SECONDS = 0.5
KINDS = ("plain", "prior", "watched", "own", "learning")
TYPES = load_types()
BATCHES, WARM_UP = 200, 10
TURN_EVERY = 2
"""Batches between the commissioner's turns, of half a second each as on a site."""

AT_ONCE = Patience(0.0, 0.0)
"""An edge of the plain kind knows of no other way to judge from the first verdict on."""
PATIENCE = {"prior": Patience(math.inf, 0.0), "watched": Patience(60.0, math.inf)}
DOUBT = 1e6
"""More than the bench's calm makes good for."""


@dataclass
class Edge:
    """A scorer with its commissioner, which takes a turn when it is told to."""

    receiver: BlockReceiver
    scorer: Scorer
    commissioner: Commissioner
    desk: Desk
    cpu: float = 0.0
    """Seconds that the commissioner took."""

    def score(self, batch: list[Received]) -> float:
        """Processor seconds from payloads to verdicts: other work on the machine is none of it."""
        start = time.thread_time()
        outcome = self.scorer.score(self.receiver.take(batch))
        for verdict in outcome.verdicts:
            codec.encode(verdict)
        return time.thread_time() - start

    def turn(self) -> None:
        """Let the commissioner have its turn; events of blocks that no machine sent end nothing."""
        self.desk.opened.clear()
        start = time.thread_time()
        self.commissioner.turn()
        self.cpu += time.thread_time() - start


def make(kind: str, package: Package, turbines: tuple[str, ...], folder: Path) -> Edge:
    """An edge of a kind; periods start once turbines are heard."""
    reader = BlockReader("bench", turbines, max_clock_ahead=60.0)
    tracker = EventTracker(Site("bench", "gustbed-bench", turbines))
    desk, store = Desk(), Store(folder, Disk())
    # Blocks are made beforehand, and nobody is silent for that.
    scorer = Scorer(
        turbines, reader.requirements, tracker, types=TYPES, desk=desk, silent_after=1e9
    )
    detector = Detector(package)
    scorer.serve(detector)
    for turbine in turbines:
        if kind == "own":
            store.save(_commissioned(turbine, detector))
        elif kind == "watched":
            store.save(Record(turbine, trusted=detector.fingerprint, doubt=DOUBT))
    commissioner = Commissioner(
        CommissionedSite(
            turbines, scorer.presence, lambda _row: [], lambda _ack: None, lambda *_: None
        ),
        desk,
        store,
        patience=PATIENCE.get(kind, AT_ONCE),
    )
    commissioner.turn()
    return Edge(BlockReceiver(reader, Quarantine(folder)), scorer, commissioner, desk)


def _commissioned(turbine: str, detector: Detector) -> Record:
    population = detector.population
    if population is None:
        raise _no_population(detector.manifest.name)
    data = correction_to_bytes(correction(population))
    name = detector.manifest.turbine_type
    info = CorrectionInfo("c1.00000000", detector.manifest.name, time.time(), 24.0, 960)
    return Record(turbine, 1, kept=(Kept(name, detector.fingerprint, info, data),))


def correction(population: Population) -> Correction:
    """One that changes little, and takes as much time as any."""
    known = prior(population)
    return Correction(known.mean, known.covariance * np.float32(0.1), known.room)


def batches(package: Package, turbines: tuple[str, ...], count: int) -> list[list[Received]]:
    """Blocks of all turbines, as they come from the broker."""
    manifest = package.manifest
    known = TYPES[manifest.turbine_type]
    rate = manifest.sample_rate_hz
    samples = max(1, round(BLOCK_SECONDS * rate))
    chance, boot, start = np.random.default_rng(2), str(uuid4()), time.time() - 3600
    level = {"qw": 1.0, "voltage": 48.0, "rps": 1.6, "wind_speed_rps": 2.15}
    base = np.array([level.get(name, 0.0) for name in known.channel_names])[:, None]
    made = []
    for number in range(count):
        batch = []
        for turbine in turbines:
            values = base + chance.normal(0, 0.01, (len(base), samples))
            t0 = start + number * samples / rate
            block = Samples(
                turbine, boot, number, t0, 1 / rate, values.round(4), known.name,
                known.channel_names,
            )  # fmt: skip
            payload = codec.encode(block_from_samples(block))
            batch.append(Received(topics.telemetry("bench", turbine), payload, time.monotonic()))
        made.append(batch)
    return made


def site(package: Package, turbines: int, count: int, folder: Path) -> dict[str, Any]:
    """Figures of a site of so many turbines."""
    names = tuple(turbine_id(i) for i in range(turbines))
    edges = {kind: make(kind, package, names, folder / f"{kind}-{turbines}") for kind in KINDS}
    warm = WARM_UP + math.ceil(package.manifest.window / max(1, package.manifest.step))
    taken: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for number, batch in enumerate(batches(package, names, warm + count)):
        if number == warm:
            _begin(edges["learning"])
        for kind, edge in edges.items():
            seconds = edge.score(batch)
            if number >= warm:
                taken[kind].append(seconds)
                if number % TURN_EVERY == 0:
                    edge.turn()
    row: dict[str, Any] = {"turbines": turbines, "batches": count}
    for kind in KINDS:
        p50, p99 = np.percentile(taken[kind], [50, 99]).tolist()
        row[f"{kind}_batch_p50_ms"] = round(p50 * 1e3, 2)
        row[f"{kind}_batch_p99_ms"] = round(p99 * 1e3, 2)
    row["own_p99_over_plain"] = round(row["own_batch_p99_ms"] / row["plain_batch_p99_ms"], 2)
    learning = edges["learning"]
    verdicts = count * turbines
    row["learning_thread_us_per_verdict"] = round(1e6 * learning.cpu / verdicts, 1)
    row["learning_thread_percent_of_a_core"] = round(
        100 * learning.cpu / (count * BLOCK_SECONDS), 2
    )
    states = learning.commissioner.states
    row["watched_thread_us_per_verdict"] = round(1e6 * edges["watched"].cpu / verdicts, 1)
    row["periods_running"] = sum(bool(each and each.running is not None) for each in states)
    row["windows_left_out"] = learning.desk.left_out
    return row | memory(package)


def _begin(edge: Edge) -> None:
    command = CommissionCommand("start", hours=720.0)
    edge.commissioner.receive("bench", codec.encode(command))
    edge.commissioner.turn()
    edge.cpu = 0.0


def memory(package: Package) -> dict[str, float]:
    """Kilobytes that a turbine takes: in memory, and on disk."""
    population = package.population
    if population is None:
        raise _no_population(package.manifest.name)
    known = correction(population)
    arrays = known.mean.nbytes + known.covariance.nbytes + known.room.nbytes
    on_disk = len(correction_to_bytes(known))
    period = Period.begin(population, 10_000)
    sums = sum(
        part.moment.nbytes + part.product.nbytes + part.square.nbytes for part in period.segments
    )
    return {
        # As the scoring thread applies it, as it was read, and as bytes of the record.
        "own_kb_per_turbine": round((2 * arrays + on_disk) / 1024, 1),
        "learning_kb_per_turbine": round(sums / 1024, 1),
        "correction_on_disk_kb": round(on_disk / 1024, 1),
        "period_on_disk_kb": round(len(period_to_bytes(period)) / 1024, 1),
    }


def _no_population(name: str) -> GustbedError:
    return GustbedError(
        f"{name} cannot be commissioned", "give --package of a model with a population"
    )


def run(package_file: Path, sites: Sequence[int] = SITES, *, quick: bool = False) -> dict[str, Any]:
    """Measure sites of so many turbines; ``quick`` gives rougher figures sooner."""
    package = open_package(package_file)
    if package.population is None:
        raise _no_population(str(package_file))
    count = BATCHES // 5 if quick else BATCHES
    with tempfile.TemporaryDirectory() as name:
        return {
            "bench": "commissioning",
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            "model": f"{package.manifest.name} {package.manifest.version}",
            "features_terms_coefficients": package.population.shape,
            "sites": [site(package, turbines, count, Path(name)) for turbines in sites],
        }


def main() -> int:
    """Print JSON with ``--json``, else a table."""
    parser = argparse.ArgumentParser(description="What commissioning costs an edge.")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="rougher, and sooner")
    parser.add_argument("--turbines", type=int, nargs="+", default=SITES, help="of each site")
    parser.add_argument("--package", type=Path, default=PACKAGE, help="a model with a population")
    options = parser.parse_args()
    try:
        figures = run(options.package, options.turbines, quick=options.quick)
    except GustbedError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps(figures))
        return 0
    print(f"commissioning on {figures['machine']}, model {figures['model']}\n")
    for name in figures["sites"][0]:
        values = "".join(f"{row[name]:>12}" for row in figures["sites"])
        print(f"  {name.replace('_', ' '):40s}{values}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

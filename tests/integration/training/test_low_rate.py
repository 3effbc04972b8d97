"""From one row in ten minutes, or an hour, to an event: import, training, replay, edge."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from gustbed_core import codec, topics
from gustbed_core.errors import GustbedError
from gustbed_core.package import Package, read_package
from gustbed_core.settings import SiteSettings
from gustbed_core.telemetry import Samples, block_from_samples
from gustbed_edge.events.tracker import EventTracker, Site
from gustbed_edge.ingest.quarantine import Quarantine
from gustbed_edge.ingest.queue import Received
from gustbed_edge.ingest.reader import BlockReader
from gustbed_edge.ingest.receiver import BlockReceiver
from gustbed_edge.scoring.detector import Detector
from gustbed_edge.scoring.scorer import Outcome, Scorer
from gustbed_training.__main__ import execute
from gustbed_twin.publisher.build import BuiltSource, build_source
from gustbed_twin.settings import TwinSettings

ROWS = 4000
"""Four weeks of ten minutes."""
WINDOW = 6
MAP = """
turbine_type: scada
sample_rate_hz: {rate}
time: {{column: when, format: iso}}
columns:
  wind: {{from: wind, unit: m/s}}
  power: {{from: power, unit: kW}}
  bearing: {{from: bearing, unit: degC}}
window: 6
step: 1
missing: [-9999]
max_gap_s: {hold}
"""


@dataclass(frozen=True)
class Slow:
    """A turbine that says little: a row each ``period`` seconds."""

    period: int
    written: str
    """Its rate as a person writes it."""


@pytest.fixture(scope="module", params=[Slow(600, "0.0016667"), Slow(3600, "0.000278")],
                ids=["ten minutes", "an hour"])  # fmt: skip
def slow(request: pytest.FixtureRequest) -> Slow:
    found: Slow = request.param
    return found


def rows(seed: int) -> np.ndarray:
    """Wind that wanders, power and warmth that follow: (rows, 3)."""
    rng = np.random.default_rng(seed)
    wind = 8 + 3 * np.sin(np.arange(ROWS) / 40) + rng.normal(0, 0.5, ROWS)
    power = 100 * wind + rng.normal(0, 20, ROWS)
    return np.column_stack([wind, power, 40 + power / 100 + rng.normal(0, 0.5, ROWS)])


def write(path: Path, slow: Slow) -> Path:
    """As loggers leave it: two rows missing now and then, and a value."""
    start = datetime(2024, 1, 1, tzinfo=UTC)
    lines = ["when,wind,power,bearing"]
    for i, row in enumerate(rows(1)):
        if i % 300 in (298, 299):
            continue
        shown = [f"{value:.4f}" for value in row]
        if i % 500 == 250:
            shown[2] = "-9999"
        lines.append(",".join([str(start + timedelta(seconds=slow.period * i)), *shown]))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def work(slow: Slow, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the dataset ``scada`` and a model of it."""
    folder = tmp_path_factory.mktemp("work")
    file = write(folder / "w1.csv", slow)
    mapped = folder / "map.yaml"
    mapped.write_text(MAP.format(rate=slow.written, hold=1.5 * slow.period))
    data, package = folder / "scada", folder / "scada-1.0.0.tar.gz"
    execute(["import", "--map", str(mapped), "--out", str(data), str(file)])
    execute(["train", "--data", str(data), "--out", str(package), "--detector", "pca",
             "--home", str(folder / "home"), "--no-record"])  # fmt: skip
    return folder


@pytest.fixture
def package(work: Path) -> Package:
    return read_package((work / "scada-1.0.0.tar.gz").read_bytes())


def test_breaks_shorter_than_the_window_are_no_defect_of_the_split(
    work: Path, package: Package, slow: Slow
) -> None:
    assert package.manifest.sample_rate_hz == 1 / slow.period
    assert package.manifest.window == WINDOW
    assert (work / "scada" / "w1.parquet").is_file()


def test_judged_by_what_it_learnt_from_only_the_tests_count(
    work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["evaluate", "--model", str(work / "scada-1.0.0.tar.gz"), "--unlabelled"]
    execute([*arguments, "--data", str(work / "scada")])
    said = capsys.readouterr()
    assert "learnt from" in said.err
    assert "only the share that it kept for tests is judged" in said.err
    with pytest.raises(GustbedError, match="the model learnt from this recording"):
        execute([*arguments, "--data", str(work / "scada" / "w1.parquet")])


def replay(work: Path, slow: Slow) -> BuiltSource:
    """The twin on the recording: neither rate nor interval is said."""
    settings = TwinSettings(replay=work / "scada" / "w1.parquet")
    built = build_source(settings, SiteSettings(turbines=1))
    assert (built.samples, built.interval_s) == (1, slow.period)
    return built


class Edge:
    """Ingest and scoring as on an edge; its clock stands at the end of the latest block."""

    def __init__(self, folder: Path, package: Package) -> None:
        self.clock = 0.0
        reader = BlockReader("s", ["wt01"], max_clock_ahead=60.0, clock=lambda: self.clock)
        tracker = EventTracker(Site("s", "edge-s", ["wt01"]))
        self.quarantine = Quarantine(folder)
        self.receiver = BlockReceiver(reader, self.quarantine)
        self.now = time.monotonic()
        self.scorer = Scorer(
            ["wt01"], reader.requirements, tracker, types={}, monotonic=lambda: self.now
        )
        self.scorer.serve(Detector(package))

    def take(self, samples: Samples) -> Outcome:
        payload = codec.encode(block_from_samples(samples))
        received = Received(topics.telemetry("s", "wt01"), payload, self.now)
        return self.scorer.score(self.receiver.take([received]))

    @property
    def state(self) -> str:
        return self.scorer.status(self.receiver.counters)[0].state


def blocks(built: BuiltSource, slow: Slow, count: int, broken: range) -> Iterator[Samples]:
    """What the twin publishes; within ``broken`` the bearing is hot."""
    start = 1_700_000_000
    for number in range(count):
        step = built.source.step()
        assert step is not None
        values = step.values[0].copy()
        if number in broken:
            values[step.names.index("bearing")] += 25
        t0 = float(start + number * slow.period)
        yield Samples("wt01", "b", number, t0, float(slow.period), values, step.type, step.names)


def test_the_edge_judges_a_replay_of_it(
    work: Path, package: Package, slow: Slow, tmp_path: Path
) -> None:
    edge, events, states = Edge(tmp_path, package), [], []
    for samples in blocks(replay(work, slow), slow, 120, range(60, 80)):
        # Stamped with the end of what it is the mean of, it is as far ahead.
        edge.clock = samples.end - slow.period + 1
        outcome = edge.take(samples)
        states += [verdict.state for verdict in outcome.verdicts]
        events += outcome.events
        # It is not silent until three blocks are missing.
        edge.now += slow.period
        assert edge.state != "silent"
    assert not edge.quarantine.counts
    assert states.count("warming") == WINDOW - 1
    opened, closed = ([event for event in events if event.change == change]
                      for change in ("opened", "closed"))  # fmt: skip
    assert len(opened) == len(closed) == 1
    first = 1_700_000_000 + 60 * slow.period
    assert 0 <= opened[0].opened - first <= WINDOW * slow.period
    edge.now += 3 * slow.period
    assert edge.state == "silent"

"""A scorer without a broker, and the turbines that feed it."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from gustbed_core import codec, topics
from gustbed_core.events import TurbineStatus
from gustbed_core.package import Package
from gustbed_core.telemetry import Samples, block_from_samples
from gustbed_core.turbine_types import load_types
from gustbed_edge.events.tracker import EventTracker, Site
from gustbed_edge.ingest.quarantine import Quarantine
from gustbed_edge.ingest.queue import Received
from gustbed_edge.ingest.reader import BlockReader
from gustbed_edge.ingest.receiver import BlockReceiver
from gustbed_edge.scoring.detector import Detector
from gustbed_edge.scoring.scorer import Outcome, Scorer
from tests.support.packages import MILL, mill_columns, mini_block

TURBINES = ("wt01", "wt02", "wt03")
TYPES = load_types()


class Bench:
    """Serves the given packages; turbines' blocks follow each other without a gap."""

    def __init__(self, folder: Path, *packages: Package, **options: Any) -> None:
        reader = BlockReader("s", TURBINES, max_clock_ahead=60.0)
        self.tracker = EventTracker(Site("s", "gustbed-s", TURBINES))
        self.quarantine = Quarantine(folder)
        self.receiver = BlockReceiver(reader, self.quarantine)
        self.scorer = Scorer(
            TURBINES, reader.requirements, self.tracker, **{"types": TYPES, **options}
        )
        for package in packages:
            self.scorer.serve(Detector(package))
        self.boots = {turbine: str(uuid4()) for turbine in TURBINES}
        self.seqs = dict.fromkeys(TURBINES, 0)
        self.ends = dict.fromkeys(TURBINES, time.time() - 1000)

    def block(self, turbine: str, values: NDArray[np.float64]) -> Received:
        """The turbine's next block, as a miniature."""
        t0 = self.ends[turbine] + 0.05
        return self.send(
            mini_block(turbine, self.boots[turbine], self.seqs[turbine], t0, 0.05, values)
        )

    def mill(
        self, turbine: str, columns: Mapping[str, list[float]] | None = None, **values: float
    ) -> Received:
        """The turbine's next block, as a mill."""
        given = dict(columns or mill_columns(1, **values))
        t0 = self.ends[turbine] + 1.0
        arrays = np.array(list(given.values()))
        boot, seq = self.boots[turbine], self.seqs[turbine]
        return self.send(Samples(turbine, boot, seq, t0, 1.0, arrays, MILL, tuple(given)))

    def send(self, samples: Samples) -> Received:
        """Any block, which counts as the turbine's last."""
        self.ends[samples.turbine] = samples.end
        self.seqs[samples.turbine] = samples.seq + 1
        payload = codec.encode(block_from_samples(samples))
        return Received(topics.telemetry("s", samples.turbine), payload, time.monotonic())

    def score(self, *blocks: Received) -> Outcome:
        """Score a batch."""
        return self.scorer.score(self.receiver.take(blocks))

    def state(self, turbine: str) -> str:
        """A turbine's state in the heartbeat."""
        return self.status(turbine).state

    def status(self, turbine: str) -> TurbineStatus:
        """A turbine's part of the heartbeat."""
        found = self.scorer.status(self.receiver.counters)
        return next(status for status in found if status.id == turbine)

"""What the cloud gets of every turbine type: aggregates over a few seconds."""

from collections.abc import Mapping, Sequence

import numpy as np

from gustbed_core.aggregates import Aggregator
from gustbed_core.events import TelemetrySummary
from gustbed_core.package import Manifest
from gustbed_core.turbine_types import TurbineType, from_signals
from gustbed_edge.scoring.verdicts import Round

MAX_LAYOUTS = 16
"""Sets of columns that are summed up at once; beyond this a new one makes the others end early."""


class Summaries:
    """Running sums of all turbines since the last summary. Used by one thread.

    A type's aggregates are those of its file; of one that has none, those of its model's channels.
    """

    def __init__(self, turbines: Sequence[str], types: Mapping[str, TurbineType]) -> None:
        self._turbines = turbines
        self._types = types
        self._served: dict[str, TurbineType] = {}
        self._running: dict[tuple[str, tuple[str, ...]], Aggregator] = {}
        self._done: list[TelemetrySummary] = []

    def knows(self, turbine_type: str) -> bool:
        """Whether there is anything to sum up of this type."""
        return turbine_type in self._types or turbine_type in self._served

    def serve(self, manifest: Manifest) -> None:
        """Know a type by its model too, if it has no file."""
        if manifest.turbine_type not in self._types:
            self._end_all()
            self._running.clear()
            self._served[manifest.turbine_type] = from_signals(manifest)

    def withdraw(self, turbine_type: str) -> None:
        """No model tells of this type any more."""
        self._served.pop(turbine_type, None)

    def add(self, part: Round) -> None:
        """Take a round's samples."""
        running = self._running.get((part.type, part.names)) or self._begin(part)
        running.add(part.rows, part.values, np.array(part.ends))

    def take(self) -> list[TelemetrySummary]:
        """Summaries of the turbines that sent anything since the last call."""
        self._end_all()
        done, self._done = self._done, []
        return done

    def _begin(self, part: Round) -> Aggregator:
        if len(self._running) >= MAX_LAYOUTS:
            self._end_all()
            self._running.clear()
        known = self._types.get(part.type) or self._served[part.type]
        made = Aggregator(known.aggregates, part.names, len(self._turbines))
        self._running[part.type, part.names] = made
        return made

    def _end_all(self) -> None:
        for (turbine_type, _), running in self._running.items():
            made = running.take(self._turbines, turbine_type)
            # A block may have none of the channels that its type's aggregates are of.
            self._done += [summary for summary in made if summary.values]

"""A batch of received payloads becomes verdicts and events: one model run for each type."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gustbed_core import topics
from gustbed_core.errors import PayloadError
from gustbed_core.events import (
    AnomalyEvent,
    ModelRef,
    TelemetrySummary,
    TurbineStatus,
    Verdict,
)
from gustbed_core.events import VerdictState as State
from gustbed_core.telemetry import MINI, Samples
from gustbed_edge.events.tracker import EventTracker
from gustbed_edge.ingest.legacy import LegacyReader
from gustbed_edge.ingest.quarantine import Quarantine
from gustbed_edge.ingest.reader import BlockReader, Requirements
from gustbed_edge.ingest.sequence import Arrival
from gustbed_edge.ingest.sequence import Sequence as SequenceCounter
from gustbed_edge.scoring.detector import Detector
from gustbed_edge.scoring.summaries import Summaries
from gustbed_edge.scoring.type_scorer import (
    NO_OVERRIDES,
    DecisionOverrides,
    TypeScorer,
    detectors_of,
)
from gustbed_edge.scoring.unserved import UnservedTypes
from gustbed_edge.scoring.verdicts import Round, verdicts

CLOCK_STEP_SECONDS = 2.0
"""Successive blocks whose times are this far, and half a sample, from adjacent are not one
signal.
"""
SILENT_BLOCKS = 3.0
"""Blocks that a slow turbine may leave out before it is called silent."""


class Received(NamedTuple):
    """A payload and when it came (seconds of a monotonic clock)."""

    topic: str
    payload: bytes
    arrived: float


_Member = tuple[int, Samples, float, float, bool]
"""Row, samples, their end, when they came, and whether the window begins anew with them. A plain
tuple, because there is one for each block.
"""
_NO_ROWS = np.zeros(0, dtype=np.intp)


@dataclass(slots=True)
class Outcome:
    """What a batch led to. ``verdicts`` are in the order of the rounds' blocks."""

    rounds: list[Round] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    events: list[AnomalyEvent] = field(default_factory=list)


@dataclass(slots=True)
class _Turbine:
    sequence: SequenceCounter
    type: str | None = None
    state: State = "warming"
    score: float | None = None
    last_end: float = 0.0
    span: float = 0.0
    """Of its last block, in seconds."""
    last_arrival: float | None = None


class Scorer:
    """Owns the buffers and counters of all turbines. Used by one thread; counters may be read
    by others.
    """

    def __init__(
        self,
        turbines: Sequence[str],
        reader: BlockReader,
        tracker: EventTracker,
        quarantine: Quarantine,
        *,
        overrides: DecisionOverrides = NO_OVERRIDES,
        legacy: LegacyReader | None = None,
        silent_after: float = 5.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.unserved = UnservedTypes()
        self._turbines = tuple(turbines)
        self._reader = reader
        self._tracker = tracker
        self._quarantine = quarantine
        self._overrides = overrides
        self._legacy = legacy
        self._silent_after = silent_after
        self._monotonic = monotonic
        self._states = [_Turbine(SequenceCounter()) for _ in self._turbines]
        self._summaries = Summaries(len(self._turbines))
        # Miniatures are windowed and summed up even while no model judges them.
        self._types = {MINI: TypeScorer(len(self._turbines), overrides)}

    @property
    def detectors(self) -> Mapping[str, Detector]:
        """The models that serve, by turbine type."""
        return detectors_of(self._types)

    @property
    def models(self) -> Mapping[str, ModelRef]:
        """Their names and versions."""
        return {turbine_type: detector.model for turbine_type, detector in self.detectors.items()}

    def serve(self, detector: Detector) -> None:
        """Judge turbines of the model's type by it from now on. Call between batches."""
        manifest = detector.manifest
        turbine_type = manifest.turbine_type
        type_scorer = self._types.get(turbine_type) or TypeScorer(
            len(self._turbines), self._overrides
        )
        type_scorer.serve(detector)
        self._reader.requirements[turbine_type] = Requirements(
            manifest.sample_rate_hz, manifest.channel_names
        )
        if turbine_type == MINI and self._legacy is not None:
            self._legacy.rate_hz = manifest.sample_rate_hz
        self._types[turbine_type] = type_scorer

    def withdraw(self, turbine_type: str) -> None:
        """Judge turbines of this type no more. Call between batches."""
        self._types.pop(turbine_type, None)
        self._reader.requirements.pop(turbine_type, None)
        if turbine_type == MINI:
            self._types[MINI] = TypeScorer(len(self._turbines), self._overrides)

    def score(self, batch: Iterable[Received]) -> Outcome:
        """Check, window and score what has come. Refused payloads go to quarantine, and types
        that no model is for get no verdict.
        """
        outcome = Outcome()
        changed: dict[int, float] = {}
        outcome.rounds = self._rounds(batch, changed)
        windows: dict[str, list[NDArray[np.float32]]] = {}
        ready: list[NDArray[np.bool_]] = []
        for part in outcome.rounds:
            taken = self._types[part.type].take(part)
            ready.append(taken.ready)
            windows.setdefault(part.type, []).append(taken.windows)
            if part.type == MINI:
                self._summaries.add(part.rows, taken.values, np.array(part.ends))
        ratios = {
            turbine_type: self._types[turbine_type].ratios(np.concatenate(parts))
            for turbine_type, parts in windows.items()
        }
        used = dict.fromkeys(windows, 0)
        for part, full in zip(outcome.rounds, ready, strict=True):
            first = used[part.type]
            used[part.type] = last = first + int(np.count_nonzero(full))
            self._conclude(part, full, ratios[part.type][first:last], outcome)
        for row, end in changed.items():
            outcome.events.extend(self._tracker.restart(row, end))
        return outcome

    def status(self) -> list[TurbineStatus]:
        """Every turbine as it is now; violations are those with an open event."""
        now = self._monotonic()
        statuses = []
        for row, (turbine, state) in enumerate(zip(self._turbines, self._states, strict=True)):
            open_kinds = self._tracker.open_kinds(row)
            shown: Literal["ok", "anomaly", "warming", "unknown", "silent"] = state.state
            patience = max(self._silent_after, SILENT_BLOCKS * state.span)
            if state.last_arrival is None or now - state.last_arrival > patience:
                shown = "silent"
            elif shown in ("ok", "anomaly"):
                shown = "anomaly" if open_kinds else "ok"
            counts = state.sequence
            statuses.append(
                TurbineStatus(
                    id=turbine,
                    state=shown,
                    blocks=counts.blocks,
                    lost=counts.lost,
                    duplicate=counts.duplicate,
                    reordered=counts.reordered,
                    score=state.score,
                    violations=open_kinds,
                    type=state.type or MINI,
                )
            )
        return statuses

    def heard(self, turbine_type: str) -> bool:
        """Whether any turbine has sent blocks of this type last."""
        return any(state.type == turbine_type for state in self._states)

    def take_summaries(self) -> list[TelemetrySummary]:
        """Means of the miniatures since the last call. Call from the scoring thread."""
        return self._summaries.take(self._turbines)

    def channels(self, turbine_type: str) -> tuple[str, ...] | None:
        """What the model of a turbine type reads; None if none serves it."""
        type_scorer = self._types.get(turbine_type)
        detector = type_scorer.detector if type_scorer else None
        return detector.manifest.channel_names if detector else None

    def history(self, row: int, turbine_type: str, samples: int) -> NDArray[np.float32] | None:
        """A turbine's latest unbroken samples, of its model's channels; None unless a model
        judges it as of this type. Call from the scoring thread.
        """
        names = self.channels(turbine_type)
        if names is None or self._states[row].type != turbine_type:
            return None
        type_scorer = self._types[turbine_type]
        return type_scorer.history(row, samples)[[type_scorer.names.index(name) for name in names]]

    def _read(self, item: Received) -> list[Samples]:
        try:
            if item.topic != topics.LEGACY_RAW or self._legacy is None:
                return [self._reader.read(item.topic, item.payload)]
            blocks = self._legacy.read(item.payload)
            for block in blocks:
                self._reader.check(block)
        except PayloadError as error:
            self._quarantine.reject(item.topic, item.payload, error)
            return []
        return blocks

    def _rounds(self, batch: Iterable[Received], changed: dict[int, float]) -> list[Round]:
        """Split a batch so that no round has two blocks of one turbine, of two types or lengths."""
        rounds: list[list[_Member]] = []
        next_round: dict[int, int] = {}
        shapes: list[tuple[str, int]] = []
        for item in batch:
            for samples in self._read(item):
                member = self._arrive(samples, item.arrived, changed)
                if member is None:
                    continue
                shape = (samples.type, samples.values.shape[1])
                row = member[0]
                index = next_round.get(row, 0)
                while index < len(rounds) and shapes[index] != shape:
                    index += 1
                if index == len(rounds):
                    rounds.append([])
                    shapes.append(shape)
                rounds[index].append(member)
                next_round[row] = index + 1
        return [
            _round(turbine_type, members)
            for (turbine_type, _), members in zip(shapes, rounds, strict=True)
        ]

    def _arrive(
        self, samples: Samples, arrived: float, changed: dict[int, float]
    ) -> _Member | None:
        """Count a block; None if it is stale or no model is for it. A turbine that is of another
        type now is noted in ``changed``, with the time of its last sample before.
        """
        row = self._reader.rows[samples.turbine]
        turbine = self._states[row]
        arrival = turbine.sequence.observe(samples.boot, samples.seq)
        turbine.last_arrival = arrived
        turbine.span = samples.dt * samples.values.shape[1]
        turbine_type = samples.type
        known = turbine_type in self._types
        if not known:
            self.unserved.add(turbine_type)
        if arrival is Arrival.STALE:
            return None
        if turbine.type != turbine_type:
            if turbine.type is not None:
                changed[row] = turbine.last_end
                turbine.last_end = 0.0
            turbine.type = turbine_type
        if not known:
            turbine.state, turbine.score = "unknown", None
            # Should a model come for it, its samples are not adjacent to any before.
            turbine.last_end = 0.0
            return None
        step = abs(samples.t0 - (turbine.last_end + samples.dt))
        turbine.last_end = end = samples.end
        apart = step > CLOCK_STEP_SECONDS and 2 * step > samples.dt
        return row, samples, end, arrived, arrival is Arrival.GAP or apart

    def _conclude(
        self,
        part: Round,
        ready: NDArray[np.bool_],
        ratios: NDArray[np.float32],
        outcome: Outcome,
    ) -> None:
        judgement = self._types[part.type].conclude(part, ready, ratios)
        scored = judgement.scored
        if judgement.judge is not None and scored.any():
            ends = np.array(part.ends)
            outcome.events.extend(
                self._tracker.update(
                    part.rows[ready][scored],
                    ends[ready][scored],
                    judgement.ratios[scored],
                    judgement.by_kind[scored],
                    judgement.judge,
                )
            )
        told = verdicts(part, judgement)
        for row, verdict in zip(part.rows.tolist(), told, strict=True):
            turbine = self._states[row]
            if turbine.type == part.type:
                turbine.state, turbine.score = verdict.state, verdict.score
        outcome.verdicts.extend(told)


def _round(turbine_type: str, members: list[_Member]) -> Round:
    rows, samples, ends, arrived, restarts = zip(*members, strict=True)
    places = np.array(rows, dtype=np.intp)
    restarted = places[np.array(restarts)] if any(restarts) else _NO_ROWS
    return Round(turbine_type, places, samples, ends, arrived, restarted)

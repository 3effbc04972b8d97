"""A batch of blocks becomes verdicts and events: one model run for each turbine type."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gustbed_core.commissioning.messages import DIFFERS
from gustbed_core.events import (
    AnomalyEvent,
    ModelRef,
    TelemetrySummary,
    TurbineStatus,
    Verdict,
)
from gustbed_core.events import VerdictState as State
from gustbed_core.telemetry import Samples
from gustbed_core.turbine_types import TurbineType
from gustbed_edge.commissioning.desk import Desk, Presence
from gustbed_edge.events.tracker import EventTracker
from gustbed_edge.ingest.reader import Requirements
from gustbed_edge.ingest.receiver import ArrivedBlock
from gustbed_edge.ingest.sequence import Arrival, SequenceCounter
from gustbed_edge.scoring.corrected import Windowed
from gustbed_edge.scoring.detector import Detector
from gustbed_edge.scoring.summaries import Summaries
from gustbed_edge.scoring.type_scorer import (
    NO_OVERRIDES,
    DecisionOverrides,
    RoundWindows,
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
    type: str | None = None
    state: State = "warming"
    score: float | None = None
    last_end: float = 0.0
    span: float = 0.0
    """Of its last block, in seconds."""
    last_arrival: float | None = None


class Scorer:
    """Owns the windows and states of all turbines. Used by one thread; counters may be read by
    others.

    ``requirements`` is where readers look what the model of a type reads; ``types`` are those
    that have a file. ``desk`` is where commissioning has its place.
    """

    def __init__(
        self,
        turbines: Sequence[str],
        requirements: dict[str, Requirements],
        tracker: EventTracker,
        *,
        types: Mapping[str, TurbineType],
        overrides: DecisionOverrides = NO_OVERRIDES,
        silent_after: float = 5.0,
        monotonic: Callable[[], float] = time.monotonic,
        desk: Desk | None = None,
    ) -> None:
        self.unserved = UnservedTypes()
        self._turbines = tuple(turbines)
        self._requirements = requirements
        self._tracker = tracker
        self._known = types
        self._overrides = overrides
        self._silent_after = silent_after
        self._monotonic = monotonic
        self._desk = desk
        self._states = [_Turbine() for _ in self._turbines]
        self._summaries = Summaries(self._turbines, types)
        self._scorers: dict[str, TypeScorer] = {}

    @property
    def detectors(self) -> Mapping[str, Detector]:
        """The models that serve, by turbine type."""
        return detectors_of(self._scorers)

    @property
    def models(self) -> Mapping[str, ModelRef]:
        """Their names and versions."""
        return {name: detector.model for name, detector in self.detectors.items()}

    def serve(self, detector: Detector) -> None:
        """Judge turbines of the model's type by it from now on. Call between batches."""
        manifest = detector.manifest
        name = manifest.turbine_type
        scorer = self._scorers.get(name)
        if scorer is not None:
            scorer.serve(detector)
        else:
            known = self._known.get(name)
            scorer = TypeScorer(detector, len(self._turbines), self._overrides, known, self._desk)
        self._requirements[name] = Requirements(manifest.sample_rate_hz, manifest.channel_names)
        self._summaries.serve(manifest)
        self._scorers[name] = scorer

    def withdraw(self, turbine_type: str) -> None:
        """Judge turbines of this type no more. Call between batches."""
        self._scorers.pop(turbine_type, None)
        self._requirements.pop(turbine_type, None)
        if self._desk is not None:
            self._desk.served.pop(turbine_type, None)
        self._summaries.withdraw(turbine_type)

    def score(self, blocks: Iterable[ArrivedBlock]) -> Outcome:
        """Window and score what has come. Types that no model is for get no verdict."""
        outcome = Outcome(events=self._take_back())
        changed: dict[int, float] = {}
        taken: dict[str, list[tuple[Round, RoundWindows]]] = {}
        ready: list[NDArray[np.bool_]] = []
        for part in self._rounds(blocks, changed):
            self._summaries.add(part)
            scorer = self._scorers.get(part.type)
            if scorer is None:
                continue
            windows = scorer.take(part)
            outcome.rounds.append(part)
            ready.append(windows.ready)
            taken.setdefault(part.type, []).append((part, windows))
        ratios = {name: _ratios(self._scorers[name], parts) for name, parts in taken.items()}
        used = dict.fromkeys(taken, 0)
        for part, full in zip(outcome.rounds, ready, strict=True):
            first = used[part.type]
            used[part.type] = last = first + int(np.count_nonzero(full))
            self._conclude(part, full, ratios[part.type][first:last], outcome)
        for row, end in changed.items():
            outcome.events.extend(self._tracker.restart(row, end))
        self._tell_opened(outcome.events)
        return outcome

    def status(self, counters: Sequence[SequenceCounter]) -> list[TurbineStatus]:
        """Every turbine as it is now; violations are those with an open event."""
        statuses = []
        for row, (turbine, state) in enumerate(zip(self._turbines, self._states, strict=True)):
            open_kinds = self._tracker.open_kinds(row)
            shown = self.presence(row).state
            if shown in ("ok", "anomaly"):
                shown = "anomaly" if open_kinds else "ok"
            counts = counters[row]
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
                    type=state.type or "",
                )
            )
        return statuses

    def presence(self, row: int) -> Presence:
        """A turbine as its latest block and verdict have it."""
        state = self._states[row]
        shown: Literal["ok", "anomaly", "warming", "unknown", "silent"] = state.state
        patience = max(self._silent_after, SILENT_BLOCKS * state.span)
        if state.last_arrival is None or self._monotonic() - state.last_arrival > patience:
            shown = "silent"
        return Presence(state.type or "", shown, state.span)

    def heard(self) -> set[str]:
        """The types of the blocks that turbines have sent last."""
        return {state.type for state in self._states if state.type is not None}

    def take_summaries(self) -> list[TelemetrySummary]:
        """Aggregates of every type since the last call. Call from the scoring thread."""
        return self._summaries.take()

    def channels(self, turbine_type: str) -> tuple[str, ...] | None:
        """What the model of a turbine type reads; None if none serves it."""
        scorer = self._scorers.get(turbine_type)
        return scorer.detector.manifest.channel_names if scorer else None

    def window(self, turbine_type: str) -> int | None:
        """Samples that the model of a turbine type looks at; None if none serves it."""
        scorer = self._scorers.get(turbine_type)
        return scorer.detector.manifest.window if scorer else None

    def history(self, row: int, turbine_type: str, samples: int) -> NDArray[np.float32] | None:
        """A turbine's latest unbroken samples, of its model's channels; None unless a model
        judges it as of this type. Call from the scoring thread.
        """
        names = self.channels(turbine_type)
        if names is None or self._states[row].type != turbine_type:
            return None
        scorer = self._scorers[turbine_type]
        return scorer.history(row, samples)[[scorer.names.index(name) for name in names]]

    def commissioning(self, row: int) -> str:
        """What verdicts on a turbine rest on: its correction's version, ``prior``, or nothing."""
        turbine_type = self._states[row].type
        if self._desk is None or turbine_type is None:
            return ""
        return self._desk.version_of(turbine_type, row)

    def _rounds(self, blocks: Iterable[ArrivedBlock], changed: dict[int, float]) -> list[Round]:
        """Split a batch so that no round has two blocks of one turbine, nor blocks that differ in
        type, layout or length.
        """
        rounds: list[list[_Member]] = []
        next_round: dict[int, int] = {}
        shapes: list[tuple[str, int, tuple[str, ...]]] = []
        for block in blocks:
            member = self._arrive(block, changed)
            if member is None:
                continue
            row, samples = block.row, block.samples
            shape = (samples.type, samples.values.shape[1], samples.names)
            index = next_round.get(row, 0)
            while index < len(rounds) and shapes[index] != shape:
                index += 1
            if index == len(rounds):
                rounds.append([])
                shapes.append(shape)
            rounds[index].append(member)
            next_round[row] = index + 1
        return [_round(members) for members in rounds]

    def _arrive(self, block: ArrivedBlock, changed: dict[int, float]) -> _Member | None:
        """Note a block; None if it is stale or nothing is made of its type. A turbine that is of
        another type now is noted in ``changed``, with the time of its last sample before.
        """
        row, samples, arrived, place = block
        turbine = self._states[row]
        turbine.last_arrival = arrived
        turbine.span = samples.dt * samples.values.shape[1]
        name = samples.type
        served = name in self._scorers
        if not served:
            self.unserved.add(name)
        if place is Arrival.STALE:
            return None
        if turbine.type != name:
            if turbine.type is not None:
                changed[row] = turbine.last_end
                turbine.last_end = 0.0
            turbine.type = name
        end = samples.end
        if not served:
            turbine.state, turbine.score = "unknown", None
            # Should a model come for it, its samples are not adjacent to any before.
            turbine.last_end = 0.0
            return (row, samples, end, arrived, True) if self._summaries.knows(name) else None
        step = abs(samples.t0 - (turbine.last_end + samples.dt))
        turbine.last_end = end
        apart = step > CLOCK_STEP_SECONDS and 2 * step > samples.dt
        return row, samples, end, arrived, place is Arrival.GAP or apart

    def _tell_opened(self, events: Iterable[AnomalyEvent]) -> None:
        if self._desk is not None:
            for event in events:
                if event.change == "opened":
                    row = self._turbines.index(event.turbine)
                    self._desk.opened.append((row, event.kind))

    def _take_back(self) -> list[AnomalyEvent]:
        """End what the factory's measure said of turbines that it judges no more."""
        events: list[AnomalyEvent] = []
        while self._desk is not None and self._desk.taken_back:
            row = self._desk.taken_back.popleft()
            state = self._states[row]
            scorer = self._scorers.get(state.type or "")
            if scorer is not None:
                scorer.forget(np.array([row]))
            events += self._tracker.restart(row, state.last_end, DIFFERS)
        return events

    def _conclude(
        self,
        part: Round,
        ready: NDArray[np.bool_],
        ratios: NDArray[np.float32],
        outcome: Outcome,
    ) -> None:
        judgement = self._scorers[part.type].conclude(part, ready, ratios)
        scored = judgement.scored
        if scored.any():
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


def _ratios(scorer: TypeScorer, parts: Sequence[tuple[Round, RoundWindows]]) -> NDArray[np.float32]:
    whose = Windowed(
        np.concatenate([part.rows[taken.ready] for part, taken in parts]),
        np.concatenate([np.array(part.ends)[taken.ready] for part, taken in parts]),
        np.concatenate([part.restarted for part, _ in parts]),
    )
    return scorer.ratios(np.concatenate([taken.windows for _, taken in parts]), whose)


def _round(members: list[_Member]) -> Round:
    rows, samples, ends, arrived, restarts = zip(*members, strict=True)
    places = np.array(rows, dtype=np.intp)
    restarted = places[np.array(restarts)] if any(restarts) else _NO_ROWS
    values = np.array([each.values for each in samples])
    first = samples[0]
    return Round(first.type, places, samples, first.names, values, ends, arrived, restarted)

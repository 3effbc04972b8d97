"""A batch of received payloads becomes verdicts and events: all turbines in one model run."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gustbed_edge.detector import Detector, violation_masks
from gustbed_edge.events import KINDS, EventTracker
from gustbed_edge.ingest import Ingest
from gustbed_edge.legacy import LegacyReader
from gustbed_edge.quarantine import Quarantine
from gustbed_edge.sequence import Arrival
from gustbed_edge.sequence import Sequence as SequenceCounter
from gustbed_edge.summaries import Summaries
from gustbed_edge.unscored import Unscored
from gustbed_edge.windows import Windows
from gustbed_protocol import topics
from gustbed_protocol.channels import CHANNEL_INDEX, CHANNELS
from gustbed_protocol.errors import PayloadError
from gustbed_protocol.events import AnomalyEvent, TelemetrySummary, TurbineStatus, Verdict
from gustbed_protocol.events import VerdictState as State
from gustbed_protocol.features import FEATURE_NAMES
from gustbed_protocol.telemetry import MINI, Samples

DEFAULT_WINDOW = 100
"""Samples kept per turbine while there is no model to say how many it wants."""
CLOCK_STEP_SECONDS = 2.0
"""Successive blocks whose times are this far from adjacent are not one signal."""
RATIO_DECIMALS = 5


class Received(NamedTuple):
    """A payload and when it came (seconds of a monotonic clock)."""

    topic: str
    payload: bytes
    arrived: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a batch led to. ``arrived`` (monotonic seconds) goes with ``verdicts``."""

    verdicts: list[Verdict]
    arrived: list[float]
    events: list[AnomalyEvent]


@dataclass(slots=True)
class _Turbine:
    sequence: SequenceCounter
    state: State = "warming"
    score: float | None = None
    last_end: float = 0.0
    last_arrival: float | None = None


@dataclass(frozen=True, slots=True)
class _Round:
    """At most one block of each turbine, in order of arrival."""

    rows: NDArray[np.intp]
    samples: list[Samples]
    ends: list[float]
    arrived: list[float]
    ready: NDArray[np.bool_]
    windows: NDArray[np.float32]


class Scorer:
    """Owns the buffers and counters of all turbines. Used by one thread; counters may be read
    by others.
    """

    def __init__(
        self,
        turbines: Sequence[str],
        ingest: Ingest,
        tracker: EventTracker,
        quarantine: Quarantine,
        *,
        legacy: LegacyReader | None = None,
        silent_after: float = 5.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.detector: Detector | None = None
        self.unscored = Unscored()
        self._turbines = tuple(turbines)
        self._ingest = ingest
        self._tracker = tracker
        self._quarantine = quarantine
        self._legacy = legacy
        self._silent_after = silent_after
        self._monotonic = monotonic
        self._states = [_Turbine(SequenceCounter()) for _ in self._turbines]
        self._summaries = Summaries(len(self._turbines))
        self._windows = Windows(len(self._turbines), len(CHANNELS), DEFAULT_WINDOW)
        self._names = FEATURE_NAMES
        self._columns = list(range(len(CHANNELS)))
        self._masks = np.zeros((len(KINDS), len(FEATURE_NAMES)), dtype=bool)

    def serve(self, detector: Detector) -> None:
        """Score with this model from now on. Call between batches."""
        manifest = detector.manifest
        if manifest.window != self._windows.window:
            self._windows = self._windows.resized(manifest.window)
        self._names = manifest.feature_names
        self._columns = [CHANNEL_INDEX[name] for name in manifest.channel_names]
        self._masks = violation_masks(manifest, KINDS)
        self._ingest.sample_rate_hz = manifest.sample_rate_hz
        if self._legacy is not None:
            self._legacy.rate_hz = manifest.sample_rate_hz
        self.detector = detector

    def score(self, batch: Iterable[Received]) -> Outcome:
        """Check, window and score what has come. Refused payloads go to quarantine, and types
        that no model is for get no verdict.
        """
        rounds = [self._take(members) for members in self._rounds(batch)]
        ratios = self._ratios(rounds)
        outcome = Outcome([], [], [])
        start = 0
        for part in rounds:
            count = int(part.ready.sum())
            self._conclude(part, ratios[start : start + count], outcome)
            start += count
        return outcome

    def status(self) -> list[TurbineStatus]:
        """Every turbine as it is now; violations are those with an open event."""
        now = self._monotonic()
        statuses = []
        for row, (turbine, state) in enumerate(zip(self._turbines, self._states, strict=True)):
            open_kinds = self._tracker.open_kinds(row)
            shown: Literal["ok", "anomaly", "warming", "unknown", "silent"] = state.state
            if state.last_arrival is None or now - state.last_arrival > self._silent_after:
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
                )
            )
        return statuses

    def take_summaries(self) -> list[TelemetrySummary]:
        """Means since the last call. Call from the scoring thread."""
        return self._summaries.take(self._turbines)

    def _read(self, item: Received) -> list[Samples]:
        try:
            if item.topic != topics.LEGACY_RAW or self._legacy is None:
                return [self._ingest.read(item.topic, item.payload)]
            blocks = self._legacy.read(item.payload)
            for block in blocks:
                self._ingest.check(block)
        except PayloadError as error:
            self._quarantine.reject(item.topic, item.payload, error)
            return []
        return blocks

    def _rounds(self, batch: Iterable[Received]) -> list[list[tuple[int, Samples, float]]]:
        """Split a batch so that no round has two blocks of one turbine, nor of two lengths."""
        rounds: list[list[tuple[int, Samples, float]]] = []
        next_round: dict[int, int] = {}
        lengths: list[int] = []
        for item in batch:
            for samples in self._read(item):
                row = self._ingest.rows[samples.turbine]
                if samples.type != MINI:
                    self._pass_by(row, samples, item.arrived)
                    continue
                length = samples.values.shape[1]
                index = next_round.get(row, 0)
                while index < len(rounds) and lengths[index] != length:
                    index += 1
                if index == len(rounds):
                    rounds.append([])
                    lengths.append(length)
                rounds[index].append((row, samples, item.arrived))
                next_round[row] = index + 1
        return rounds

    def _pass_by(self, row: int, samples: Samples, arrived: float) -> None:
        """Count a block that no model can read."""
        turbine = self._states[row]
        turbine.sequence.observe(samples.boot, samples.seq)
        turbine.last_arrival = arrived
        turbine.state, turbine.score = "unknown", None
        # Should a miniature take this place, its samples are not adjacent to anything.
        turbine.last_end = 0.0
        self.unscored.add(samples.type)

    def _take(self, members: list[tuple[int, Samples, float]]) -> _Round:
        rows: list[int] = []
        restarted: list[int] = []
        kept: list[Samples] = []
        ends: list[float] = []
        times: list[float] = []
        for row, samples, arrived in members:
            state = self._states[row]
            arrival = state.sequence.observe(samples.boot, samples.seq)
            state.last_arrival = arrived
            if arrival is Arrival.STALE:
                continue
            step = samples.t0 - (state.last_end + samples.dt)
            if arrival is Arrival.GAP or abs(step) > CLOCK_STEP_SECONDS:
                restarted.append(row)
            state.last_end = samples.end
            rows.append(row)
            kept.append(samples)
            ends.append(state.last_end)
            times.append(arrived)
        index = np.array(rows, dtype=np.intp)
        ready = np.zeros(0, dtype=bool)
        windows = np.zeros((0, len(self._columns), self._windows.window), dtype=np.float32)
        if kept:
            self._windows.restart(np.array(restarted, dtype=np.intp))
            values = np.stack([samples.values for samples in kept])
            self._windows.append(index, values)
            self._summaries.add(index, values, np.array(ends))
            ready = self._windows.ready(index)
            windows = self._windows.latest(index[ready])[:, self._columns]
        return _Round(index, kept, ends, times, ready, windows)

    def _ratios(self, rounds: list[_Round]) -> NDArray[np.float32]:
        if not rounds:
            return np.zeros((0, len(self._names)), dtype=np.float32)
        windows = np.concatenate([part.windows for part in rounds])
        if self.detector is None:
            return np.full((len(windows), len(self._names)), np.nan, dtype=np.float32)
        return self.detector.score(windows)

    def _conclude(self, part: _Round, ratios: NDArray[np.float32], outcome: Outcome) -> None:
        scored = ~np.isnan(ratios[:, 0])
        # (n, kinds): the largest ratio of the features that speak for each kind.
        by_kind = np.where(self._masks, ratios[:, None, :], -np.inf).max(axis=2, initial=-np.inf)
        rows = part.rows[part.ready]
        ends = np.array(part.ends)
        if self.detector is not None and scored.any():
            outcome.events.extend(
                self._tracker.update(
                    rows[scored], ends[part.ready][scored], by_kind[scored], self.detector.model
                )
            )
        rounded = ratios.astype(np.float64).round(RATIO_DECIMALS).tolist()
        violated = (by_kind > 1).tolist()
        position = 0
        for i, samples in enumerate(part.samples):
            state: State = "warming"
            values: list[float] | None = None
            kinds: list[bool] = []
            if part.ready[i]:
                if scored[position]:
                    values, kinds = rounded[position], violated[position]
                state = "unknown" if values is None else "anomaly" if any(kinds) else "ok"
                position += 1
            row, end = int(part.rows[i]), part.ends[i]
            outcome.verdicts.append(self._verdict(row, samples, end, state, values, kinds))
        outcome.arrived.extend(part.arrived)

    def _verdict(
        self,
        row: int,
        samples: Samples,
        end: float,
        state: State,
        ratios: list[float] | None,
        kinds: list[bool],
    ) -> Verdict:
        score = max(ratios) if ratios else None
        turbine = self._states[row]
        turbine.state, turbine.score = state, score
        return Verdict(
            turbine=samples.turbine,
            boot=samples.boot,
            seq=samples.seq,
            t=end,
            state=state,
            score=score,
            ratios=dict(zip(self._names, ratios, strict=True)) if ratios else {},
            violations=[kind for kind, hit in zip(KINDS, kinds, strict=False) if hit],
            model=self.detector.model if self.detector else None,
        )

"""A recording in place of the simulation: every turbine plays it, each from another point."""

import numpy as np

from gustbed_core.errors import GustbedError
from gustbed_twin.faults.miniature import KINDS, Faults
from gustbed_twin.publisher.source import Step
from gustbed_twin.recordings.added_faults import lay_over, start_overlay
from gustbed_twin.recordings.recording import Recording
from gustbed_twin.turbine.miniature_type import QUANTITIES


class Replay:
    """Plays a recording in blocks of ``samples`` rows.

    Turbines start evenly spread over the recording. Each plays all of it, coming back to the
    beginning where its signal counts as restarted, for a recording's end does not continue in
    its beginning. Without ``loop``, all end when all is played once. The last rows that do not
    fill a block are left out.
    """

    def __init__(
        self,
        recording: Recording,
        *,
        turbines: int,
        samples: int,
        rate_hz: float,
        loop: bool,
        seed: int,
    ) -> None:
        rows = recording.values
        blocks = len(rows) // samples
        if blocks == 0:
            raise GustbedError(
                f"the recording has {len(rows)} samples, a block {samples}",
                "replay a longer recording, or lower GUSTBED_TWIN_INTERVAL_S",
            )
        self._type, self._names = recording.type, recording.names
        self._blocks = rows[: blocks * samples].reshape(blocks, samples, -1)
        self._starts = np.arange(turbines) * blocks // turbines
        self._samples = samples
        self._rate_hz = rate_hz
        self._loop = loop
        self._played = 0
        self._faults = Faults.none(turbines)
        self._overlay = start_overlay(seed, turbines, rate_hz)
        self._bent = False

    def step(self) -> Step | None:
        """The next block of every turbine, or None at the end."""
        count = len(self._blocks)
        if self._played >= count and not self._loop:
            return None
        at = (self._starts + self._played) % count
        values = np.ascontiguousarray(self._blocks[at].transpose(0, 2, 1))
        restarted = np.flatnonzero(at == 0).tolist() if self._played else []
        if self._bent:
            severity = self._faults.severity(self._now, self._samples)
            self._overlay, values = lay_over(
                self._overlay, values, severity, self._now, self._rate_hz
            )
        self._played += 1
        return Step(values, self._type, self._names, frozenset(restarted))

    def inject(self, position: int, kind: str, severity: float, ramp_s: float, _signal: str) -> str:
        """Lay a fault over the recording of one turbine, from the next block on."""
        if self._names != QUANTITIES:
            return f"no fault can be laid over a recording of type {self._type}"
        if kind not in KINDS:
            return "no such kind of fault over a recording"
        length = round(ramp_s * self._rate_hz)
        self._faults = self._faults.ramp(kind, position, severity, length, self._now)
        self._bent = True
        return ""

    def clear(self, position: int, kind: str | None, ramp_s: float) -> str:
        """Take one kind of fault away, or all."""
        kinds = KINDS if kind is None else (kind,)
        refused = [self.inject(position, each, 0.0, ramp_s, "") for each in kinds]
        return next(filter(None, refused), "")

    def control(self, _position: int, action: str, _value: float | None) -> str:
        """A recording takes no commands."""
        return f"this turbine takes no {action}"

    @property
    def _now(self) -> int:
        return self._played * self._samples

"""A recording in place of the simulation: every turbine plays it, each from another point."""

import numpy as np

from gustbed_core.errors import GustbedError
from gustbed_core.telemetry import MINI
from gustbed_core.violations import Violation
from gustbed_twin.faults import KINDS, Faults
from gustbed_twin.overlay import lay_over, start_overlay
from gustbed_twin.recording import Recording
from gustbed_twin.source import Step


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
        return Step(values, frozenset(restarted), self._type, self._names)

    def inject(self, position: int, kind: Violation, severity: float, ramp_s: float) -> None:
        """Lay a fault over the recording of one turbine, from the next block on.

        Raises ``GustbedError`` for a type whose signals it does not know.
        """
        if self._type != MINI:
            raise GustbedError(f"no fault can be laid over a recording of type {self._type}")
        length = round(ramp_s * self._rate_hz)
        self._faults = self._faults.ramp(kind, position, severity, length, self._now)
        self._bent = True

    def clear(self, position: int, kind: Violation | None, ramp_s: float) -> None:
        """Take one kind of fault away, or all."""
        for each in KINDS if kind is None else (kind,):
            self.inject(position, each, 0.0, ramp_s)

    @property
    def _now(self) -> int:
        return self._played * self._samples

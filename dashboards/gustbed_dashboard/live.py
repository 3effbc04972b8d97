"""What is known of one turbine right now, from its telemetry and its verdicts."""

import numpy as np
from numpy.typing import NDArray

from gustbed_dashboard.rings import Ring
from gustbed_dashboard.signals import COLUMNS, KEPT_HZ, thin
from gustbed_protocol.events import Verdict
from gustbed_protocol.features import FEATURE_NAMES
from gustbed_protocol.telemetry import Samples

KEPT_SECONDS = 300
CLOCK_TOLERANCE = 2.0
_VERDICTS_PER_SECOND = 2


class TurbineLive:
    """Ring buffers of one turbine. Not thread-safe.

    Score rows are the largest ratio, then the ratio of each of ``FEATURE_NAMES``.
    """

    def __init__(self) -> None:
        self.signals = Ring(int(KEPT_SECONDS * KEPT_HZ), COLUMNS)
        self.scores = Ring(KEPT_SECONDS * _VERDICTS_PER_SECOND, 1 + len(FEATURE_NAMES))
        self.verdict: Verdict | None = None
        self.seen: float | None = None
        self._boot = ""
        self._offset = 0.0

    def add_block(self, samples: Samples, now: float) -> None:
        """Keep a block, placed on this machine's clock."""
        times, rows = thin(samples)
        self.signals.append(times + self._clock_offset(samples.boot, samples.end, now), rows)
        self.seen = now

    def add_verdict(self, verdict: Verdict, now: float) -> None:
        """Keep a verdict. One without a score becomes a gap in the trend."""
        row: NDArray[np.float64] = np.full((1, 1 + len(FEATURE_NAMES)), np.nan)
        if verdict.score is not None:
            row[0, 0] = verdict.score
            row[0, 1:] = [verdict.ratios.get(name, np.nan) for name in FEATURE_NAMES]
        time = verdict.t + self._clock_offset(verdict.boot, verdict.t, now)
        self.scores.append(np.array([time]), row)
        self.verdict = verdict

    def _clock_offset(self, boot: str, end: float, now: float) -> float:
        # A turbine whose clock is wrong is still watched live; one offset per boot keeps blocks
        # that arrive in a burst apart.
        if boot != self._boot:
            self._boot = boot
            self._offset = now - end if abs(now - end) > CLOCK_TOLERANCE else 0.0
        return self._offset

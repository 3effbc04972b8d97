"""The reference systems' records on ``turbine/raw``, made into blocks of one turbine.

Their firmware prints a line whenever any of three timers fires, so records are not evenly
spaced; models want an even rate. Between two records the signal is taken as a straight line.
"""

import time
from collections.abc import Callable
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from gustbed_core.channels import CHANNELS
from gustbed_core.errors import PayloadError
from gustbed_core.legacy import parse_record
from gustbed_core.telemetry import Samples

BLOCK_SECONDS = 0.5
MAX_GAP_MS = 2000
DEFAULT_RATE_HZ = 20.0
MAX_RECORD_BYTES = 1024


class LegacyReader:
    """Groups records of one device into blocks at ``rate_hz`` samples per second."""

    def __init__(self, turbine: str, clock: Callable[[], float] = time.time) -> None:
        self.rate_hz = DEFAULT_RATE_HZ
        self._turbine = turbine
        self._clock = clock
        self._last_millis: int | None = None
        self._begin(0, np.zeros(len(CHANNELS)))

    def read(self, payload: bytes) -> list[Samples]:
        """Take one record; return the blocks it completes. Raises ``PayloadError``."""
        if len(payload) > MAX_RECORD_BYTES:
            raise PayloadError("oversized", f"{len(payload)} bytes, at most {MAX_RECORD_BYTES}")
        try:
            text = payload.decode("ascii")
        except UnicodeDecodeError as error:
            raise PayloadError("malformed", "not ASCII text") from error
        millis, sample = parse_record(text)
        last = self._last_millis
        if last is None or millis < last or millis - last > MAX_GAP_MS:
            # Restarted, or silent for too long to draw a line across.
            self._begin(millis, sample)
        elif millis > last:
            self._interpolate(last, millis, sample)
        self._last_millis, self._last_sample = millis, sample
        return self._complete()

    def _begin(self, millis: int, sample: NDArray[np.float64]) -> None:
        self._boot = str(uuid4())
        self._seq = 0
        self._pending: list[NDArray[np.float64]] = [sample]
        self._last_sample = sample
        self._first_millis = float(millis)
        self._sampled = 1
        self._epoch = self._clock() - millis / 1000
        self._rate = self.rate_hz

    def _interpolate(self, last: int, millis: int, sample: NDArray[np.float64]) -> None:
        while True:
            at = self._first_millis + self._sampled * 1000 / self._rate
            if at > millis:
                return
            part = (at - last) / (millis - last)
            self._pending.append(self._last_sample + part * (sample - self._last_sample))
            self._sampled += 1

    def _complete(self) -> list[Samples]:
        size = max(1, round(BLOCK_SECONDS * self._rate))
        blocks = []
        while len(self._pending) >= size:
            values = np.stack(self._pending[:size], axis=1)
            del self._pending[:size]
            t0 = self._epoch + self._first_millis / 1000 + self._seq * size / self._rate
            blocks.append(Samples(self._turbine, self._boot, self._seq, t0, 1 / self._rate, values))
            self._seq += 1
        return blocks

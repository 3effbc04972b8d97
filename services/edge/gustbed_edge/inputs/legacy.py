"""The reference systems' records on ``turbine/raw``, made into blocks of one turbine.

Their firmware prints a line whenever any of three timers fires, so records are not evenly
spaced; models want an even rate. Between two records the signal is taken as a straight line.

A record's own clock tells how far apart samples are, the edge's clock when they were. A recording
that is replayed faster or slower than it was made lets the two run apart: then the edge's holds.
"""

import logging
import time
from collections.abc import Callable
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from gustbed_core import topics
from gustbed_core.errors import GustbedError, PayloadError
from gustbed_core.legacy import CHANNELS, parse_record
from gustbed_core.telemetry import MINI, Samples
from gustbed_edge.plugins import InputContext

BLOCK_SECONDS = 0.5
MAX_GAP_MS = 2000
DEFAULT_RATE_HZ = 20.0
MAX_RECORD_BYTES = 1024
MAX_DRIFT_SECONDS = 2.0
"""How far a block's end may be from its arrival."""
REANCHORED = "legacy_reanchored"

log = logging.getLogger(__name__)


class LegacyReader:
    """Groups records of one device into blocks.

    ``rate_hz`` tells how many samples a second are wanted; asked whenever a block's stream begins.
    """

    def __init__(
        self,
        turbine: str,
        rate_hz: Callable[[], float | None] = lambda: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._turbine = turbine
        self._rate_hz = rate_hz
        self._clock = clock
        self.reanchored = 0
        """How often the device's clock was set by the edge's, since the start."""
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
        self._rate = self._rate_hz() or DEFAULT_RATE_HZ

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
            t0 = self._anchored(self._first_millis / 1000 + self._seq * size / self._rate)
            blocks.append(
                Samples(
                    self._turbine,
                    self._boot,
                    self._seq,
                    t0,
                    1 / self._rate,
                    values,
                    MINI,
                    CHANNELS,
                )
            )
            self._seq += 1
        return blocks

    def _anchored(self, uptime: float) -> float:
        """Unix time of a moment of the device's clock, of a block that ends now."""
        end = uptime + BLOCK_SECONDS
        drift = self._clock() - (self._epoch + end)
        if abs(drift) > MAX_DRIFT_SECONDS:
            if not self.reanchored:
                log.warning(
                    "%s: records come %s than their own clock says: times are those of arrival",
                    self._turbine,
                    "later" if drift > 0 else "sooner",
                )
            self.reanchored += 1
            self._epoch += drift
        return self._epoch + uptime


class LegacyInput:
    """Records on the site broker, which speak for one turbine of type ``mini``."""

    def __init__(self, context: InputContext, turbine: str) -> None:
        self._context = context
        self._reader = LegacyReader(turbine, lambda: context.rate_hz(MINI))
        context.subscribe(topics.LEGACY_RAW, self._received)

    def start(self) -> None:
        """The session starts by itself."""

    def stop(self, timeout: float) -> None:
        """And ends so."""

    def _received(self, topic: str, payload: bytes) -> None:
        before = self._reader.reanchored
        try:
            blocks = self._reader.read(payload)
        except PayloadError as error:
            self._context.reject(topic, payload, error)
            return
        for _ in range(self._reader.reanchored - before):
            self._context.count(REANCHORED)
        for block in blocks:
            self._context.deliver(block)


def legacy(context: InputContext) -> LegacyInput | None:
    """The factory: None unless ``GUSTBED_EDGE_LEGACY_TURBINE`` names a turbine of the site.

    Raises ``GustbedError`` if it names another.
    """
    turbine, known = context.settings.legacy_turbine, context.site.turbine_ids
    if turbine is None:
        return None
    if turbine not in known:
        raise GustbedError(
            f"GUSTBED_EDGE_LEGACY_TURBINE={turbine}", f"choose one of {known[0]} … {known[-1]}"
        )
    return LegacyInput(context, turbine)

"""From an MQTT payload to checked samples, or a reason why not."""

import time
from collections.abc import Callable, Iterable, Mapping

from gustbed_protocol import codec, topics
from gustbed_protocol.errors import PayloadError
from gustbed_protocol.telemetry import MINI, Samples, decode_typed_block

RATE_TOLERANCE = 0.01
MAX_SEQ = 2**53
"""Beyond this, numbers in JSON are no longer exact everywhere."""
MAX_BOOT_LENGTH = 64


def check_size(payload: bytes) -> None:
    """Look at the size before anything else reads it. Raises ``PayloadError`` ``oversized``."""
    if len(payload) > codec.MAX_PAYLOAD_BYTES:
        raise PayloadError("oversized", f"{len(payload)} bytes, at most {codec.MAX_PAYLOAD_BYTES}")


class Ingest:
    """Checks blocks against the site's turbines, the clock and the model's sample rate."""

    def __init__(
        self,
        site: str,
        turbines: Iterable[str],
        *,
        max_clock_ahead: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.rows: Mapping[str, int] = {turbine: row for row, turbine in enumerate(turbines)}
        self.sample_rate_hz: float | None = None
        """What the model wants; None while there is no model, when any rate will do."""
        self._site = site
        self._max_clock_ahead = max_clock_ahead
        self._clock = clock

    def read(self, topic: str, payload: bytes) -> Samples:
        """Decode and check a block of any turbine type. Raises ``PayloadError``; ``reason`` is
        one of those of ``telemetry.decode_typed_block``, ``unknown_turbine``,
        ``wrong_turbine``, ``future_clock`` or ``wrong_rate``.
        """
        check_size(payload)
        turbine = topics.parse(topic).turbine
        if turbine not in self.rows:
            raise PayloadError("unknown_turbine", f"{turbine[:64]!r} is not a turbine of this site")
        samples = decode_typed_block(payload)
        if samples.turbine != turbine:
            raise PayloadError("wrong_turbine", f"a block of {samples.turbine[:64]!r} on {topic}")
        self.check(samples)
        return samples

    def check(self, samples: Samples) -> None:
        """Check what a block's schema cannot: numbers in bounds, the clock, the sample rate."""
        if samples.seq > MAX_SEQ or len(samples.boot) > MAX_BOOT_LENGTH:
            raise PayloadError("wrong_fields", "seq or boot too long")
        ahead = samples.end - self._clock()
        if ahead > self._max_clock_ahead:
            raise PayloadError("future_clock", f"{ahead:.0f} s ahead of the edge's clock")
        if samples.t0 < 0:
            raise PayloadError("wrong_fields", "t0 must be a Unix time in seconds")
        if samples.type != MINI:
            # No model reads it, so its rate is nobody's concern.
            _check_type(samples.type)
            return
        wanted = self.sample_rate_hz
        if wanted is not None and abs(samples.dt * wanted - 1) > RATE_TOLERANCE:
            raise PayloadError(
                "wrong_rate", f"{1 / samples.dt:.3g} samples/s, the model reads {wanted:g}"
            )


def _check_type(kind: str) -> None:
    try:
        topics.level(kind)
    except ValueError as error:
        raise PayloadError("wrong_fields", f"type {kind[:64]!r} is not a name") from error

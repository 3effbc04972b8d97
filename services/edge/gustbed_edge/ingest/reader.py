"""From a payload to checked samples, or a reason why not."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from gustbed_core import codec, topics
from gustbed_core.errors import PayloadError
from gustbed_core.telemetry import Samples, block_from_samples, decode_block

RATE_TOLERANCE = 0.01
MAX_SEQ = 2**53
"""Beyond this, numbers in JSON are no longer exact everywhere."""
MAX_BOOT_LENGTH = 64
MAX_VALUE = 1e12
"""No sensor says more; a model's float32 would lose itself in the squares of much more."""
MAX_BEHIND_SECONDS = 86_400.0
NAMED = 5
"""Missing channels that a refusal names."""
MAX_LAYOUTS = 64
"""Orders of columns that are remembered; blocks of one type hardly have more than one."""


@dataclass(frozen=True, slots=True)
class Requirements:
    """What the model of a turbine type reads. ``layouts`` are orders of columns that will do."""

    rate_hz: float
    channels: tuple[str, ...]
    layouts: set[tuple[str, ...]] = field(default_factory=set, compare=False)


def check_size(payload: bytes) -> None:
    """Look at the size before anything else reads it. Raises ``PayloadError`` ``oversized``."""
    if len(payload) > codec.MAX_PAYLOAD_BYTES:
        raise PayloadError("oversized", f"{len(payload)} bytes, at most {codec.MAX_PAYLOAD_BYTES}")


class BlockReader:
    """Checks blocks against the site's turbines, the clock, and the model of their type."""

    def __init__(
        self,
        site: str,
        turbines: Iterable[str],
        *,
        max_clock_ahead: float,
        max_clock_behind: float = MAX_BEHIND_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.rows: Mapping[str, int] = {turbine: row for row, turbine in enumerate(turbines)}
        self.requirements: dict[str, Requirements] = {}
        """By turbine type. Of a type that no model reads, any block will do."""
        self._own = {topics.telemetry(site, turbine): turbine for turbine in self.rows}
        self._max_clock_ahead = max_clock_ahead
        self._max_clock_behind = max_clock_behind
        self._clock = clock

    def read(self, topic: str, payload: bytes) -> Samples:
        """Decode and check a block of any turbine type. Raises ``PayloadError``; ``reason`` is
        one of those of ``telemetry.decode_block``, ``unknown_turbine``,
        ``wrong_turbine``, or one of ``check``.
        """
        check_size(payload)
        turbine = self._own.get(topic) or topics.parse(topic).turbine
        if turbine not in self.rows:
            raise PayloadError("unknown_turbine", f"{turbine[:64]!r} is not a turbine of this site")
        samples = decode_block(payload)
        if samples.turbine != turbine:
            raise PayloadError("wrong_turbine", f"a block of {samples.turbine[:64]!r} on {topic}")
        self.check(samples)
        return samples

    def accept(self, samples: Samples) -> Samples:
        """Check a block that came without a topic. Raises ``PayloadError`` as ``read`` does."""
        try:
            # As if it had come over the wire: whatever an input made, nothing else gets further.
            block = block_from_samples(samples)
            checked = decode_block(codec.encode(block, codec.Encoding.MSGPACK))
        except PayloadError:
            raise
        except Exception as error:
            raise PayloadError("malformed", f"not a block: {error}") from error
        if checked.turbine not in self.rows:
            raise PayloadError(
                "unknown_turbine", f"{checked.turbine[:64]!r} is not a turbine of this site"
            )
        self.check(checked)
        return checked

    def check(self, samples: Samples) -> None:
        """Check what a block's schema cannot. Raises ``PayloadError`` ``wrong_fields``,
        ``out_of_range``, ``future_clock``, ``past_clock`` or ``wrong_rate``.
        """
        if samples.seq > MAX_SEQ or len(samples.boot) > MAX_BOOT_LENGTH:
            raise PayloadError("wrong_fields", "seq or boot too long")
        required = self.requirements.get(samples.type)
        ahead = samples.end - self._clock()
        # A mean of ten minutes may bear the time at which they end.
        period = 0.0 if required is None else 1 / required.rate_hz
        if ahead > max(self._max_clock_ahead, period):
            raise PayloadError(
                "future_clock",
                f"{ahead:.0f} s ahead of the edge's clock (GUSTBED_EDGE_MAX_CLOCK_AHEAD)",
            )
        if samples.t0 < 0:
            raise PayloadError("wrong_fields", "t0 must be a Unix time in seconds")
        if -ahead > self._max_clock_behind:
            raise PayloadError(
                "past_clock",
                f"{-ahead:.0f} s behind the edge's clock (GUSTBED_EDGE_MAX_CLOCK_BEHIND)",
            )
        # The sum of squares is one quick operation, and is past the bound whenever a value is.
        if np.vdot(samples.values, samples.values) > MAX_VALUE**2:
            _check_range(samples)
        if required is None:
            _check_type(samples.type)
            return
        if abs(samples.dt * required.rate_hz - 1) > RATE_TOLERANCE:
            raise PayloadError(
                "wrong_rate",
                f"{1 / samples.dt:.3g} samples/s, the model reads {required.rate_hz:g}",
            )
        if samples.names not in required.layouts:
            _check_channels(samples.names, required.channels)
            if len(required.layouts) < MAX_LAYOUTS:
                required.layouts.add(samples.names)


def _check_type(turbine_type: str) -> None:
    try:
        topics.level(turbine_type)
    except ValueError as error:
        raise PayloadError("wrong_fields", f"type {turbine_type[:64]!r} is not a name") from error


def _check_range(samples: Samples) -> None:
    largest = np.abs(samples.values).max(axis=1)
    place = int(largest.argmax())
    if largest[place] > MAX_VALUE:
        raise PayloadError(
            "out_of_range", f"{samples.names[place][:64]}: {largest[place]:.3g}, no sensor's value"
        )


def _check_channels(names: Iterable[str], required: Iterable[str]) -> None:
    missing = sorted(set(required).difference(names))
    if missing:
        more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
        raise PayloadError(
            "wrong_fields", f"missing columns {missing[:NAMED]}{more} that the model reads"
        )

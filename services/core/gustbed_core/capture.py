"""Captured stretches of sensor data with their scores: what retraining and drift reports use."""

import base64
import zlib
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gustbed_core.commissioning.messages import UNDECLARED
from gustbed_core.errors import PayloadError
from gustbed_core.event_kinds import EventKind
from gustbed_core.events import ModelRef

SCHEMA = 1
MAX_VALUES = 4_000_000
"""Of one capture: channels times samples."""


@dataclass(frozen=True, slots=True)
class Capture:
    """An unbroken stretch of one turbine. ``t0`` in Unix seconds, ``dt`` in seconds.

    ``values`` is what ``pack`` makes of float32 (channels, samples). ``scores`` are the largest
    ratios of the verdicts meanwhile, ``anomalies`` how many of them were an anomaly, ``violations``
    the kinds that any of them named. ``reason`` is ``sample`` for one drawn by the clock, whatever
    the verdicts, ``event`` for one that an event asked for. ``commissioning`` is that of the
    turbine which the verdicts heeded: ``PRIOR`` where they only allowed for how machines of its
    type differ, ``PROVISIONAL`` where nobody had declared it normal, empty for none. ``fair`` is
    False where others that the clock drew that day were left out by their verdicts, because bytes
    of their sort were spent.
    """

    turbine: str
    type: str
    boot: str
    t0: float
    dt: float
    channels: list[str]
    values: str
    scores: list[float]
    anomalies: int
    model: ModelRef | None
    reason: Literal["sample", "event"] = "sample"
    violations: list[EventKind] = field(default_factory=list)
    commissioning: str = ""
    fair: bool = True

    @property
    def commissioned(self) -> str:
        """The turbine's own commissioning that the verdicts heeded; empty for none."""
        return "" if self.commissioning in UNDECLARED else self.commissioning


@dataclass(frozen=True, slots=True)
class CaptureBatch:
    """``device/<thing>/capture``, and a line of the lake."""

    thing: str
    site: str
    captures: list[Capture]
    schema: int = SCHEMA


def pack(values: NDArray[np.floating]) -> str:
    """Channels by samples as base64 of deflated little-endian float32."""
    raw = np.ascontiguousarray(values, dtype="<f4").tobytes()
    return base64.b64encode(zlib.compress(raw, 6)).decode("ascii")


def unpack(text: str, channels: int) -> NDArray[np.float32]:
    """What was packed, (channels, samples). Raises ``PayloadError`` ``wrong_fields``."""
    limit = MAX_VALUES * 4
    try:
        inflate = zlib.decompressobj()
        raw = inflate.decompress(base64.b64decode(text, validate=True), limit)
    except (ValueError, zlib.error) as error:
        raise PayloadError("wrong_fields", f"captured values: {error}") from error
    if inflate.unconsumed_tail or not inflate.eof or channels < 1 or len(raw) % (4 * channels):
        raise PayloadError("wrong_fields", f"captured values are not {channels} float32 channels")
    return np.frombuffer(raw, dtype="<f4").reshape(channels, -1).astype(np.float32)

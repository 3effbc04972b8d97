"""Recordings in memory: unbroken stretches of one turbine's samples, with their labels."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gustbed_core.event_kinds import EventKind


@dataclass(frozen=True, slots=True)
class Label:
    """A fault from sample ``start`` to ``stop`` (exclusive) of a recording.

    ``violation`` is what the fault should be accused of, where the dataset knows; ``signals``
    are the channels that it moves, where known.
    """

    fault: str
    start: int
    stop: int
    severity: float = 1.0
    violation: EventKind | None = None
    signals: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recording:
    """An unbroken stretch of one turbine, evenly sampled at its dataset's rate.

    ``values`` is float32 (channels, samples) in the schema's channel order; ``start`` is the
    first sample's time in s. ``labelled`` is False where nobody said what is normal. ``fit`` is
    the number of first samples that may be learnt from, if the dataset says so.
    """

    source: str
    turbine: str
    start: float
    values: NDArray[np.float32]
    labels: tuple[Label, ...] = ()
    labelled: bool = True
    fit: int | None = None

    @property
    def samples(self) -> int:
        """Length of the recording."""
        return int(self.values.shape[1])


@dataclass(frozen=True)
class Part:
    """Samples ``start`` to ``stop`` (exclusive) of a recording: what one role may see of it."""

    recording: Recording
    start: int
    stop: int


@dataclass
class Partition:
    """Who may see what: ``test`` is for evaluation only, and never overlaps the others."""

    train: list[Part] = field(default_factory=list)
    calibrate: list[Part] = field(default_factory=list)
    test: list[Part] = field(default_factory=list)

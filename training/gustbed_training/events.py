"""Counting events from violations over time, with the hysteresis of the edge.

The edge's state machine lives in the edge and training must not import it; this is the same rule
as a pure function over a whole recording.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

OPEN_AFTER = 4
"""Consecutive violating verdicts that open an event."""
CLOSE_AFTER = 10
"""Consecutive normal verdicts that close it."""


@dataclass(frozen=True, slots=True)
class Span:
    """An event: index of the verdict that opened it, and of the one that closed it (or None)."""

    opened: int
    closed: int | None


def events(
    violating: NDArray[np.bool_], open_after: int = OPEN_AFTER, close_after: int = CLOSE_AFTER
) -> list[Span]:
    """Turn one kind's verdicts on one turbine, in order, into events."""
    found: list[Span] = []
    opened: int | None = None
    run = 0
    for i, bad in enumerate(violating.tolist()):
        expected = opened is None
        run = run + 1 if bad is expected else 0
        if opened is None and run == open_after:
            opened, run = i, 0
        elif opened is not None and run == close_after:
            found.append(Span(opened, i))
            opened, run = None, 0
    if opened is not None:
        found.append(Span(opened, None))
    return found

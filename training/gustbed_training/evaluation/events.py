"""Counting events from verdicts over time, with the hysteresis of the edge.

The edge's state machine lives in the edge and training must not import it; these are the same
rules as pure functions over a whole recording.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gustbed_core.package import Decision


@dataclass(frozen=True, slots=True)
class Span:
    """An event: index of the verdict that opened it, and of the one that closed it (or None)."""

    opened: int
    closed: int | None


def runs(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
    """First and last-plus-one index (k, 2) of each stretch of true flags."""
    padded = np.concatenate(([False], flags, [False]))
    return np.flatnonzero(padded[1:] != padded[:-1]).reshape(-1, 2)


def events(violating: NDArray[np.bool_], decision: Decision) -> list[Span]:
    """Turn one kind's verdicts on one turbine, in order, into events."""
    found: list[Span] = []
    opened: int | None = None
    ended = 0
    for start, stop in runs(violating).tolist():
        if opened is not None and start - ended >= decision.close_after:
            found.append(Span(opened, ended + decision.close_after - 1))
            opened = None
        if opened is None and stop - start >= decision.open_after:
            opened = start + decision.open_after - 1
        ended = stop
    if opened is not None:
        lasting = len(violating) - ended < decision.close_after
        found.append(Span(opened, None if lasting else ended + decision.close_after - 1))
    return found


def merged(spans: Iterable[tuple[float, float]]) -> int:
    """How many separate intervals remain when those that touch are taken as one."""
    count, until = 0, -np.inf
    for start, stop in sorted(spans):
        if start > until:
            count += 1
        until = max(until, stop)
    return count

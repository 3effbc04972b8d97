"""Counting events from ratios over time, with the smoothing and hysteresis of the edge.

The edge's state machine lives in the edge and training must not import it; these are the same
rules as pure functions over a whole recording.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from gustbed_protocol.package import Decision


@dataclass(frozen=True, slots=True)
class Span:
    """An event: index of the verdict that opened it, and of the one that closed it (or None)."""

    opened: int
    closed: int | None


def smooth(ratios: NDArray[np.floating], over: int) -> NDArray[np.float32]:
    """Mean of each ratio and those before it, ``over`` in all; of fewer at the very beginning.

    ``ratios`` (verdicts, ...) are those of one recording: what came before it counts for nothing.
    """
    if over <= 1 or not len(ratios):
        return ratios.astype(np.float32)
    result = np.empty(ratios.shape, dtype=np.float32)
    first = min(over - 1, len(ratios))
    for i in range(first):
        result[i] = ratios[: i + 1].mean(axis=0, dtype=np.float64)
    if len(ratios) >= over:
        view = sliding_window_view(ratios, over, axis=0)
        result[first:] = view.mean(axis=-1, dtype=np.float64)
    return result


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

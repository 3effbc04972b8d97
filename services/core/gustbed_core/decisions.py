"""From ratios to events, decided once: smoothing, kinds, hysteresis, events.

Pure functions over arrays. ``n`` verdicts may be one, as an edge has them block by block, or a
whole recording, as training and evaluation have it: what is carried from call to call makes both
the same.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from gustbed_core.event_kinds import EventKind
from gustbed_core.signals import Decision

LIMIT = 1.0
"""A ratio, score over threshold, above this is a violation."""


@dataclass(frozen=True, slots=True)
class MeanHistory:
    """The ratios that the next mean also takes, oldest first.

    ``ratios`` is float32 (streams, length - 1, features), right-aligned: of each stream the last
    ``filled`` rows hold something.
    """

    ratios: NDArray[np.float32]
    filled: NDArray[np.intp]

    @classmethod
    def empty(cls, streams: int, length: int, features: int) -> "MeanHistory":
        """Before the first verdict."""
        before = np.zeros((streams, max(length, 1) - 1, features), dtype=np.float32)
        return cls(before, np.zeros(streams, dtype=np.intp))


@dataclass(frozen=True, slots=True)
class RunCounts:
    """Violating and normal verdicts in a row, and whether an event is open, of each stream."""

    violating: NDArray[np.int64]
    normal: NDArray[np.int64]
    open: NDArray[np.bool_]

    @classmethod
    def zero(cls, shape: int | tuple[int, ...]) -> "RunCounts":
        """Before the first verdict."""
        return cls(
            np.zeros(shape, dtype=np.int64),
            np.zeros(shape, dtype=np.int64),
            np.zeros(shape, dtype=np.bool_),
        )


@dataclass(frozen=True, slots=True)
class Span:
    """An event: index of the verdict that opened it, and of the one that closed it (or None)."""

    opened: int
    closed: int | None


def window_ends(first: int, last: int, window: int, step: int) -> NDArray[np.int64]:
    """Last samples of the windows of ``window`` samples, one each ``step``, in a stretch from
    sample ``first`` to ``last`` (exclusive).
    """
    return np.arange(first + window - 1, last, step, dtype=np.int64)


def moving_mean(
    ratios: NDArray[np.floating], history: MeanHistory, length: int
) -> tuple[NDArray[np.float32], MeanHistory]:
    """Mean of each ratio and those before it, ``length`` in all; of fewer at the very beginning.

    ``ratios`` is (streams, n, features). Summed in double precision from the oldest to the
    newest, so that it does not matter how a recording is cut.
    """
    new = ratios.astype(np.float32, copy=False)
    if length <= 1 or not new.shape[1]:
        return new, history
    known = np.concatenate([history.ratios, new], axis=1)
    latest = sliding_window_view(known, length, axis=1)
    places = np.arange(1, new.shape[1] + 1)
    filled = np.minimum(history.filled[:, None] + places, length)
    # What is before the first verdict is zero and adds nothing.
    sums = latest.sum(axis=-1, dtype=np.float64)
    means = (sums / filled[:, :, None]).astype(np.float32)
    kept = np.minimum(history.filled + new.shape[1], length - 1)
    return means, MeanHistory(known[:, known.shape[1] - (length - 1) :].copy(), kept)


def kind_masks(
    violations: Mapping[EventKind, Iterable[str]], features: Sequence[str]
) -> tuple[tuple[EventKind, ...], NDArray[np.bool_]]:
    """The kinds of event, in order, and which features speak for each: (kinds, features)."""
    kinds = tuple(violations)
    masks = np.zeros((len(kinds), len(features)), dtype=np.bool_)
    for row, kind in enumerate(kinds):
        named = set(violations[kind])
        masks[row] = [name in named for name in features]
    return kinds, masks


def strongest_by_kind(
    ratios: NDArray[np.floating], masks: NDArray[np.bool_]
) -> NDArray[np.floating]:
    """Ratios (…, features) to the largest that speaks for each kind (…, kinds)."""
    masked = np.where(masks, ratios[..., None, :], -np.inf)
    largest: NDArray[np.floating] = masked.max(axis=-1, initial=-np.inf)
    return largest


def violating(scores: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Which scores, or ratios, are a violation."""
    over: NDArray[np.bool_] = scores > LIMIT
    return over


def hysteresis(
    flags: NDArray[np.bool_], counts: RunCounts, decision: Decision
) -> tuple[NDArray[np.bool_], RunCounts]:
    """After which verdicts an event is open: ``open_after`` violating ones in a row open it,
    ``close_after`` normal ones close it.

    ``flags`` is (…, n), in order of time; ``counts`` are those of the verdict before, of shape
    (…). Returns whether an event is open (…, n), and the counts after the last verdict.
    """
    if not flags.shape[-1]:
        return np.zeros(flags.shape, dtype=np.bool_), counts
    on = run_lengths(flags, counts.violating)
    off = run_lengths(~flags, counts.normal)
    opens, closes = on >= decision.open_after, off >= decision.close_after
    before = counts.open[..., None]
    if flags.shape[-1] > 1:
        # No verdict is both, so that the last one to say anything decides.
        says = np.maximum.accumulate(
            np.where(opens | closes, np.arange(1, flags.shape[-1] + 1), 0), axis=-1
        )
        last = np.maximum(says - 1, 0)
        opens = (says > 0) & np.take_along_axis(opens, last, axis=-1)
        closes = (says > 0) & np.take_along_axis(closes, last, axis=-1)
    is_open: NDArray[np.bool_] = opens | (before & ~closes)
    return is_open, RunCounts(on[..., -1], off[..., -1], is_open[..., -1])


def run_lengths(flags: NDArray[np.bool_], before: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many flags in a row are true up to each (…, n); ``before`` (…) is the run so far."""
    if flags.shape[-1] == 1:
        # As the edge has them, block by block and often.
        return np.where(flags, before[..., None] + 1, 0)
    places = np.arange(flags.shape[-1])
    broken = np.maximum.accumulate(np.where(flags, -1, places), axis=-1)
    return np.where(broken >= 0, places - broken, places + 1 + before[..., None])


def spans(is_open: NDArray[np.bool_]) -> list[Span]:
    """The events of one stream (n,): it was closed before the first verdict."""
    edges = np.flatnonzero(np.diff(is_open, prepend=False))
    opened, closed = edges[::2].tolist(), edges[1::2].tolist()
    ends = [*closed, *[None] * (len(opened) - len(closed))]
    return [Span(start, end) for start, end in zip(opened, ends, strict=True)]

"""The verdicts on a part of a recording, beside what its labels say."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gustbed_core.decisions import kind_masks, strongest_by_kind, violating
from gustbed_core.errors import GustbedError
from gustbed_core.event_kinds import EventKind
from gustbed_core.signals import Schema
from gustbed_training.data.partition import Label, Part
from gustbed_training.data.windows import window_ends_of, windows_of
from gustbed_training.detectors.scoring import Scorer, smoothed
from gustbed_training.evaluation.effect_size import Moments, Vector, excursions, moments

_CHUNK = 4096
"""Windows in memory at a time: overlapping windows are many times their recording."""


@dataclass(frozen=True)
class Verdicts:
    """One turbine's verdicts in order of time, n of them.

    ``ends`` are the windows' last samples; ``worst`` the largest smoothed ratio of each;
    ``accused`` which verdicts violate what; ``over`` how many calm verdicts exceed 1, by feature.
    ``faults`` are the labels that a verdict could see, cut to the part; ``excursions`` how far
    each moves the features, and ``normal`` how those vary by themselves. A verdict is ``on`` in a
    fault, ``settling`` for the schema's ``settle_s`` after one or after the state that it left the
    machine in, else calm.
    """

    source: str
    rate_hz: float
    step: int
    settle: int
    ends: NDArray[np.int64]
    worst: NDArray[np.float32]
    accused: dict[EventKind, NDArray[np.bool_]]
    over: dict[str, int]
    faults: tuple[Label, ...]
    on: NDArray[np.bool_]
    settling: NDArray[np.bool_]
    normal: Moments
    excursions: tuple[Vector | None, ...]

    @property
    def calm(self) -> NDArray[np.bool_]:
        """Verdicts on nothing but normal operation."""
        return ~(self.on | self.settling)

    @property
    def violating(self) -> NDArray[np.bool_]:
        """Verdicts that accuse the turbine of anything."""
        return violating(self.worst)

    @property
    def settled(self) -> NDArray[np.bool_]:
        """Calm verdicts after a fault of the recording, once that has settled."""
        first = min((fault.stop for fault in self.faults), default=None)
        return self.calm & (self.ends >= first) if first is not None else np.zeros_like(self.on)

    @property
    def calm_hours(self) -> float:
        """Turbine-hours that false events are counted in."""
        return self.hours(self.calm)

    def hours(self, which: NDArray[np.bool_]) -> float:
        """Turbine-hours of some verdicts."""
        return float(which.sum()) * self.step / self.rate_hz / 3600

    def during(self, fault: Label) -> NDArray[np.bool_]:
        """Which verdicts end within a fault."""
        return (self.ends >= fault.start) & (self.ends < fault.stop)


def judge(schema: Schema, part: Part, score: Scorer) -> Verdicts:
    """Score a part from end to end. Raises ``GustbedError`` for scores that are no numbers."""
    recording = part.recording
    ends = window_ends_of(part, schema)
    raw, newest = _scored(schema, part, score, len(ends))
    ratios = smoothed(raw, schema.decision)
    settle = round(schema.settle_s * schema.sample_rate_hz)
    on = np.zeros(len(ends), dtype=np.bool_)
    after = np.zeros(len(ends), dtype=np.bool_)
    for label in recording.labels:
        on |= (ends >= label.start) & (ends < label.stop)
        after |= (ends >= label.stop) & (ends < _left(schema, part, label) + settle)
    calm = ~(on | after)
    names = schema.feature_names
    faults = tuple(_visible(part, ends))
    return Verdicts(
        source=f"{recording.source} {recording.turbine}",
        rate_hz=schema.sample_rate_hz,
        step=schema.step,
        settle=settle,
        ends=ends,
        worst=ratios.max(axis=1, initial=0.0),
        accused=_accused(schema, ratios),
        over=dict(zip(names, violating(ratios[calm]).sum(axis=0).tolist(), strict=True)),
        faults=faults,
        on=on,
        settling=after & ~on,
        normal=moments(newest[calm]),
        excursions=excursions(faults, ends, newest, calm),
    )


def _left(schema: Schema, part: Part, label: Label) -> int:
    """The sample at which a machine has left what a fault led to; the fault's end if nothing."""
    left = label.stop
    for name, states in schema.aftermath.items():
        if name in schema.channel_names:
            row = part.recording.values[schema.channel_names.index(name), label.stop :]
            others = np.flatnonzero(~np.isin(row, states))
            left = max(left, label.stop + (int(others[0]) if len(others) else len(row)))
    return left


def _accused(schema: Schema, ratios: NDArray[np.float32]) -> dict[EventKind, NDArray[np.bool_]]:
    """Which verdicts (n, features) accuse the turbine of which kind."""
    kinds, masks = kind_masks(schema.violations, schema.feature_names)
    return dict(zip(kinds, violating(strongest_by_kind(ratios, masks)).T, strict=True))


def _scored(
    schema: Schema, part: Part, score: Scorer, count: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Ratios, and the newest sample of each window, both (n, features)."""
    ratios = np.empty((count, len(schema.features)), dtype=np.float32)
    newest = np.empty_like(ratios)
    for first in range(0, count, _CHUNK):
        last = min(first + _CHUNK, count)
        start = part.start + first * schema.step
        stop = part.start + (last - 1) * schema.step + schema.window
        windows = windows_of(Part(part.recording, start, stop), schema)
        ratios[first:last] = score(windows)[1]
        newest[first:last] = windows[:, :, -1]
    _check(schema, part, ratios)
    return ratios, newest


def _check(schema: Schema, part: Part, ratios: NDArray[np.float32]) -> None:
    wrong = np.argwhere(~np.isfinite(ratios))
    if len(wrong):
        verdict, feature = wrong[0]
        sample = part.start + int(verdict) * schema.step + schema.window - 1
        raise GustbedError(
            f"{part.recording.source}: at row {sample} the score of "
            f"{schema.feature_names[feature]} is not a number",
            "fill or cut the gap in the recording, or train the model again",
        )


def _visible(part: Part, ends: NDArray[np.int64]) -> Iterator[Label]:
    for label in part.recording.labels:
        start, stop = max(label.start, part.start), min(label.stop, part.stop)
        if len(ends) and start < stop and start <= ends[-1] and stop > ends[0]:
            yield replace(label, start=start, stop=stop)

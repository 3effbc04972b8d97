"""From blocks to a minute's residuals, and from those to events: a sequential test."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from uuid import uuid4

import numpy as np

from gustbed_core import decisions
from gustbed_core.decisions import MeanHistory, RunCounts
from gustbed_core.event_kinds import SENSOR, EventKind
from gustbed_core.events import AnomalyEvent, ModelRef
from gustbed_core.mirror import PREFIX, Mirrored, MirroredChannel
from gustbed_core.signals import Decision
from gustbed_core.telemetry import Samples
from gustbed_core.turbine_types import TurbineType
from gustbed_twin.filters import Floats

LIMIT_Z = 3.0
"""The mean z of ``DECISION.smooth`` minutes beyond which a sound turbine seldom is: 5.2 of its
standard deviations, were minutes independent."""
DECISION = Decision(open_after=2, close_after=3, smooth=3)

Minute = Callable[[Floats, int], dict[str, MirroredChannel]]
"""The last minute's channels, from readings (channels, samples) and their rate."""


@dataclass
class Buffer:
    """A turbine's last readings without a gap, in the order of ``names``."""

    names: tuple[str, ...]
    needed_s: float
    period_s: float
    blocks: list[Floats] = field(default_factory=list)
    boot: str = ""
    seq: int = -1
    rate_hz: float = 0.0

    def add(self, block: Samples) -> Floats | None:
        """Take a block; what is needed for a minute once it is there, (channels, samples).

        After a gap, or what begins anew, it fills from the start.
        """
        rate = 1.0 / block.dt
        follows = (block.boot, block.seq) == (self.boot, self.seq + 1)
        if not follows or abs(rate - self.rate_hz) > 0.01 * rate:
            self.blocks.clear()
        self.boot, self.seq, self.rate_hz = block.boot, block.seq, rate
        columns = [block.names.index(name) for name in self.names]
        self.blocks.append(block.values[columns])
        samples = sum(each.shape[1] for each in self.blocks)
        if samples < self.needed_s * rate:
            return None
        values = np.concatenate(self.blocks, axis=1)
        self.blocks = [values[:, round(self.period_s * rate) :]]
        return values


@dataclass(frozen=True, slots=True)
class Watched:
    """Whose residuals are judged, and by which twin."""

    site: str
    thing: str
    turbine: str
    model: ModelRef


class Watch:
    """Opens and closes events of one turbine. Of each channel the mean z of some minutes counts."""

    def __init__(self, watched: Watched, kind: TurbineType, channels: tuple[str, ...]) -> None:
        self._watched = watched
        self._channels = channels
        violations = kinds_of(kind, channels)
        self._kinds, self._masks = decisions.kind_masks(violations, channels)
        self._history = MeanHistory.empty(1, DECISION.smooth, len(channels))
        self._counts = RunCounts.zero((len(self._kinds),))
        self._since = [0.0] * len(self._kinds)
        self._open: dict[EventKind, AnomalyEvent] = {}

    def judge(self, minute: Mirrored) -> tuple[Mirrored, list[AnomalyEvent]]:
        """Take a minute; the same as judged, and the events that it opens, raises or closes."""
        z = np.array([[[minute.channels[name].z for name in self._channels]]])
        means, self._history = decisions.moving_mean(z, self._history, DECISION.smooth)
        judged = dict(zip(self._channels, means[0, 0].tolist(), strict=True))
        ratios = np.abs(means[0, 0]) / LIMIT_Z
        scores = decisions.strongest_by_kind(ratios, self._masks)
        flags = decisions.violating(scores)
        before = self._counts
        is_open, self._counts = decisions.hysteresis(flags[:, None], before, DECISION)
        changes = list[AnomalyEvent]()
        for number, kind in enumerate(self._kinds):
            if flags[number] and before.violating[number] == 0:
                self._since[number] = minute.t
            score = round(float(scores[number]), 3)
            changes += self._change(kind, number, bool(is_open[number, 0]), score, ratios, minute.t)
        return self._as_judged(minute, judged), changes

    def _as_judged(self, minute: Mirrored, judged: Mapping[str, float]) -> Mirrored:
        channels = {
            name: replace(channel, judged=round(judged[name], 6))
            for name, channel in minute.channels.items()
        }
        ids = [event.id for event in self._open.values()]
        return replace(minute, channels=channels, limit=LIMIT_Z, open=ids)

    def _change(
        self, kind: EventKind, number: int, is_open: bool, score: float, ratios: Floats, t: float
    ) -> list[AnomalyEvent]:
        known = self._open.get(kind)
        if known is not None and not is_open:
            del self._open[kind]
            return [replace(known, closed=t, change="closed")]
        if not is_open or (known is not None and score <= known.peak_score):
            return []
        if known is not None:
            self._open[kind] = replace(known, peak_score=score, change="updated")
        else:
            order = np.argsort(-ratios)
            signals = [
                self._channels[i] for i in order if ratios[i] > 1.0 and self._masks[number, i]
            ]
            of, name = self._watched, f"{PREFIX}{uuid4().hex}"
            self._open[kind] = AnomalyEvent(
                name, of.site, of.thing, of.turbine, kind, self._since[number], None, score,
                of.model, "opened", signals,
            )  # fmt: skip
        return [self._open[kind]]


def kinds_of(kind: TurbineType, channels: tuple[str, ...]) -> dict[EventKind, tuple[str, ...]]:
    """By kind of event the channels that speak for it, as the type has it for its features."""
    found: dict[EventKind, tuple[str, ...]] = {}
    for channel in channels:
        features = {f.name for f in kind.schema.features if channel in f.channels}
        spoken = [name for name, named in kind.schema.violations.items() if features & set(named)]
        event = spoken[0] if spoken else SENSOR
        found[event] = (*found.get(event, ()), channel)
    return found

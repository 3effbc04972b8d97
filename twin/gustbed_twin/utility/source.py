"""A utility-scale farm as a source of blocks: commands, desired state, reports, ground truth."""

from functools import partial

import numpy as np

from gustbed_core.shadow import Desired, Reported, TrueFault, Truth
from gustbed_core.violations import Violation
from gustbed_twin.checkpoint import Snapshot
from gustbed_twin.filters import Floats
from gustbed_twin.source import Step
from gustbed_twin.utility.assembly import Assembled
from gustbed_twin.utility.checkpoint import Since, save_farm
from gustbed_twin.utility.farm import NO_LIMIT_W
from gustbed_twin.utility.faults import KINDS, channels_of
from gustbed_twin.utility.scenario import fault_refusal

_REPORTED = ("mode", "hold", "trip", "limit", "yaw_offset", "pitch_offset")
_LEVELS = 20
"""Ground truth is published again when a severity has changed by one part in so many."""


class UtilitySource:
    """Gives blocks of ``samples`` samples, for ever; ``names`` are the turbines' own."""

    def __init__(
        self,
        made: Assembled,
        names: tuple[str, ...],
        samples: int,
        since: Since | None = None,
    ) -> None:
        self._timeline, self._farm = made.timeline, made.farm
        self._names = names
        self._samples = samples
        count = len(names)
        self._versions = [0] * count
        self._refusals = [""] * count
        self._shown = np.full((count, len(_REPORTED) + 1), np.nan)
        # Below zero: told once in any case, for what an earlier run said is still retained.
        self._levels = np.full((count, len(KINDS)), -1)
        self._since = dict(since or {})
        self._kind = self._farm.machine.kind.name
        self._channels = self._farm.machine.channels

    def step(self) -> Step:
        """The next block."""
        values = self._timeline.advance(self._samples)
        return Step(values, type=self._kind, names=self._channels)

    def inject(self, position: int, kind: Violation, severity: float, ramp_s: float) -> None:
        """One of the reference systems' injections."""
        self._farm.inject(position, kind.value, severity, ramp_s)

    def clear(self, position: int, kind: Violation | None, ramp_s: float) -> None:
        """Mend one of them, or every fault."""
        self._farm.clear(position, None if kind is None else kind.value, ramp_s)

    def inject_named(
        self, position: int, kind: str, severity: float, ramp_s: float, signal: str
    ) -> str:
        """Let a fault grow; why it is refused, or nothing."""
        refused = fault_refusal(kind, signal, self._channels)
        if not refused:
            self._farm.inject(position, kind, severity, ramp_s, signal)
        return refused

    def clear_named(self, position: int, kind: str | None, ramp_s: float) -> None:
        """Mend one kind of fault, or all."""
        self._farm.clear(position, kind, ramp_s)

    def control(self, position: int, action: str, value: float | None) -> str:
        """Act on a command; why it is refused, or nothing."""
        return self._farm.control(position, action, value)

    def want(self, position: int, desired: Desired) -> None:
        """Take the desired state, field by field; the report says what was refused."""
        asked: list[tuple[str, float | None]] = []
        if desired.run is not None:
            asked.append(("start" if desired.run else "stop", None))
        for action, value in (
            ("curtail", desired.power_limit_kw),
            ("yaw_offset", desired.yaw_offset_deg),
            ("pitch_offset", desired.pitch_offset_deg),
        ):
            if value is not None:
                asked.append((action, value))
        refused = [self._farm.control(position, action, value) for action, value in asked]
        self._refusals[position] = "; ".join(filter(None, refused))
        self._versions[position] = desired.version

    def changed_reports(self) -> list[Reported]:
        """The states that changed since the last call."""
        state = self._farm.turbines.state
        columns = [state[name] for name in _REPORTED]
        now = np.column_stack((*columns, np.array(self._versions, dtype=float)))
        changed = np.flatnonzero((now != self._shown).any(axis=1))
        self._shown = now
        return [self._report(int(position)) for position in changed]

    def changed_truths(self, t: float) -> list[Truth]:
        """What is wrong with turbines where that changed since the last call."""
        severities = self._farm.severities(max(self._farm.sample - 1, 0), 1)[:, :, 0]
        levels = np.ceil(severities * _LEVELS).astype(np.int64)
        changed = np.flatnonzero((levels != self._levels).any(axis=1))
        for position, column in np.argwhere((levels > 0) & (self._levels <= 0)):
            key = (int(position), KINDS[column])
            if key not in self._since or self._levels[position, column] == 0:
                self._since[key] = t
        self._levels = levels
        return [self._truth(int(position), severities[position], t) for position in changed]

    def snapshot(self) -> Snapshot:
        """The farm as of now."""
        return partial(save_farm, self._farm.fork(), since=dict(self._since))

    def _truth(self, position: int, severities: Floats, t: float) -> Truth:
        found = []
        for kind, severity in zip(KINDS, severities, strict=True):
            if severity > 0.0:
                since = self._since.get((position, kind), t)
                channels = [
                    self._channels[each] for each in self._farm.overlay.channels(position, kind)
                ]
                signals = channels or list(channels_of(kind, ""))
                found.append(TrueFault(kind, round(float(severity), 3), since, signals))
        return Truth(self._names[position], t, found)

    def _report(self, position: int) -> Reported:
        state = self._farm.turbines.state[position]
        limit = float(state["limit"])
        return Reported(
            turbine=self._names[position],
            type=self._kind,
            mode=self._farm.modes()[position].name.lower(),
            run=not state["hold"] > 0.0,
            trip=self._farm.trips()[position].name.lower(),
            power_limit_kw=0.0 if limit >= NO_LIMIT_W else limit / 1e3,
            yaw_offset_deg=float(state["yaw_offset"]),
            pitch_offset_deg=float(state["pitch_offset"]),
            version=self._versions[position],
            reason=self._refusals[position],
        )

"""A simulated farm as a source of blocks: commands, desired state, reports, ground truth."""

from dataclasses import replace
from functools import partial

import numpy as np

from gustbed_core.turbine_state import Desired, Reported, TrueFault, Truth
from gustbed_twin.checkpoints.farm import Since, write_state
from gustbed_twin.checkpoints.file import Snapshot
from gustbed_twin.faults.kinds import fault_refusal
from gustbed_twin.filters import Floats
from gustbed_twin.publisher.source import Step
from gustbed_twin.scenarios.build import BuiltFarm

_LEVELS = 20
"""Ground truth is published again when a severity has changed by one part in so many."""


class FarmSource:
    """Gives blocks of ``samples`` samples, for ever; ``names`` are the turbines' own."""

    def __init__(
        self,
        built: BuiltFarm,
        names: tuple[str, ...],
        samples: int,
        since: Since | None = None,
    ) -> None:
        self._timeline, self._farm = built.timeline, built.farm
        self._names = names
        self._samples = samples
        self._kinds = tuple(built.farm.faults)
        count = len(names)
        self._versions = [0] * count
        self._refusals = [""] * count
        self._shown = np.empty((0, 0))
        # Below zero: told once in any case, for what an earlier run said is still retained.
        self._levels = np.full((count, len(self._kinds)), -1)
        self._since = dict(since or {})
        self._type = built.farm.turbine_type

    def step(self) -> Step:
        """The next block."""
        values = self._timeline.advance(self._samples)
        return Step(values, self._type.name, self._type.channel_names)

    def inject(self, position: int, kind: str, severity: float, ramp_s: float, signal: str) -> str:
        """Let a fault grow; why it is refused, or nothing."""
        refused = fault_refusal(self._farm.faults, self._type, kind, signal)
        if not refused:
            self._farm.inject(position, kind, severity, ramp_s, signal)
        return refused

    def clear(self, position: int, kind: str | None, ramp_s: float) -> str:
        """Mend one kind of fault, or all; why it is refused, or nothing."""
        if kind is not None and kind not in self._kinds:
            return "no such kind of fault"
        self._farm.clear(position, kind, ramp_s)
        return ""

    def control(self, position: int, action: str, value: float | None) -> str:
        """Act on a command; why it is refused, or nothing."""
        return self._farm.control(position, action, value)

    def take_desired(self, position: int, desired: Desired) -> str:
        """Take the desired state, field by field; what is refused, as the report says too."""
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
        return self._refusals[position]

    def changed_reports(self) -> list[Reported]:
        """The states that changed since the last call."""
        said = self._farm.said()
        if said is None:
            return []
        now = np.column_stack((said, np.array(self._versions, dtype=float)))
        known = self._shown.shape == now.shape
        changed = np.flatnonzero((now != self._shown).any(axis=1)) if known else range(len(now))
        self._shown = now
        return [self._reported(int(position)) for position in changed]

    def changed_truths(self, t: float) -> list[Truth]:
        """What is wrong with turbines where that changed since the last call."""
        severities = self._farm.severities(max(self._farm.sample - 1, 0), 1)[:, :, 0]
        levels = np.ceil(severities * _LEVELS).astype(np.int64)
        changed = np.flatnonzero((levels != self._levels).any(axis=1))
        for position, column in np.argwhere((levels > 0) & (self._levels <= 0)):
            key = (int(position), self._kinds[column])
            if key not in self._since or self._levels[position, column] == 0:
                self._since[key] = t
        self._levels = levels
        return [self._truth(int(position), severities[position], t) for position in changed]

    def snapshot(self) -> Snapshot:
        """The farm as of now."""
        return partial(write_state, self._type, self._farm.state(), dict(self._since))

    def _reported(self, position: int) -> Reported:
        report = self._farm.reported(position, self._names[position])
        return replace(report, version=self._versions[position], reason=self._refusals[position])

    def _truth(self, position: int, severities: Floats, t: float) -> Truth:
        found = []
        for kind, severity in zip(self._kinds, severities, strict=True):
            if severity > 0.0:
                since = self._since.get((position, kind), t)
                signals = self._farm.fault_signals(position, kind)
                found.append(TrueFault(kind, round(float(severity), 3), since, signals))
        return Truth(self._names[position], t, found)

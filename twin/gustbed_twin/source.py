"""Where blocks come from: a simulation or a recording, behind one interface."""

from dataclasses import dataclass
from functools import partial
from typing import Protocol, runtime_checkable

from gustbed_core.channels import CHANNEL_NAMES
from gustbed_core.shadow import Desired, Reported, Truth
from gustbed_core.telemetry import MINI
from gustbed_core.violations import Violation
from gustbed_twin.checkpoint import Snapshot
from gustbed_twin.farm import Farm
from gustbed_twin.filters import Floats
from gustbed_twin.mini_checkpoint import freeze, write_mini


@dataclass(frozen=True, slots=True)
class Step:
    """One block of every turbine: ``values`` is (turbines, channels, samples).

    ``restarted`` names the turbines, by position, whose signal begins anew with this block.
    """

    values: Floats
    restarted: frozenset[int] = frozenset()
    type: str = MINI
    names: tuple[str, ...] = CHANNEL_NAMES


class Source(Protocol):
    """Anything that the twin can publish."""

    def step(self) -> Step | None:
        """The next block, or None at the end."""

    def inject(self, position: int, kind: Violation, severity: float, ramp_s: float) -> None:
        """Let a fault grow, from the next block on. Raises ``GustbedError`` if it cannot."""

    def clear(self, position: int, kind: Violation | None, ramp_s: float) -> None:
        """Mend one kind of fault, or all. Raises ``GustbedError`` if it cannot."""


@runtime_checkable
class Machines(Source, Protocol):
    """A source whose turbines take commands, have faults of their own and report their state."""

    def control(self, position: int, action: str, value: float | None) -> str:
        """Act on a command; why it is refused, or nothing."""

    def inject_named(
        self, position: int, kind: str, severity: float, ramp_s: float, signal: str
    ) -> str:
        """Let a fault of this type grow; why it is refused, or nothing."""

    def clear_named(self, position: int, kind: str | None, ramp_s: float) -> None:
        """Mend one kind of fault, or all."""

    def want(self, position: int, desired: Desired) -> None:
        """Take the desired state: what can be is done, what is refused is reported."""

    def changed_reports(self) -> list[Reported]:
        """The states that changed since the last call."""

    def changed_truths(self, t: float) -> list[Truth]:
        """What is wrong with turbines where that changed since the last call, at Unix ``t``."""


@runtime_checkable
class Keepable(Source, Protocol):
    """A source whose state can be written, and resumed from."""

    def snapshot(self) -> Snapshot:
        """The state as of now, which what comes later does not touch."""


class Simulation:
    """A farm that gives blocks of ``samples`` samples, for ever."""

    def __init__(self, farm: Farm, samples: int, kind: str = MINI) -> None:
        self._kind = kind
        self._farm = farm
        self._samples = samples
        self.inject = farm.inject
        self.clear = farm.clear

    def step(self) -> Step:
        """The next block."""
        return Step(self._farm.advance(self._samples), type=self._kind)

    def snapshot(self) -> Snapshot:
        """The farm as of now."""
        return partial(write_mini, freeze(self._farm))

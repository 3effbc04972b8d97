"""Where blocks come from: a simulation or a recording, behind one interface."""

from dataclasses import dataclass
from typing import Protocol

from gustbed_protocol.violations import Violation
from gustbed_twin.farm import Farm
from gustbed_twin.filters import Floats


@dataclass(frozen=True, slots=True)
class Step:
    """One block of every turbine: ``values`` is (turbines, channels, samples).

    ``restarted`` names the turbines, by position, whose signal begins anew with this block.
    """

    values: Floats
    restarted: frozenset[int] = frozenset()


class Source(Protocol):
    """Anything that the twin can publish."""

    def step(self) -> Step | None:
        """The next block, or None at the end."""

    def inject(self, position: int, kind: Violation, severity: float, ramp_s: float) -> None:
        """Let a fault grow, from the next block on."""

    def clear(self, position: int, kind: Violation | None, ramp_s: float) -> None:
        """Mend one kind of fault, or all."""


class Simulation:
    """A farm that gives blocks of ``samples`` samples, for ever."""

    def __init__(self, farm: Farm, samples: int) -> None:
        self._farm = farm
        self._samples = samples
        self.inject = farm.inject
        self.clear = farm.clear

    def step(self) -> Step:
        """The next block."""
        return Step(self._farm.advance(self._samples))

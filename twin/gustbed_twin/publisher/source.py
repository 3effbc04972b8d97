"""Where blocks come from: a simulation or a recording, behind one interface."""

from dataclasses import dataclass
from typing import Protocol

from gustbed_twin.filters import Floats


@dataclass(frozen=True, slots=True)
class Step:
    """One block of every turbine: ``values`` is (turbines, channels, samples).

    ``restarted`` names the turbines, by position, whose signal begins anew with this block.
    """

    values: Floats
    type: str
    names: tuple[str, ...]
    restarted: frozenset[int] = frozenset()


class Source(Protocol):
    """Anything that the twin can publish. What it refuses, it says why; otherwise nothing."""

    def step(self) -> Step | None:
        """The next block, or None at the end."""

    def inject(self, position: int, kind: str, severity: float, ramp_s: float, signal: str) -> str:
        """Let a fault grow, from the next block on."""

    def clear(self, position: int, kind: str | None, ramp_s: float) -> str:
        """Mend one kind of fault, or all."""

    def control(self, position: int, action: str, value: float | None) -> str:
        """Act on a command to the machine."""

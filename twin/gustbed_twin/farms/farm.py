"""What a simulated farm can do, whatever its turbines are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

from numpy.typing import NDArray

from gustbed_core.turbine_state import Reported
from gustbed_core.turbine_types import TurbineType
from gustbed_twin.faults.kinds import FaultKind
from gustbed_twin.filters import Floats
from gustbed_twin.wind.request import Wind


@dataclass(frozen=True, slots=True)
class FarmState:
    """Everything of a farm that a file must hold to go on from there, bit for bit."""

    head: dict[str, Any]
    arrays: dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Observation:
    """How the turbines stand, for comparisons; arrays (turbines,).

    ``energy_kwh`` is what they have made so far, None where the physics knows no power.
    """

    energy_kwh: Floats | None
    rotor_rpm: Floats
    gearbox_oil_c: Floats
    modes: tuple[str, ...]


class Farm(Protocol):
    """Simulated turbines, advanced together, block by block.

    ``indices`` are the turbines' numbers in the whole farm, from 0; positions count this farm's
    own. ``sample`` is the number of the next sample.
    """

    seed: int
    indices: tuple[int, ...]
    sample: int
    rate_hz: int
    variation: float
    """How much each turbine differs from its type: constants within 1 ± this."""
    conditions: Any
    faults: Mapping[str, FaultKind]
    """What can go wrong, by kind."""
    blind: bool
    """Whether sensors may be left out, for comparisons."""

    @property
    def turbine_type(self) -> TurbineType:
        """Of all turbines."""

    def advance(self, samples: int) -> Floats:
        """Run for ``samples`` samples: (turbines, channels, samples)."""

    def inject(
        self, position: int, kind: str, severity: float, ramp_s: float, signal: str = ""
    ) -> None:
        """Let a fault grow to ``severity`` (0 to 1) over ``ramp_s`` seconds, from the next sample.

        ``signal`` names the channel of a sensor's fault.
        """

    def clear(self, position: int, kind: str | None, ramp_s: float) -> None:
        """Mend one kind of fault, or all, over ``ramp_s`` seconds."""

    def severities(self, first: int, samples: int) -> Floats:
        """Severity by kind of ``faults``, as felt: (turbines, kinds, samples)."""

    def fault_signals(self, position: int, kind: str) -> list[str]:
        """The channels that a fault of a turbine moves."""

    def control(self, position: int, action: str, value: float | None = None) -> str:
        """Act on a command; what it refuses, and why, or nothing."""

    def report_numbers(self) -> Floats | None:
        """Numbers (turbines, n) that change when what turbines report does; None if they report
        nothing."""

    def reported(self, position: int, turbine: str) -> Reported:
        """What a turbine reports of itself."""

    def change_wind(self, wind: Wind) -> None:
        """Go on in another wind. Raises ``GustbedError`` for what the physics does not know."""

    def observe(self) -> Observation:
        """How the turbines stand now."""

    def fork(self) -> Self:
        """A copy that can be run on without touching this one."""

    def state(self) -> FarmState:
        """The farm as of now, which what comes later does not touch."""

"""What a model of turbines' physics offers: a class for every value of ``physics.model``."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

from gustbed_core.errors import GustbedError
from gustbed_core.settings import turbine_id
from gustbed_core.turbine_types import TurbineType
from gustbed_twin.farms.farm import Farm, FarmState
from gustbed_twin.faults.kinds import FaultKind
from gustbed_twin.shards import shard_of
from gustbed_twin.wind.request import AS_USUAL, Wind


@dataclass(frozen=True, slots=True)
class FarmPlan:
    """What a farm follows from. ``wake`` is ``none``, ``jensen`` or ``gauss``.

    ``rate_hz`` None is the type's own; ``shard`` (i, N) is the part of the farm that is simulated;
    every constant of a turbine is within 1 ± ``variation`` of its type's.
    """

    turbines: int
    seed: int = 42
    wind: Wind = AS_USUAL
    layout: Path | None = None
    wake: str = "none"
    shard: tuple[int, int] = (1, 1)
    rate_hz: int | None = None
    variation: float = 0.0

    @property
    def turbine_ids(self) -> tuple[str, ...]:
        """Names of the whole farm's turbines."""
        return tuple(turbine_id(number) for number in range(self.turbines))

    @property
    def indices(self) -> range:
        """Numbers of this shard's turbines. Raises ``GustbedError`` if there are none."""
        indices = shard_of(self.turbines, self.shard)
        if not indices:
            raise GustbedError(f"shard {self.shard[0]}/{self.shard[1]}: no turbine", "use fewer")
        return indices


class PhysicsModel(Protocol):
    """Turbines of a type, ready to be simulated. Made from a ``TurbineType``, whose ``physics`` it
    checks; raises ``GustbedError`` naming file and key."""

    faults: ClassVar[Mapping[str, FaultKind]]
    """What can go wrong, by kind."""
    fades: ClassVar[bool]
    """Whether a scenario's fault goes as it came, over its ramp."""

    def __init__(self, turbine_type: TurbineType) -> None: ...

    @property
    def turbine_type(self) -> TurbineType:
        """The type."""

    @property
    def ratings(self) -> tuple[float | None, float | None]:
        """Rated power (kW) and rotor diameter (m), where the physics knows them."""

    def rate(self, asked: int | None) -> int:
        """The sample rate for what is asked. Raises ``GustbedError``."""

    def build(self, plan: FarmPlan) -> Farm:
        """A new farm. Raises ``GustbedError`` for what the physics does not know."""

    def restore(self, state: FarmState) -> Farm:
        """A farm that goes on from a state. Raises ``ValueError``, ``KeyError``, ``TypeError``."""

    def command_refusal(self, action: str, value: float | None) -> str:
        """Why a turbine cannot take a command at all, or nothing."""

"""The miniature turbine as a physics model."""

from collections.abc import Mapping
from typing import ClassVar

from gustbed_core.errors import GustbedError
from gustbed_core.turbine_types import TurbineType
from gustbed_twin.farms.farm import FarmState
from gustbed_twin.farms.miniature import MiniatureFarm, wind_config
from gustbed_twin.faults.kinds import FaultKind
from gustbed_twin.faults.miniature import CATALOGUE
from gustbed_twin.physics.model import FarmPlan
from gustbed_twin.turbine.miniature_type import FASTEST_HZ, read_miniature


class Miniature:
    """A laboratory rotor with counted sensors: wind in anemometer rev/s."""

    faults: ClassVar[Mapping[str, FaultKind]] = CATALOGUE
    fades: ClassVar[bool] = True
    ratings = (None, None)

    def __init__(self, turbine_type: TurbineType) -> None:
        self.turbine_type = turbine_type
        self.miniature = read_miniature(turbine_type)

    def rate(self, asked: int | None) -> int:
        """Any that the sensors can be read at."""
        rate = round(self.turbine_type.rate_hz) if asked is None else asked
        if not 1 <= rate <= FASTEST_HZ:
            raise GustbedError(f"{rate} Hz", f"use 1 to {FASTEST_HZ}")
        return rate

    def build(self, plan: FarmPlan) -> MiniatureFarm:
        """A new farm. Raises ``GustbedError``."""
        for name, given in (("layout", plan.layout is not None), ("wake", plan.wake != "none")):
            if given:
                raise GustbedError(f"{name}: type {self.turbine_type.name} takes none", "leave out")
        wind = wind_config(self.miniature, plan.wind)
        return MiniatureFarm(
            self.miniature, plan.seed, plan.indices, wind, self.rate(plan.rate_hz), plan.variation
        )

    def restore(self, state: FarmState) -> MiniatureFarm:
        """A farm that goes on from a state."""
        return MiniatureFarm.restored(self.miniature, state)

    def command_refusal(self, action: str, _value: float | None) -> str:
        """It takes none."""
        return f"this turbine takes no {action}"

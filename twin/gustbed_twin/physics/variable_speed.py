"""Variable-speed, pitch-regulated machines as a physics model."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from gustbed_core.errors import GustbedError
from gustbed_core.turbine_types import TurbineType
from gustbed_twin.farms.farm import FarmState
from gustbed_twin.faults.kinds import FaultKind
from gustbed_twin.faults.variable_speed import CATALOGUE
from gustbed_twin.physics.model import FarmPlan
from gustbed_twin.records import WakeTable
from gustbed_twin.turbine.commands import refusal
from gustbed_twin.turbine.variable_speed import read_variable_speed

if TYPE_CHECKING:
    from gustbed_twin.farms.variable_speed import VariableSpeedFarm

GRID_SPACING = 7.0
"""Rotor diameters between turbines where wakes are asked for and no layout is given."""


class VariableSpeed:
    """Aerodynamics, control, drivetrain, tower, temperatures: wind in m/s at hub height.

    What is compiled is imported when a farm is made: other types need no compiler.
    """

    faults: ClassVar[Mapping[str, FaultKind]] = CATALOGUE
    fades: ClassVar[bool] = False

    def __init__(self, turbine_type: TurbineType) -> None:
        self.turbine_type = turbine_type
        self.variable_speed = read_variable_speed(turbine_type)

    @property
    def ratings(self) -> tuple[float, float]:
        """Rated power (kW) and rotor diameter (m)."""
        physics = self.variable_speed.physics
        return physics.limits.rated_power_kw, physics.geometry.rotor_diameter_m

    def rate(self, asked: int | None) -> int:
        """The type's own."""
        own = self.variable_speed.rate_hz
        if asked not in (None, own):
            raise GustbedError(f"{asked} Hz", f"type {self.turbine_type.name} runs at {own}")
        return own

    def build(self, plan: FarmPlan) -> "VariableSpeedFarm":
        """A new farm. Raises ``GustbedError``."""
        from gustbed_twin.farms.variable_speed import VariableSpeedFarm
        from gustbed_twin.turbine.model import prepare_model
        from gustbed_twin.wind.site import USUAL, conditions_of

        self.rate(plan.rate_hz)
        indices, conditions = plan.indices, conditions_of(plan.wind, USUAL)
        wakes = self._wakes(plan, max(conditions.turbulence, 0.02))
        model = prepare_model(self.variable_speed, conditions.mean)
        return VariableSpeedFarm(
            model, plan.seed, indices, conditions, wakes=wakes, variation=plan.variation
        )

    def restore(self, state: FarmState) -> "VariableSpeedFarm":
        """A farm that goes on from a state."""
        from gustbed_twin.farms.variable_speed import VariableSpeedFarm

        return VariableSpeedFarm.restored(self.variable_speed, state)

    def command_refusal(self, action: str, value: float | None) -> str:
        """An action that is none, or a value out of range."""
        return refusal(action, value)

    def _wakes(self, plan: FarmPlan, turbulence: float) -> WakeTable:
        from gustbed_twin.farms.variable_speed import NO_WAKES
        from gustbed_twin.wake.layouts import grid_for, read_layout

        diameter = self.variable_speed.physics.geometry.rotor_diameter_m
        places = grid_for(plan.turbines, GRID_SPACING * diameter)
        if plan.layout is not None:
            places = read_layout(plan.layout, diameter)
            if len(places) != plan.turbines:
                raise GustbedError(
                    f"{plan.layout}: {len(places)} turbines", f"place {plan.turbines}"
                )
        if plan.wake == "none":
            return NO_WAKES
        from gustbed_twin.wake.table import wake_table

        table = wake_table(self.variable_speed, places, plan.wake, turbulence)
        return table._replace(share=table.share[:, :, list(plan.indices)])

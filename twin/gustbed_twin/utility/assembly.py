"""Puts a farm together: type, shard, wind, layout and wakes."""

from dataclasses import dataclass
from pathlib import Path

from gustbed_core.errors import GustbedError
from gustbed_core.settings import turbine_id
from gustbed_twin.shards import shard_of
from gustbed_twin.turbine_types import UtilityType
from gustbed_twin.utility.farm import NO_WAKES, UtilityFarm
from gustbed_twin.utility.layouts import grid_for, read_layout
from gustbed_twin.utility.machine import make_machine
from gustbed_twin.utility.records import WakeTable
from gustbed_twin.utility.scenario import (
    Change,
    DeliveryPart,
    changes_of,
    conditions_of,
    read_utility_scenario,
)
from gustbed_twin.utility.simulation import Timeline
from gustbed_twin.utility.site import USUAL, Conditions

GRID_SPACING = 7.0
"""Rotor diameters between turbines where wakes are asked for and no layout is given."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a farm follows from. ``wake`` is ``none``, ``jensen`` or ``gauss``."""

    kind: UtilityType
    turbines: int
    seed: int = 42
    conditions: Conditions = USUAL
    scenario: Path | None = None
    layout: Path | None = None
    wake: str = "none"
    shard: tuple[int, int] = (1, 1)

    @property
    def turbine_ids(self) -> tuple[str, ...]:
        """Names of the whole farm's turbines."""
        return tuple(turbine_id(number) for number in range(self.turbines))

    @property
    def indices(self) -> range:
        """Numbers of this shard's turbines."""
        return shard_of(self.turbines, self.shard)


@dataclass(frozen=True, slots=True)
class Assembled:
    """A farm, what happens to it, and how its blocks travel."""

    timeline: Timeline
    delivery: DeliveryPart

    @property
    def farm(self) -> UtilityFarm:
        """The farm itself."""
        return self.timeline.farm

    def resumed(self, farm: UtilityFarm) -> "Assembled":
        """The same with a farm from a checkpoint; what was due before is not done again."""
        timeline = Timeline(farm, self.timeline.changes)
        timeline.skip_past()
        return Assembled(timeline, self.delivery)


def assemble(plan: Plan) -> Assembled:
    """Check everything, then build. Raises ``GustbedError``; nothing is left half-made."""
    if not plan.indices:
        raise GustbedError(f"shard {plan.shard[0]}/{plan.shard[1]}: no turbine", "use fewer")
    channels = tuple(sensor.name for sensor in plan.kind.sensors)
    conditions, changes, delivery = plan.conditions, list[Change](), DeliveryPart()
    if plan.scenario is not None:
        scenario = read_utility_scenario(plan.scenario, plan.turbine_ids, channels)
        conditions = conditions_of(scenario.wind, conditions)
        changes, delivery = changes_of(scenario, plan.turbine_ids), scenario.delivery
    machine = make_machine(plan.kind, conditions.mean)
    wakes = _wakes(plan, conditions)
    farm = UtilityFarm(machine, plan.seed, plan.indices, conditions, wakes=wakes)
    return Assembled(Timeline(farm, changes), delivery)


def _wakes(plan: Plan, conditions: Conditions) -> WakeTable:
    diameter = plan.kind.geometry.rotor_diameter_m
    places = grid_for(plan.turbines, GRID_SPACING * diameter)
    if plan.layout is not None:
        places = read_layout(plan.layout, diameter)
        if len(places) != plan.turbines:
            raise GustbedError(f"{plan.layout}: {len(places)} turbines", f"place {plan.turbines}")
    if plan.wake == "none":
        return NO_WAKES
    from gustbed_twin.utility.wake import wake_table

    table = wake_table(plan.kind, places, plan.wake, max(conditions.turbulence, 0.02))
    return table._replace(share=table.share[:, :, list(plan.indices)])

"""Puts a farm together with what is to happen to it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from gustbed_core.errors import GustbedError
from gustbed_twin.farms.farm import Farm
from gustbed_twin.physics.model import FarmPlan, PhysicsModel
from gustbed_twin.scenarios.scenario import Scenario, changes_of, parse_fault, read_scenario
from gustbed_twin.scenarios.timeline import Timeline


@dataclass(frozen=True, slots=True)
class BuiltFarm:
    """A farm, and the scenario that it follows."""

    timeline: Timeline
    scenario: Scenario

    @property
    def farm(self) -> Farm:
        """The farm itself."""
        return self.timeline.farm

    def resumed(self, farm: Farm) -> "BuiltFarm":
        """The same with a farm from a checkpoint; what was due before is not done again."""
        timeline = Timeline(farm, self.timeline.changes)
        timeline.skip_past()
        return BuiltFarm(timeline, self.scenario)


def build_farm(
    physics: PhysicsModel,
    plan: FarmPlan,
    scenario: Path | None = None,
    faults: Sequence[str] = (),
) -> BuiltFarm:
    """Check everything, then build; a scenario's wind goes before the plan's.

    ``faults`` are further ones, as ``--fault`` gives them. Raises ``GustbedError``; nothing is left
    half-made.
    """
    ids, whole = plan.turbine_ids, Scenario()
    if scenario is not None:
        whole = read_scenario(scenario, physics, ids)
    added = tuple(parse_fault(text, physics, ids) for text in faults)
    whole = msgspec.structs.replace(whole, faults=(*whole.faults, *added))
    changes = changes_of(whole, ids, fades=physics.fades)
    try:
        farm = physics.build(replace(plan, wind=whole.wind.over(plan.wind)))
    except GustbedError as error:
        if scenario is None or not error.what.startswith("wind."):
            raise
        raise GustbedError(f"{scenario}: {error.what}", error.remedy) from error
    return BuiltFarm(Timeline(farm, changes), whole)

"""Datasets of any turbine type, from names and files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gustbed_core.errors import GustbedError
from gustbed_twin.generate import Recipe, open_folder, write_dataset
from gustbed_twin.scenario import Scenario, read_scenario
from gustbed_twin.shards import parse_shard
from gustbed_twin.turbine_types import MiniType, UtilityType, load_type
from gustbed_twin.wind import WindConfig


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for. ``wind`` is in the type's unit: m/s, or anemometer rev/s of the mini."""

    kind: str
    turbines: int
    hours: float
    seed: int = 42
    scenario: Path | None = None
    wind: float | None = None
    turbulence: float | None = None
    layout: Path | None = None
    wake: str = "none"
    shard: str = "1/1"


def write(order: Order, out: Path, *, force: bool) -> dict[str, Any]:
    """Check the order, then write the dataset and return its card. Raises ``GustbedError``."""
    kind = load_type(order.kind)
    if isinstance(kind, MiniType):
        return _mini(order, kind, out, force=force)
    return _utility(order, kind, out, force=force)


def _mini(order: Order, kind: MiniType, out: Path, *, force: bool) -> dict[str, Any]:
    for option, given in (("--layout", order.layout), ("--wake", order.wake != "none"),
                          ("--shard", order.shard != "1/1")):  # fmt: skip
        if given:
            raise GustbedError(f"{option}: not for type {kind.name}", "leave it out")
    scenario = read_scenario(order.scenario) if order.scenario else Scenario()
    wind = WindConfig(
        _first(order.wind, scenario.wind_mean, kind.wind_mean_rps),
        _first(order.turbulence, scenario.turbulence, kind.turbulence),
    )
    recipe = Recipe(
        order.turbines, order.hours, order.seed, wind, tuple(scenario.faults), kind.rate_hz
    )
    open_folder(out, force=force)
    return write_dataset(recipe, out)


def _utility(order: Order, kind: UtilityType, out: Path, *, force: bool) -> dict[str, Any]:
    from gustbed_twin.utility.assembly import Plan, assemble
    from gustbed_twin.utility.dataset import write_utility_dataset
    from gustbed_twin.utility.site import USUAL, Conditions

    conditions = Conditions(
        mean=_first(order.wind, USUAL.mean), turbulence=_first(order.turbulence, USUAL.turbulence)
    )
    plan = Plan(
        kind, order.turbines, order.seed, conditions, order.scenario, order.layout, order.wake,
        parse_shard("--shard", order.shard),
    )  # fmt: skip
    made = assemble(plan)
    open_folder(out, force=force)
    return write_utility_dataset(plan, made, order.hours, out)


def _first(*values: float | None) -> float:
    return next(value for value in values if value is not None)

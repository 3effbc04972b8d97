"""Machines whose constants are hidden, and recordings of them: what a fit must find out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gustbed_core.turbine_types import load_type
from gustbed_twin.farms.miniature import MiniatureFarm
from gustbed_twin.fitting.recorded import Recorded
from gustbed_twin.records import NODES
from gustbed_twin.turbine.miniature_type import read_miniature
from gustbed_twin.turbine.variable_speed import load_variable_speed
from gustbed_twin.wind.miniature import WindConfig
from gustbed_twin.wind.request import Wind
from gustbed_twin.wind.site import Conditions

VARIATION = 0.1
WINDS_RPS = (1.2, 2.15, 3.6)
WINDS_MS = (8.5, 14.0)


@dataclass(frozen=True, slots=True)
class Hidden:
    """A machine: its recordings, and by name the constants that a fit should find."""

    name: str
    recorded: list[Recorded]
    constants: dict[str, float]


def hidden_miniatures(
    seed: int, rows: Sequence[int], minutes: float, winds: Sequence[float] = WINDS_RPS
) -> list[Hidden]:
    """Machines of one farm, recorded for so long in each wind.

    What a fit can find are the constants in the wind as counted (see
    ``gustbed_twin.fitting.miniature``), with the efficiencies that are each machine's own.
    """
    kind = read_miniature(load_type("mini"))
    farm = MiniatureFarm(kind, seed, rows, WindConfig(winds[0]), 20, VARIATION)
    blocks = []
    for wind in winds:
        farm.change_wind(Wind(mean=wind))
        blocks.append(farm.advance(round(minutes * 60 * farm.rate_hz)))
    own, machines = farm.traits, farm.machines
    found = []
    for row, index in enumerate(rows):
        gain = float(machines.anemometer[row])
        constants = {
            "lift": machines.lift[row] * own.efficiency[row] / gain,
            "friction": machines.friction[row] * gain,
            "load": machines.load[row] * gain,
            "inertia": machines.inertia[row] * gain,
            "volts_per_rps": machines.volts_per_rps[row] * own.generator[row],
        }
        recorded = [
            Recorded(Path(f"wind {wind:g}"), block[row], 20.0)
            for wind, block in zip(winds, blocks, strict=True)
        ]
        hidden = {name: float(value) for name, value in constants.items()}
        found.append(Hidden(f"mini {index + 1}", recorded, hidden))
    return found


def hidden_utility(
    seed: int, rows: Sequence[int], minutes: float, winds: Sequence[float] = WINDS_MS
) -> list[Hidden]:
    """NREL 5 MW turbines of one farm, recorded for so long in each wind (m/s)."""
    from gustbed_twin.farms.variable_speed import VariableSpeedFarm
    from gustbed_twin.turbine.model import prepare_model

    kind = load_variable_speed("nrel_5mw")
    conditions = Conditions(mean=winds[0])
    farm = VariableSpeedFarm(prepare_model(kind, 10.0), seed, rows, conditions, variation=VARIATION)
    blocks = []
    for wind in winds:
        farm.change_wind(Wind(mean=wind))
        blocks.append(farm.advance(round(minutes * 60 * farm.rate_hz)))
    found = []
    for row, index in enumerate(rows):
        physics = farm.machines[row].variable_speed.physics
        constants = {
            "air_density_kg_m3": physics.rotor.air_density_kg_m3,
            "inertia_kg_m2": physics.rotor.inertia_kg_m2,
            "losses": 1.0 - physics.drivetrain.efficiency,
            "line_voltage_v": physics.electrical.line_voltage_v,
        }
        for part in NODES:
            node = getattr(physics.thermal, part)
            for name in ("idle_k", "load_k", "time_s"):
                constants[f"{part}.{name}"] = getattr(node, name)
        recorded = [
            Recorded(Path(f"wind {wind:g}"), block[row], float(farm.rate_hz))
            for wind, block in zip(winds, blocks, strict=True)
        ]
        found.append(Hidden(f"nrel {index + 1}", recorded, constants))
    return found

"""Steady states of a type: each wind on a turbine of its own, run until it has settled."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gustbed_twin.farms.variable_speed import VariableSpeedFarm
from gustbed_twin.filters import Floats
from gustbed_twin.records import QUANTITIES
from gustbed_twin.turbine.model import TurbineModel, prepare_model
from gustbed_twin.turbine.variable_speed import VariableSpeedType
from gustbed_twin.wind.site import STEADY

SETTLE_S, MEASURE_S = 1800, 120


@dataclass(frozen=True, slots=True)
class SteadyPoint:
    """One row of a curve."""

    wind_ms: float
    power_kw: float
    rotor_rpm: float
    generator_rpm: float
    pitch_deg: float
    thrust_coefficient: float


def steady_curve(turbine_type: VariableSpeedType, winds: Sequence[float]) -> list[SteadyPoint]:
    """Simulate every wind with the whole machine, control included, until it settles."""
    names = ("active_power", "rotor_speed", "generator_speed", "pitch", "thrust_coefficient")
    means = settled_at(prepare_model(turbine_type), winds, names, SETTLE_S, MEASURE_S)
    return [
        SteadyPoint(float(wind), *map(float, row)) for wind, row in zip(winds, means.T, strict=True)
    ]


def settled_at(
    machine: TurbineModel, winds: Sequence[float], names: Sequence[str], settle_s: int,
    measure_s: int,
) -> Floats:  # fmt: skip
    """Means of true quantities over ``measure_s``, once settled: (names, winds)."""
    conditions = STEADY
    exposure = np.array(winds, dtype=float) / conditions.mean
    farm = VariableSpeedFarm(machine, 0, range(len(winds)), conditions, exposure=exposure)
    farm.blind = True
    farm.advance(settle_s * machine.rate_hz)
    columns = [QUANTITIES.index(name) for name in names]
    rows = []
    for _ in range(measure_s):
        farm.advance(machine.rate_hz)
        rows.append(farm.turbines.quantities[:, columns].copy())
    return np.asarray(np.mean(rows, axis=0).T)

"""Utility-scale turbines that several tests run: their names, their weather, their clock."""

import numpy as np

from gustbed_twin.farms.variable_speed import VariableSpeedFarm
from gustbed_twin.wind.site import Conditions

IDS = ("wt01", "wt02", "wt03")
CALM = Conditions(mean=10.0, turbulence=0.05)


def seconds(farm: VariableSpeedFarm, count: float) -> np.ndarray:
    """Run the farm on for that long; what its sensors read."""
    return farm.advance(round(count * farm.rate_hz))


def channel(farm: VariableSpeedFarm, name: str) -> int:
    """The row of that sensor's readings."""
    return farm.model.channels.index(name)

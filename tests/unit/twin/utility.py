"""Utility-scale turbines that several tests run: their names, their weather, their clock."""

import numpy as np

from gustbed_twin.utility.farm import UtilityFarm
from gustbed_twin.utility.site import Conditions

IDS = ("wt01", "wt02", "wt03")
CALM = Conditions(mean=10.0, turbulence=0.05)


def seconds(farm: UtilityFarm, count: float) -> np.ndarray:
    """Run the farm on for that long; what its sensors read."""
    return farm.advance(round(count * farm.rate_hz))


def channel(farm: UtilityFarm, name: str) -> int:
    """The row of that sensor's readings."""
    return farm.machine.channels.index(name)

"""What the sensors of a variable-speed machine make of the truth, compiled."""

import numpy as np

from gustbed_twin.compiled import compiled
from gustbed_twin.filters import Floats
from gustbed_twin.noise import normal
from gustbed_twin.records import Integers, Records


@compiled
def read_sensors(
    sensors: Records, quantities: Floats, held: Floats, key: np.uint64, now: int, which: Integers
) -> None:
    """Read those of the sensors ``which`` that are due: noise, resolution, range."""
    for channel in which:
        sensor = sensors[channel]
        if sensor.period > 1 and now % sensor.period != 0:
            continue
        value = sensor.gain * quantities[sensor.of] + sensor.offset
        if sensor.noise > 0.0:
            value += sensor.noise * normal(key, now, channel)
        value = np.rint(value * sensor.per_unit) / sensor.per_unit
        held[channel] = min(max(value, sensor.low), sensor.high)

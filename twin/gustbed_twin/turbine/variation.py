"""How much each machine of a farm differs from its type: a factor of its own on every constant.

A turbine's factors follow from the farm's seed and its own number alone: not from how many turbines
there are, nor from which process simulates them, nor from when it was started.
"""

import msgspec

from gustbed_twin.filters import Floats
from gustbed_twin.random_streams import variation_stream
from gustbed_twin.records import NODES
from gustbed_twin.turbine.variable_speed import VariableSpeedPhysics

MOST = 0.3
"""The widest variation that can be asked for."""
MOST_OF_UTILITY = 0.1
"""What a controller that is tuned for the type copes with; a wider one is cut to it."""
_NODE_FIELDS = ("idle_k", "load_k", "time_s")


def factors(seed: int, index: int, variation: float, count: int) -> Floats:
    """Uniform in 1 ± ``variation``, (count,); the first ones do not depend on ``count``."""
    return 1.0 + variation * variation_stream(seed, index).uniform(-1.0, 1.0, count)


def varied_physics(
    physics: VariableSpeedPhysics, seed: int, index: int, variation: float
) -> VariableSpeedPhysics:
    """A utility-scale machine that differs from its type.

    Rotor inertia, air density, losses of the drivetrain (1 - efficiency), line voltage, and of each
    part that warms up its two rises and its time constant.
    """
    bounded = min(variation, MOST_OF_UTILITY)
    drawn = factors(seed, index, bounded, 4 + len(_NODE_FIELDS) * len(NODES))
    inertia, density, losses, voltage = map(float, drawn[:4])
    replace = msgspec.structs.replace
    rotor, drive, electrical = physics.rotor, physics.drivetrain, physics.electrical
    nodes = {}
    for name, three in zip(NODES, drawn[4:].reshape(len(NODES), -1), strict=True):
        node = getattr(physics.thermal, name)
        changed = {
            key: float(getattr(node, key) * factor)
            for key, factor in zip(_NODE_FIELDS, three, strict=True)
        }
        nodes[name] = replace(node, **changed)
    return replace(
        physics,
        rotor=replace(
            rotor,
            inertia_kg_m2=rotor.inertia_kg_m2 * inertia,
            air_density_kg_m3=rotor.air_density_kg_m3 * density,
        ),
        drivetrain=replace(drive, efficiency=1.0 - (1.0 - drive.efficiency) * losses),
        electrical=replace(electrical, line_voltage_v=electrical.line_voltage_v * voltage),
        thermal=replace(physics.thermal, **nodes),
    )

"""The ``physics`` of a miniature's type file, checked key by key."""

from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from gustbed_core.errors import GustbedError
from gustbed_core.legacy import CHANNELS
from gustbed_core.turbine_types import TurbineType
from gustbed_twin.faults.kinds import quantity_of
from gustbed_twin.turbine.corrections import EXACT, Correction, correction_rules
from gustbed_twin.turbine.variable_speed import (
    NotNegative,
    Positive,
    convert_physics,
    type_file,
)

QUANTITIES: tuple[str, ...] = CHANNELS
"""What a miniature measures: the fields of the reference systems' record."""
COUNTED = ("rps", "wind_speed_rps")
CORRECTABLE = (*COUNTED, "voltage", "gearboxtemp", "ambtemp", "humidity", "pressure", "gas")
"""Quantities whose sensors may have a gain and an offset; those that are counted, a gain."""
FASTEST_HZ = 100
_REMEDY = "see physics in gustbed_core/types/mini.yaml"


class Machine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Torque balance, scaled so that damping by the wind has coefficient 1:

    inertia * d(rps)/dt = lift * wind² - friction - rps * (wind + load)
    """

    lift: Positive
    friction: NotNegative
    load: NotNegative
    inertia: Positive
    volts_per_rps: Positive


class MiniaturePhysics(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The miniature turbine: wind in anemometer rev/s, counted sensors.

    ``corrections`` are sensors' own errors by channel; ``follows`` is how far a fitted twin is from
    its turbine: root mean square of a minute's mean, by channel.
    """

    model: Literal["miniature"]
    wind_mean_rps: Positive
    turbulence: Annotated[float, msgspec.Meta(ge=0, le=0.5)]
    machine: Machine
    corrections: dict[str, Correction] = {}
    follows: dict[str, Positive] = {}


@dataclass(frozen=True)
class MiniatureType:
    """A type of turbine with the physics that its file describes.

    ``rows`` are its channels' places in ``QUANTITIES``.
    """

    turbine_type: TurbineType
    physics: MiniaturePhysics
    rows: tuple[int, ...]

    def correction(self, quantity: str) -> Correction:
        """The error of the sensor of a quantity."""
        names = [c.name for c in self.turbine_type.channels if quantity_of(c) == quantity]
        given = self.physics.corrections
        return next((given[name] for name in names if name in given), EXACT)


def read_miniature(turbine_type: TurbineType) -> MiniatureType:
    """Check a type's physics. Raises ``GustbedError`` naming file and key."""
    file = type_file(turbine_type)
    physics = convert_physics(turbine_type.physics, MiniaturePhysics, f"{file}: physics", _REMEDY)
    rate = turbine_type.rate_hz
    if rate != round(rate) or rate > FASTEST_HZ:
        raise GustbedError(f"{file}: rate_hz: {rate:g}", f"a whole number up to {FASTEST_HZ}")
    for number, channel in enumerate(turbine_type.channels):
        if quantity_of(channel) not in QUANTITIES:
            raise GustbedError(
                f"{file}: channels[{number}].of: no quantity {quantity_of(channel)!r}",
                f"one of {', '.join(QUANTITIES)}",
            )
    quantities = {channel.name: quantity_of(channel) for channel in turbine_type.channels}
    known = [name for name, quantity in quantities.items() if quantity in CORRECTABLE]
    counted = [name for name, quantity in quantities.items() if quantity in COUNTED]
    for kept, key, remedy in correction_rules(physics.corrections, known, counted):
        if not kept:
            raise GustbedError(f"{file}: {key}", remedy)
    rows = tuple(QUANTITIES.index(quantity_of(channel)) for channel in turbine_type.channels)
    return MiniatureType(turbine_type, physics, rows)

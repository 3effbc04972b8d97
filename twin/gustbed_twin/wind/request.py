"""What is asked of the wind; what is left out is as usual for the type."""

from typing import Annotated, Literal

import msgspec

NotNegative = Annotated[float, msgspec.Meta(ge=0)]
Mean = Annotated[float, msgspec.Meta(gt=0, le=60)]
Turbulence = Annotated[float, msgspec.Meta(ge=0, le=0.5)]


class Event(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A change of the wind at ``at`` (s): ``eog`` of ``size`` m/s (0: IEC's own), ``ramp`` by
    ``size`` m/s or ``turn`` by ``size`` degrees, over ``over`` seconds."""

    at: NotNegative
    kind: Literal["eog", "ramp", "turn"]
    size: float = 0.0
    over: NotNegative = 0.0


class Wind(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The site's wind: ``mean`` in the type's unit, ``turbulence`` is deviation over mean."""

    mean: Mean | None = None
    turbulence: Turbulence | None = None
    diurnal: Annotated[float, msgspec.Meta(ge=0, le=0.9)] | None = None
    direction: Annotated[float, msgspec.Meta(ge=0, le=360)] | None = None
    direction_spread: Annotated[float, msgspec.Meta(ge=0, le=60)] | None = None
    shear: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    ambient: Annotated[float, msgspec.Meta(ge=-40, le=60)] | None = None
    events: tuple[Event, ...] = ()

    @property
    def given(self) -> dict[str, object]:
        """What is asked for, by name."""
        return {
            name: value
            for name in self.__struct_fields__
            if (value := getattr(self, name)) is not None and value != ()
        }

    def over(self, other: "Wind") -> "Wind":
        """This, and the other's where this asks for nothing."""
        return msgspec.structs.replace(other, **self.given)


AS_USUAL = Wind()
"""Nothing is asked for."""

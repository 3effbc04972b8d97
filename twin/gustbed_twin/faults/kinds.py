"""What a fault is: its cause, and how it moves the quantities that channels measure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gustbed_core.turbine_types import Channel, TurbineType


@dataclass(frozen=True, slots=True)
class FaultKind:
    """``quantities`` maps each affected one to +1 (rises), -1 (falls) or 0 (may change).

    ``any_signal``: it is a sensor's fault, on the channel that the fault names.
    """

    cause: str
    quantities: Mapping[str, int] = field(default_factory=dict)
    any_signal: bool = False

    def signals(self, turbine_type: TurbineType) -> dict[str, int]:
        """The channels of a type that it moves, with their directions."""
        return {
            channel.name: way
            for quantity, way in self.quantities.items()
            for channel in turbine_type.channels
            if quantity_of(channel) == quantity
        }

    def moved(self, turbine_type: TurbineType, signal: str) -> tuple[str, ...]:
        """The channels that it moves, where it is injected on ``signal``."""
        return (signal,) if self.any_signal else tuple(self.signals(turbine_type))


def quantity_of(channel: Channel) -> str:
    """What a channel measures: the quantity that it names, else that of its own name."""
    return channel.of or channel.name


def fault_refusal(
    kinds: Mapping[str, FaultKind], turbine_type: TurbineType, kind: str, signal: str
) -> str:
    """Why a fault cannot be injected, or nothing."""
    if kind not in kinds:
        return "no such kind of fault"
    if kinds[kind].any_signal:
        known = signal in turbine_type.channel_names
        return "" if known else f"signal {signal!r} is not a channel"
    return "it takes no signal" if signal else ""

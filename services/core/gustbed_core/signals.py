"""What turbines of a type measure, and what a model makes of it: said once, for every side."""

from dataclasses import dataclass, field

from gustbed_core.event_kinds import EventKind
from gustbed_core.features import Feature


@dataclass(frozen=True, slots=True)
class ChannelSpec:
    """A sensor channel that features are made of."""

    name: str
    unit: str


@dataclass(frozen=True, slots=True)
class Decision:
    """From ratios to events: how verdicts are smoothed, and how many open and close an event.

    ``smooth`` is the number of verdicts over which ratios are averaged, newest included;
    ``open_after`` violating verdicts in a row open an event, ``close_after`` normal ones close it.
    """

    open_after: int = 4
    close_after: int = 10
    smooth: int = 1


@dataclass(frozen=True, kw_only=True)
class Signals:
    """The signals of a turbine type as a model reads them. ``window`` and ``step`` count samples.

    ``violations`` maps each kind of event to the features that speak for it.
    """

    turbine_type: str
    sample_rate_hz: float
    channels: tuple[ChannelSpec, ...]
    features: tuple[Feature, ...]
    window: int
    step: int
    violations: dict[EventKind, tuple[str, ...]]
    decision: Decision = Decision()

    @property
    def channel_names(self) -> tuple[str, ...]:
        """In the order of a recording's rows, and that ``Engineer`` is to be given."""
        return tuple(channel.name for channel in self.channels)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """In the order of a window's rows, and of a graph's input and outputs."""
        return tuple(feature.name for feature in self.features)

    @property
    def verdicts_per_hour(self) -> float:
        """One verdict per step."""
        return 3600 * self.sample_rate_hz / self.step


@dataclass(frozen=True, kw_only=True)
class Schema(Signals):
    """The signals of a type, and what training and judging know of it besides.

    ``drivers`` names, by feature, the features that drive it; a feature that is not in it may be
    driven by every other one. ``inertia`` names those that also go on from where they were, as a
    rotor does. ``settle_s`` is how long after a fault's end its traces last:
    verdicts of that time count neither way. ``aftermath`` names, by channel, the values that show
    a machine still in what a fault led to, as one that has tripped: it settles after these.
    """

    drivers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    inertia: tuple[str, ...] = ()
    settle_s: float = 0.0
    aftermath: dict[str, tuple[float, ...]] = field(default_factory=dict)

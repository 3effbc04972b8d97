"""What turbines of a type measure, and what a model is to make of it."""

from dataclasses import dataclass, field

from gustbed_core.features import Feature
from gustbed_core.package import ChannelSpec, Decision
from gustbed_core.violations import Violation


@dataclass(frozen=True)
class Schema:
    """The signals of a turbine type. ``window`` and ``step`` count samples.

    ``drivers`` names, by feature, the features that drive it; a feature that is not in it may be
    driven by every other one. ``settle_s`` is how long after a fault's end its traces last:
    verdicts of that time count neither way. ``aftermath`` names, by channel, the values that show
    a machine still in what a fault led to, as one that has tripped: it settles after these.
    """

    turbine_type: str
    sample_rate_hz: float
    channels: tuple[ChannelSpec, ...]
    features: tuple[Feature, ...]
    violations: dict[Violation, tuple[str, ...]]
    window: int
    step: int
    drivers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    decision: Decision = field(default_factory=Decision)
    settle_s: float = 0.0
    aftermath: dict[str, tuple[float, ...]] = field(default_factory=dict)

    @property
    def channel_names(self) -> tuple[str, ...]:
        """In the order of a recording's rows."""
        return tuple(channel.name for channel in self.channels)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """In the order of a window's rows."""
        return tuple(feature.name for feature in self.features)

    @property
    def verdicts_per_hour(self) -> float:
        """One verdict per step."""
        return 3600 * self.sample_rate_hz / self.step

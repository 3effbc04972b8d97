"""A fitted miniature beside a real one, in step by the wind that the real one measures."""

from dataclasses import dataclass

import numpy as np

from gustbed_core.errors import GustbedError
from gustbed_core.mirror import MirroredChannel
from gustbed_twin.filters import Floats
from gustbed_twin.fitting import miniature as fitted
from gustbed_twin.fitting.fit_miniature import channel_name
from gustbed_twin.fitting.measured_wind import MeasuredWind
from gustbed_twin.turbine.miniature_type import MiniatureType
from gustbed_twin.turbine.variable_speed import type_file

AFTER_S = 4
"""The wind of a second is known well once the counts of some seconds after it are."""
PERIOD_S = fitted.SEGMENT_S
NEEDED_S = fitted.BURN_IN_S + PERIOD_S + AFTER_S + 2
"""Of readings, for a minute's residual: burn-in, the minute, what comes after, cut seconds."""
UNKNOWN_SHARE = 0.0005
"""Of what is expected: what constants that are nearly right leave open in winds unlike those that
they were fitted in."""


@dataclass(frozen=True, slots=True)
class MiniatureMirror:
    """``channels`` are the type's names of what is compared, ``spreads`` how far a sound turbine's
    minute is from the twin's."""

    kind: MiniatureType
    twin: fitted.Twin
    channels: tuple[str, ...]
    spreads: Floats

    def minute(self, values: Floats, rate_hz: int) -> dict[str, MirroredChannel]:
        """The last minute of readings (channels, samples), ``NEEDED_S`` or more of them.

        Raises ``GustbedError`` if there is nothing to follow: rotor and anemometer stand still.
        """
        seconds = fitted.seconds_of(values, self.kind, rate_hz)
        last = len(seconds.rps) - AFTER_S
        first = last - fitted.BURN_IN_S - PERIOD_S
        wind = MeasuredWind(
            seconds.wind.speed[first * rate_hz : last * rate_hz],
            seconds.wind.hidden[first * rate_hz : last * rate_hz],
        )
        segments = fitted.cut(
            fitted.Seconds(wind, seconds.rps[first:last], seconds.voltage[first:last], rate_hz)
        )
        measured, expected = (part[:, 0] for part in fitted.minutes(self.twin, segments))
        spreads = np.hypot(self.spreads, UNKNOWN_SHARE * expected)
        residuals = measured - expected
        return {
            name: MirroredChannel(*(round(float(each), 6) for each in row))
            for name, row in zip(
                self.channels,
                np.stack((measured, expected, residuals, residuals / spreads), axis=1),
                strict=True,
            )
        }


def mirror_of(kind: MiniatureType) -> MiniatureMirror:
    """The mirror of a fitted type. Raises ``GustbedError`` for one that does not say how well it
    follows."""
    channels = tuple(channel_name(kind, name) for name in fitted.CHANNELS)
    missing = [name for name in channels if name not in kind.physics.follows]
    if missing:
        raise GustbedError(
            f"{type_file(kind.turbine_type)}: physics.follows: no {missing[0]}",
            "give a type that `gustbed twin fit` wrote",
        )
    spreads = np.array([kind.physics.follows[name] for name in channels])
    return MiniatureMirror(kind, fitted.twin_of(kind), channels, spreads)

"""How well a twin follows recordings that it was not fitted to, channel by channel."""

from dataclasses import dataclass

import numpy as np

from gustbed_twin.filters import Floats

BAND = 1.96
"""Standard deviations on either side of what the twin gives, between which 95 % should lie."""


@dataclass(frozen=True, slots=True)
class Followed:
    """A channel: ``bias`` is measured minus expected, ``rmse`` the root of the mean square, in its
    unit; ``coverage`` the share of readings in the 95 % band. ``rmse_before`` is that of the type
    that the fit began with.
    """

    channel: str
    unit: str
    bias: float
    rmse: float
    coverage: float
    rmse_before: float


def followed(channel: str, unit: str, known: Floats, held_out: Floats, before: Floats) -> Followed:
    """From errors (steps, segments): of what was fitted, of what was held out, by the type's own.

    The band's width comes from what was fitted, so that coverage says whether it holds elsewhere.
    """
    spread = float(np.sqrt(np.mean(np.square(known))))
    return Followed(
        channel,
        unit,
        float(held_out.mean()),
        float(np.sqrt(np.mean(np.square(held_out)))),
        float(np.mean(np.abs(held_out) <= BAND * spread)),
        float(np.sqrt(np.mean(np.square(before)))),
    )

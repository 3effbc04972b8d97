"""The channels that a turbine's card shows, as its type says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gustbed_core.turbine_types import CardReading, TurbineType
from gustbed_dashboard import labels
from gustbed_dashboard.formatting import nice_ceiling
from gustbed_dashboard.site.ring_buffer import resample


@dataclass(frozen=True, slots=True)
class Reading:
    """A channel's newest value, None if it is not recent, and its last minute."""

    shown: CardReading
    unit: str
    value: float | None
    trend: list[float | None]


def readings(
    turbine_type: TurbineType,
    times: NDArray[np.float64],
    columns: Mapping[str, NDArray[np.floating]],
    window: tuple[float, float, int],
    *,
    recent: bool,
) -> list[Reading]:
    """The card's channels from the columns of the last minute; ``window`` is end, seconds, bins."""
    found = []
    for shown in turbine_type.card:
        column = columns.get(shown.channel, np.full(len(times), np.nan))
        value = float(column[-1]) if recent and len(column) and np.isfinite(column[-1]) else None
        unit = labels.unit(shown.channel, turbine_type)
        found.append(Reading(shown, unit, value, resample(times, column, *window)))
    return found


def scale_tops(cards: Sequence[Sequence[Reading]]) -> list[float]:
    """The upper end of one scale for each place on the cards, so that they can be compared."""
    tops = []
    for place in range(max(map(len, cards), default=0)):
        chosen = [card[place] for card in cards if place < len(card)]
        values = [value for reading in chosen for value in reading.trend if value is not None]
        tops.append(nice_ceiling(max(values, default=0.0), chosen[0].shown.floor))
    return tops

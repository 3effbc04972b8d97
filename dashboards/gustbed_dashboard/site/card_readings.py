"""The two channels that a turbine's card shows, whatever its type."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gustbed_core.telemetry import MINI
from gustbed_dashboard import labels
from gustbed_dashboard.formatting import nice_ceiling
from gustbed_dashboard.site.ring_buffer import resample

SHOWN = 2
_FULL_SPIN = 3.0
"""The miniature's revolutions per second at which the drawn rotor turns fastest."""
_WANTED = {
    "Rotor": r"rotor_speed|rotor.*(rpm|speed)",
    "Power": r"active_power|power",
    "Wind": r"wind_?speed|wind",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """How a channel is shown on a card. ``floor`` is the least upper end of its scale."""

    channel: str
    title: str
    unit: str
    decimals: int
    tone: str
    floor: float


@dataclass(frozen=True, slots=True)
class Reading:
    """A channel's newest value, None if it is not recent, and its last minute."""

    shown: Shown
    value: float | None
    trend: list[float | None]


_MINI = (
    Shown("rps", "Rotor", "1/s", 2, "rotor", 2.0),
    Shown("voltage", "Voltage", "count", 0, "voltage", 100.0),
)


def shown(kind: str, names: Sequence[str]) -> tuple[Shown, ...]:
    """What to show of a type: rotor, power or wind where names tell, else what comes first."""
    if kind == MINI:
        return _MINI
    titles: dict[str, str] = {}
    for title, pattern in _WANTED.items():
        match = next((name for name in names if re.search(pattern, name.lower())), None)
        if match is not None:
            titles.setdefault(match, title)
    for name in names[: 2 * SHOWN]:
        titles.setdefault(name, labels.label(name, kind))
    return tuple(
        Shown(name, title, labels.unit(name, kind), 2, tone, 1.0)
        for (name, title), tone in zip(titles.items(), ("rotor", "voltage"), strict=False)
    )


def readings(
    kind: str,
    names: Sequence[str],
    times: NDArray[np.float64],
    columns: Mapping[str, NDArray[np.floating]],
    window: tuple[float, float, int],
    *,
    recent: bool,
) -> list[Reading]:
    """The card's channels from the columns of the last minute; ``window`` is end, seconds, bins."""
    found = []
    for what in shown(kind, names):
        column = columns.get(what.channel, np.full(len(times), np.nan))
        value = float(column[-1]) if recent and len(column) and np.isfinite(column[-1]) else None
        found.append(Reading(what, value, resample(times, column, *window)))
    return found


def top(cards: Sequence[Sequence[Reading]], place: int) -> float:
    """The upper end of one scale for the readings at a place, so that cards can be compared."""
    chosen = [card[place] for card in cards if place < len(card)]
    values = [value for reading in chosen for value in reading.trend if value is not None]
    return nice_ceiling(max(values, default=0.0), chosen[0].shown.floor if chosen else 1.0)


def spin(kind: str, card: Sequence[Reading], highest: float) -> float | None:
    """How fast to draw the rotor, in the miniature's revolutions per second.

    Other types' first reading is taken for its speed, by its share of ``highest``.
    """
    value = card[0].value if card else None
    if value is None or kind == MINI:
        return value
    return _FULL_SPIN * value / highest

"""Turbine types by name: those with a file, and for others what their columns' names tell."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from gustbed_core.event_kinds import KNOWN
from gustbed_core.signals import ChannelSpec, Signals
from gustbed_core.turbine_types import CardReading, TurbineType, from_signals
from gustbed_dashboard import labels

CARD_READINGS = 2
_CACHED = 64
_CARD_CHANNELS = {
    "Rotor": r"rotor_speed|rotor.*(rpm|speed)",
    "Power": r"active_power|power",
    "Wind": r"wind_?speed|wind",
}


class TypeCatalog:
    """Knows every type, one way or the other."""

    def __init__(self, known: Mapping[str, TurbineType]) -> None:
        self._known = dict(known)
        self._guessed: dict[tuple[str, tuple[str, ...]], TurbineType] = {}

    def get(self, name: str, columns: Iterable[str] = ()) -> TurbineType:
        """The type of that name; if it has no file, made from a block's ``columns``."""
        if name in self._known:
            return self._known[name]
        key = (name, tuple(columns))
        if key not in self._guessed:
            if len(self._guessed) >= _CACHED:
                # Names come over the network: memory stays bounded.
                self._guessed.clear()
            self._guessed[key] = type_without_file(*key)
        return self._guessed[key]


def type_without_file(name: str, columns: Sequence[str]) -> TurbineType:
    """A user's import, say: no units, and any kind of event may be found."""
    channels = tuple(ChannelSpec(column, "") for column in columns)
    signals = Signals(
        turbine_type=name,
        sample_rate_hz=1.0,
        channels=channels,
        features=(),
        window=1,
        step=1,
        violations=dict.fromkeys(KNOWN, ()),
    )
    return replace(from_signals(signals), card=_card(columns))


def _card(columns: Sequence[str]) -> tuple[CardReading, ...]:
    """Rotor, power or wind where names tell, else what comes first."""
    titles: dict[str, str] = {}
    for title, pattern in _CARD_CHANNELS.items():
        match = next((name for name in columns if re.search(pattern, name.lower())), None)
        if match is not None:
            titles.setdefault(match, title)
    for name in columns[: 2 * CARD_READINGS]:
        titles.setdefault(name, labels.label(name))
    return tuple(CardReading(*each) for each in list(titles.items())[:CARD_READINGS])

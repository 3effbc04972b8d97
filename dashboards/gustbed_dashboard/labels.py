"""Turbine types, channels, features and event kinds as a person reads them, with their units."""

import re

from gustbed_core.event_kinds import EventKind
from gustbed_core.turbine_types import TurbineType

MAX_NAME = 64
_SYMBOLS = {
    "degC": "°C",
    "deg": "°",
    "rad": "°",  # pages show every angle in degrees
    "m/s2": "m/s²",
    "1": "",
    "%RH": "%",
    "100 kohm": "100 kΩ",
}


def type_label(turbine_type: TurbineType) -> str:
    """A turbine type: ``NREL 5 MW``, or ``My pump`` for a ``my_pump`` that has no file."""
    return turbine_type.label or (capitalized(turbine_type.name) if turbine_type.name else "")


def phrase(name: str, turbine_type: TurbineType | None = None) -> str:
    """A channel or feature inside a sentence: ``gearbox bearing temperature``."""
    given = turbine_type.labels.get(name) if turbine_type is not None else None
    return given or spaced(name)


def label(name: str, turbine_type: TurbineType | None = None) -> str:
    """A channel or feature as a heading: ``Gearbox bearing temperature``."""
    return capitalized(phrase(name, turbine_type))


def kind_label(kind: EventKind) -> str:
    """An event kind: ``Vibration``."""
    return capitalized(kind)


def unit(name: str, turbine_type: TurbineType) -> str:
    """The symbol of a signal's unit, empty where nobody knows it.

    An aggregate has the unit of what it is made of.
    """
    known = turbine_type.unit(name)
    if not known:
        made_of = (each.of[0] for each in turbine_type.aggregates if each.name == name)
        known = turbine_type.unit(next(made_of, ""))
    return _SYMBOLS.get(known, known)


def spaced(name: str) -> str:
    """An identifier as words, at most ``MAX_NAME`` characters of it: ``voltage L1``."""
    words = re.split(r"[\s_]+", name[:MAX_NAME].strip(" _"))
    return " ".join(_word(word) for word in words) or "unnamed"


def capitalized(words: str) -> str:
    """Words or an identifier as a heading."""
    spelled = spaced(words)
    return spelled[:1].upper() + spelled[1:]


def _word(word: str) -> str:
    return word.upper() if re.fullmatch(r"[a-z]\d+", word) else word

"""Turbine types, channels and features as a person reads them, with units where they are known."""

import re

from gustbed_core.channels import CHANNELS
from gustbed_core.features import FEATURES
from gustbed_core.telemetry import MINI

NREL_5MW = "nrel_5mw"
MAX_NAME = 64

_TYPES = {MINI: "Miniature", NREL_5MW: "NREL 5 MW"}
_MINI_WORDS = {
    "wind_speed_rps": "wind",
    "rps": "rotor",
    "gearboxtemp": "gearbox temperature",
    "ambtemp": "ambient temperature",
}
_TOKENS = {"de": "DE", "nde": "NDE", "fa": "fore-aft", "ss": "side-side", "rms": "RMS"}
_SYMBOLS = {"degC": "°C", "deg": "°", "m/s2": "m/s²", "1": "", "%RH": "%", "100 kohm": "100 kΩ"}

_MINI_UNITS = {channel.name: channel.unit for channel in CHANNELS} | {
    f.name: f.unit for f in FEATURES
}
_NREL_UNITS: tuple[tuple[str, str], ...] = (
    ("wind_speed", "m/s"),
    (r"\w+_speed", "rpm"),
    (r"\w*direction\w*|pitch\w*", "deg"),
    ("active_power", "kW"),
    ("reactive_power", "kvar"),
    (r"voltage_\w+", "V"),
    (r"current_\w+", "A"),
    (r"tower_acceleration_\w+", "m/s2"),
    ("drivetrain_vibration", "mm/s"),
    (r"\w+_temperature", "degC"),
    ("hydraulic_pressure", "bar"),
)
"""Blocks carry no units; these are those of the type's file, and a test holds them to it."""


def type_words(kind: str) -> str:
    """A turbine type: ``NREL 5 MW`` for ``nrel_5mw``."""
    return _TYPES.get(kind) or _capital(_spaced(kind))


def phrase(name: str, kind: str = "") -> str:
    """A channel or feature inside a sentence: ``gearbox bearing temperature``."""
    if kind in ("", MINI) and name in _MINI_WORDS:
        return _MINI_WORDS[name]
    return _spaced(name)


def label(name: str, kind: str = "") -> str:
    """A channel or feature as a heading: ``Gearbox bearing temperature``."""
    return _capital(phrase(name, kind))


def unit(name: str, kind: str) -> str:
    """The symbol of a channel's unit for turbines of a type, empty where nobody knows it."""
    if kind == MINI:
        return _symbol(_MINI_UNITS.get(name, ""))
    if kind == NREL_5MW:
        known = (symbol for pattern, symbol in _NREL_UNITS if re.fullmatch(pattern, name))
        return _symbol(next(known, ""))
    return ""


def _symbol(name: str) -> str:
    return _SYMBOLS.get(name, name)


def _spaced(name: str) -> str:
    words = re.split(r"[\s_]+", name[:MAX_NAME].strip(" _"))
    return " ".join(_word(word) for word in words) or "unnamed"


def _word(word: str) -> str:
    if re.fullmatch(r"[a-z]\d+", word):
        return word.upper()
    return _TOKENS.get(word, word)


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]

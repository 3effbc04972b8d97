"""Units as maps may write them: products and quotients of SI units, and what turbines show."""

import re

_BASES = (
    "1", "%", "%RH", "m", "s", "min", "h", "d", "g", "t", "A", "K", "degC", "degF", "mol", "cd",
    "V", "W", "VA", "var", "Hz", "Pa", "bar", "psi", "N", "Nm", "J", "Wh", "Ah", "VAh", "varh",
    "rad", "deg", "rev", "rpm", "rps", "count", "l", "L", "ohm", "F", "H", "T", "Wb", "S", "C",
    "lm", "lx", "dB", "ppm", "ft", "kn", "mph", "gal",
)  # fmt: skip
_PREFIXES = ("", "G", "M", "k", "h", "d", "c", "m", "u", "µ", "n")
_KNOWN = {prefix + base for base in _BASES for prefix in _PREFIXES}
_PARTS = re.compile(r"[/*·. ]+")
_POWER = re.compile(r"\^?-?[0-9]$")


def is_unit(text: str) -> bool:
    """Whether every part of a unit is one that we know, for instance ``m/s2`` or ``l/min``."""
    parts = _PARTS.split(text.strip())
    return bool(text.strip()) and all(
        part in _KNOWN or _POWER.sub("", part) in _KNOWN or part.isdigit() for part in parts
    )

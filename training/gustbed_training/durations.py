"""How long something lasts, in the unit that a person would say it in."""

_UNITS = ((86_400.0, "days"), (3600.0, "h"), (60.0, "min"))
_TWICE = 2


def duration(seconds: float) -> str:
    """``90 s``, ``20 h``: from two of a unit on; no less than what was asked, to three digits."""
    for size, unit in _UNITS:
        if seconds >= _TWICE * size:
            return f"{-(-seconds // (size / 10)) / 10:g} {unit}"
    return f"{seconds:g} s"

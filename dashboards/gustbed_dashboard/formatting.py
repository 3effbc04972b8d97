"""Numbers, times and states as a person reads them."""

import math
from datetime import UTC, datetime, tzinfo

NOTHING = "–"
THIN_SPACE = "\u2009"


def number(value: float | None, decimals: int = 2) -> str:
    """A number or an en dash; large ones lose their decimals, huge ones their digits."""
    if value is None:
        return NOTHING
    if abs(value) >= 1e6:
        return f"{value:.3g}"
    if abs(value) >= 100:
        decimals = 0
    elif abs(value) >= 10:
        decimals = min(decimals, 1)
    shown = f"{value:.{decimals}f}"
    return shown.removeprefix("-") if float(shown) == 0 else shown


def count(value: int) -> str:
    """An integer with thin spaces between thousands."""
    return f"{value:,}".replace(",", THIN_SPACE)


def percent(share: float) -> str:
    """``98.2 %``; what is not quite none or all never says so."""
    if 0 < share < 0.001:
        return "under 0.1 %"
    if 0.999 < share < 1:
        return "over 99.9 %"
    return f"{100 * share:.1f} %"


def duration(seconds: float) -> str:
    """``8 s``, ``3 min``, ``2 h 10 min``."""
    seconds = max(0.0, seconds)
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = int(seconds // 60)
    if minutes < 60:
        return f"{minutes} min {int(seconds % 60):02d} s" if minutes < 10 else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes:02d} min"
    return f"{hours // 24} d"


def stamp(unix: float, zone: tzinfo | None) -> str:
    """``27 Nov 2026, 09:15:02 CET``: a Unix time to the second, in the viewer's zone."""
    return _written(unix, zone, "%-d %b %Y, %H:%M:%S %Z")


def nice_ceiling(value: float, floor: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is at least ``value`` and ``floor``.

    ``floor`` must be above 0. A value that is not finite counts as the floor.
    """
    top = max(value, floor) if math.isfinite(value) else floor
    power = math.floor(math.log10(top))
    candidates = (
        float(f"{step}e{exponent}") for exponent in (power, power + 1) for step in (1, 2, 5)
    )
    return next(candidate for candidate in candidates if candidate >= top)


def sentence(line: str) -> str:
    """A line with a full stop, unless it ends in a mark of its own."""
    return line if line.endswith((".", "?", "!", "…")) else f"{line}."


def moment(unix: float, zone: tzinfo | None) -> str:
    """``27 Nov 2026, 09:15 CET``: a Unix time to the minute, in the viewer's zone."""
    return _written(unix, zone, "%-d %b %Y, %H:%M %Z")


def _written(unix: float, zone: tzinfo | None, pattern: str) -> str:
    try:
        return datetime.fromtimestamp(unix, tz=UTC).astimezone(zone).strftime(pattern)
    except (OverflowError, OSError, ValueError):
        return NOTHING

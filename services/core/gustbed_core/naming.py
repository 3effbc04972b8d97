"""Names in the order in which a person counts."""

import re

_DIGITS = re.compile(r"(\d+)")


def natural(name: str) -> tuple[tuple[int, str], ...]:
    """A sort key that takes the numbers in a name as numbers: wt2 comes before wt10."""
    parts = _DIGITS.split(name)
    # Words stand at even places and numbers at odd ones, so equal places compare alike.
    return tuple((int(part), part) if place % 2 else (0, part) for place, part in enumerate(parts))

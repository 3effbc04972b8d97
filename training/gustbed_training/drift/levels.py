"""How much has changed."""

from collections.abc import Iterable
from enum import StrEnum


class Level(StrEnum):
    """How much has changed. ``unknown``: too little was seen to say."""

    NONE = "none"
    MODERATE = "moderate"
    LARGE = "large"
    UNKNOWN = "unknown"

    @property
    def changed(self) -> bool:
        """Whether anything has, surely."""
        return self in (Level.MODERATE, Level.LARGE)


_BY_WEIGHT = (Level.UNKNOWN, Level.NONE, Level.MODERATE, Level.LARGE)


def largest(levels: Iterable[Level]) -> Level:
    """The largest; ``unknown`` only if nothing else is there."""
    return max(levels, key=_BY_WEIGHT.index, default=Level.UNKNOWN)

"""How a day's bytes of captures are shared out, so that no sort of capture starves another."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

Sort = Literal["calm", "alarmed", "rare", "event"]
"""``event``: around one that opened; ``rare``: of a regime seldom captured so far, whatever the
verdicts; ``alarmed``: drawn by the clock while a verdict was an anomaly; ``calm``: all others.
"""
SORTS: tuple[Sort, ...] = get_args(Sort)
DRAWN: tuple[Sort, ...] = ("calm", "alarmed", "rare")
"""By the clock: together a fair sample, as long as none of them is spent."""
SHARES: Mapping[Sort, float] = {"calm": 0.35, "alarmed": 0.25, "rare": 0.15, "event": 0.25}
"""Of the day's bytes; nobody else may take them."""


@dataclass(frozen=True, slots=True)
class Spent:
    """Bytes of captures on one day (days since 1970, UTC), by sort."""

    day: int = 0
    bytes: dict[Sort, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Of all sorts."""
        return sum(self.bytes.values())

    def of(self, sort: Sort) -> int:
        """Of one sort."""
        return self.bytes.get(sort, 0)

    def plus(self, sort: Sort, size: int) -> "Spent":
        """With another capture."""
        return Spent(self.day, {**self.bytes, sort: self.of(sort) + size})


def sort_of(*, event: bool, rare: bool, anomalies: int) -> Sort:
    """Which budget a capture is taken from."""
    if event:
        return "event"
    if rare:
        return "rare"
    return "alarmed" if anomalies else "calm"


def budget(sort: Sort, max_bytes_per_day: int) -> int:
    """Bytes a day of one sort."""
    return int(SHARES[sort] * max_bytes_per_day)

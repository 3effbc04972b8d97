"""Whether a comparison with other seeds agrees with what an earlier one states."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gustbed_core.errors import GustbedError

COMPARED: tuple[str, ...] = ("vus_pr", "care", "event_recall", "false_per_day", "median_delay_s")
_ROUNDING = 1e-4
"""Figures and bounds are written to four digits."""


@dataclass(frozen=True)
class FigureCheck:
    """One figure of one detector, beside what was stated.

    Without an interval there was one training; the figure is expected to be the same.
    """

    dataset: str
    detector: str
    figure: str
    found: float
    stated: float
    interval: tuple[float, float] | None

    @property
    def within(self) -> bool:
        """Whether the figure lies where it was stated to."""
        low, high = self.interval or (self.stated, self.stated)
        return low - _ROUNDING <= self.found <= high + _ROUNDING


def check_figures(
    rows: Sequence[dict[str, Any]], stated: Sequence[dict[str, Any]]
) -> list[FigureCheck]:
    """Of all figures that both have, in the order of ``rows`` (as ``rows_as_json`` makes them)."""
    earlier = {(row["dataset"], row["detector"]): row for row in stated}
    found: list[FigureCheck] = []
    for row in rows:
        other = earlier.get((row["dataset"], row["detector"]), {})
        for figure in COMPARED:
            mine, theirs = row.get(figure), other.get(figure)
            if mine is None or theirs is None:
                continue
            bounds = other.get(f"{figure}_interval")
            interval = (bounds[0], bounds[1]) if bounds else None
            found.append(
                FigureCheck(row["dataset"], row["detector"], figure, mine, theirs, interval)
            )
    return found


def checks_as_table(found: Sequence[FigureCheck]) -> str:
    """For people: a line for each figure, and how many lie where they were stated to."""
    lines = []
    for one in found:
        low, high = one.interval or (one.stated, one.stated)
        reach = f"{low:.4f} to {high:.4f}" if one.interval else f"{one.stated:.4f}, trained once"
        lines.append(
            f"  {one.dataset:<10} {one.detector:<10} {one.figure:<15} {one.found:>8.4f}"
            f"  {'within' if one.within else 'OUTSIDE'} {reach}"
        )
    within = sum(one.within for one in found)
    lines.append(f"{within} of {len(found)} figures lie within the stated intervals of 95 %")
    return "\n".join(lines)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a ``detection.json``. Raises ``GustbedError`` naming the file."""
    remedy = "name a detection.json that `model compare --write-docs` wrote"
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise GustbedError(f"{path}: {error.strerror}", remedy) from error
    except ValueError as error:
        raise GustbedError(f"{path}: {error}", remedy) from error
    if not isinstance(rows, list) or not all(
        isinstance(row, dict) and {"dataset", "detector"} <= row.keys() for row in rows
    ):
        raise GustbedError(f"{path}: these are no rows of detectors", remedy)
    return rows

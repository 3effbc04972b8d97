"""The key figures of a model, found in its card, so that two models can be held side by side."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

MAX_CARD = 60_000
"""Characters of a card that are shown."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure: how cards call it, how a page does. ``better`` is 1 if more is better, else -1."""

    key: str
    title: str
    unit: str
    better: int
    pattern: str


_EVENT = r"(event[ _-]?wise[ _.-])?"
FIGURES: tuple[Figure, ...] = (
    Figure("vus_pr", "VUS-PR", "", 1, r"vus[ _-]?pr"),
    Figure("care", "CARE", "", 1, r"care\b"),
    Figure("event_recall", "Events found", "", 1, _EVENT + r"(event[ _-])?recall|events? found"),
    Figure("false_per_day", "False events", "/day", -1, _EVENT + r"false([ _-]events?)?[ _-]per"),
    Figure(
        "median_delay_s", "Median delay", "s", -1, _EVENT + r"(median[ _-])?(detection[ _-])?delay"
    ),
    Figure(
        "microseconds_per_window", "Per window", "µs", -1, r"(micro(seconds)?|µs|μs|us)\b.*window"
    ),
)
_NUMBER = re.compile(r"[-+−]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_IMAGE = re.compile(r"!(?=\[)")
_OWN_ROW = re.compile(r"\b(yes|shipped|true)\b|✓|✔|\*\*", re.IGNORECASE)


def key_figures(metrics: Mapping[str, float], card: str | None) -> dict[str, str]:
    """The key figures by ``Figure.key``: from a version's metrics, the rest from its card."""
    found: dict[str, str] = {}
    for name, value in metrics.items():
        _note(name, f"{value:.4g}", found)
    return figures_of(card or "") | found


def figures_of(card: str) -> dict[str, str]:
    """The key figures that a card tells, by ``Figure.key``, as the card writes them.

    Understood are tables of one figure a row, tables of one figure a column (the row that is
    marked as shipped, else the first), and lines of the form ``VUS-PR: 0.93``.
    """
    found: dict[str, str] = {}
    lines = card[:MAX_CARD].splitlines()
    for place, line in enumerate(lines):
        cells = _cells(line)
        if len(cells) > 2 and place + 1 < len(lines) and _is_rule(lines[place + 1]):
            _from_columns(cells, lines[place + 2 :], found)
        elif len(cells) >= 2 and not _is_rule(line):
            _note(cells[0], cells[1], found)
        elif not cells and ":" in line:
            title, value = line.split(":", 1)
            _note(title, value, found)
    return found


def safe_card(card: str) -> str:
    """A card for the page: of bounded length, and nothing in it is fetched from elsewhere."""
    shown = _IMAGE.sub("", card[:MAX_CARD])
    return shown if len(card) <= MAX_CARD else f"{shown}\n\n… the card goes on."


def _cells(line: str) -> list[str]:
    line = line.strip()
    if not line.startswith("|"):
        return []
    return [cell.strip() for cell in line.strip("|").split("|")]


def _is_rule(line: str) -> bool:
    return bool(re.fullmatch(r"[\s|:-]+", line)) and "-" in line


def _from_columns(header: list[str], below: list[str], found: dict[str, str]) -> None:
    rows: list[list[str]] = []
    for line in below:
        cells = _cells(line)
        if not cells:
            break
        if not _is_rule(line):
            rows.append(cells)
    own = next((row for row in rows if any(_OWN_ROW.search(cell) for cell in row)), None)
    for row in [own] if own is not None else rows[:1]:
        for title, value in zip(header, row, strict=False):
            _note(title, value, found)


def _note(title: str, value: str, found: dict[str, str]) -> None:
    name = title.strip(" *`-•").lower()
    for figure in FIGURES:
        if re.match(figure.pattern, name) and figure.key not in found:
            if match := _NUMBER.search(value):
                found[figure.key] = match.group()
            return


def better(figure: Figure, mine: str, other: str) -> int:
    """1 if ``mine`` is the better value, -1 if ``other`` is, 0 if they are equal."""
    first, second = (float(text.replace("−", "-")) for text in (mine, other))
    return ((first > second) - (first < second)) * figure.better

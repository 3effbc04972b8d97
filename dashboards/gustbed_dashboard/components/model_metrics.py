"""The key figures of a model, so that two models can be held side by side."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

MAX_CARD = 60_000
"""Characters of a card that are shown."""
_NUMBER = r"(\d+(?:\.\d+)?)"
_IMAGE = re.compile(r"!(?=\[)")


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure: ``key`` in a manifest's metrics, ``pattern`` where a card tells it.

    ``better`` is 1 if more is better, else -1. Shown is the value times ``scale``.
    """

    key: str
    title: str
    unit: str
    better: int
    pattern: str
    scale: float = 1.0


FIGURES: tuple[Figure, ...] = (
    Figure("vus_pr", "VUS-PR", "", 1, rf"VUS-PR {_NUMBER}"),
    Figure("care", "CARE", "", 1, rf"CARE {_NUMBER}"),
    Figure("event_recall", "Events found", "%", 1, rf"By event:.*?recall {_NUMBER}", 100.0),
    Figure("false_per_day", "False events", "/day", -1, rf"False events:.*: {_NUMBER} per"),
    Figure("median_delay_s", "Median delay", "s", -1, rf"Delay: median {_NUMBER} s"),
    Figure("microseconds_per_window", "Per window", "µs", -1, rf"{_NUMBER} µs per window"),
)


def key_figures(metrics: Mapping[str, float], card: str | None) -> dict[str, str]:
    """The key figures by ``Figure.key``: from a version's metrics, what is missing from its card.

    What neither tells is left out.
    """
    found: dict[str, str] = {}
    for figure in FIGURES:
        if figure.key in metrics:
            found[figure.key] = _short(metrics[figure.key] * figure.scale)
        elif match := re.search(figure.pattern, (card or "")[:MAX_CARD]):
            found[figure.key] = _short(float(match.group(1)) * figure.scale)
    return found


def _short(value: float) -> str:
    """Three figures are what an evaluation is worth."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def safe_card(card: str) -> str:
    """A card for the page: of bounded length, and nothing in it is fetched from elsewhere."""
    shown = _IMAGE.sub("", card[:MAX_CARD])
    return shown if len(card) <= MAX_CARD else f"{shown}\n\n… the card goes on."


def better(figure: Figure, mine: str, other: str) -> int:
    """1 if ``mine`` is the better value, -1 if ``other`` is, 0 if they are equal."""
    first, second = float(mine), float(other)
    return ((first > second) - (first < second)) * figure.better

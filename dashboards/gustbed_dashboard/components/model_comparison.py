"""A shadow model beside the serving one, and key figures, as HTML."""

from collections.abc import Mapping
from dataclasses import dataclass

from gustbed_core.events import Comparison
from gustbed_dashboard.components import verdict_agreement
from gustbed_dashboard.components.html import macro, render
from gustbed_dashboard.components.model_metrics import FIGURES, better
from gustbed_dashboard.components.theme import ACCENT, OK, VIOLET

_NEITHER = "#33404d"


@dataclass(frozen=True, slots=True)
class _Part:
    """One of the four counts."""

    key: str
    word: str
    sentence: str
    count: int
    colour: str


def agreement(comparison: Comparison) -> str:
    """Bars of all verdicts and of those that one calls an anomaly; the four counts and shares."""
    only = comparison.only_shadow
    return render(
        "agreement",
        total=comparison.verdicts,
        either=verdict_agreement.anomalies(comparison),
        both=_Part("both", "Both", "Both call an anomaly", comparison.both, OK),
        neither=_Part("neither", "Neither", "Neither does", comparison.neither, _NEITHER),
        serving=_Part(
            "serving", "Only serving", "Only the serving model", comparison.only_serving, ACCENT
        ),
        shadow=_Part("shadow", "Only shadow model", "Only the shadow model", only, VIOLET),
    )


def figures_beside(serving: Mapping[str, str], shadow: Mapping[str, str]) -> str:
    """Both models' key figures; the better one is marked. Empty if no card tells any."""
    rows = []
    for figure in FIGURES:
        mine, other = serving.get(figure.key), shadow.get(figure.key)
        if mine is None and other is None:
            continue
        winner = better(figure, mine, other) if mine is not None and other is not None else 0
        values = (("serving", ACCENT, mine, winner > 0), ("shadow", VIOLET, other, winner < 0))
        rows.append((figure, values))
    return render("figures_beside", rows=rows) if rows else ""


def figure_tiles(figures: Mapping[str, str]) -> str:
    """Key figures of one model; empty if its card tells none."""
    known = [figure for figure in FIGURES if figure.key in figures]
    return macro("figure_tiles", known, figures) if known else ""

"""A shadow model beside the serving one, and key figures, as HTML."""

from collections.abc import Mapping

from gustbed_core.events import Comparison
from gustbed_dashboard.components import verdict_agreement
from gustbed_dashboard.components.html import macro, render
from gustbed_dashboard.components.model_metrics import FIGURES, better
from gustbed_dashboard.components.theme import ACCENT, OK, VIOLET

_NEITHER = "#33404d"


def agreement(comparison: Comparison) -> str:
    """Bars of all verdicts and of those that one calls an anomaly; the four counts and shares."""
    both = ("both", "Both", "Both call an anomaly", comparison.both, OK)
    neither = ("neither", "Neither", "Neither does", comparison.neither, _NEITHER)
    only_serving = comparison.only_serving
    serving = ("serving", "Only serving", "Only the serving model", only_serving, ACCENT)
    only_shadow = comparison.only_shadow
    shadow = ("shadow", "Only shadow model", "Only the shadow model", only_shadow, VIOLET)
    anomalies = verdict_agreement.anomalies(comparison)
    return render(
        "agreement",
        total=comparison.verdicts,
        bars=(
            ("All verdicts", comparison.verdicts, (neither, both, serving, shadow)),
            ("Called an anomaly by one or both", anomalies, (both, serving, shadow)),
        ),
        parts=(both, neither, serving, shadow),
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

"""What the model says of a turbine, feature by feature."""

from collections.abc import Mapping, Sequence

import numpy as np
import streamlit as st

from gustbed_core.turbine_types import TurbineType
from gustbed_dashboard import formatting, labels
from gustbed_dashboard.components import charts, feature_ranking
from gustbed_dashboard.components.html import box, macro, render
from gustbed_dashboard.components.theme import colours
from gustbed_dashboard.site.snapshot import Condition, TurbineCard
from gustbed_dashboard.site.turbine_buffers import Scores
from gustbed_dashboard.views.page_elements import draw, empty, line_chart, section

BARS, LINES = 8, 6
SCORE_TICKS = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 1000.0, 10_000.0)


def score_row(turbine: TurbineCard, scores: Scores, seconds: int, site: str) -> None:
    """Scores now beside scores over time; of many features the strongest."""
    left, right = st.columns([1, 2], gap="medium")
    highest = feature_ranking.peaks(scores.ratios)
    barred = _remember(f"bars-{site}-{turbine.id}", highest, BARS)
    drawn = _remember(f"lines-{site}-{turbine.id}", highest, LINES)
    current = {
        name: float(scores.ratios[name][-1])
        if len(scores.age) and turbine.score is not None
        else None
        for name in barred
    }
    with left, st.container(border=True, key="panel-bars", height="stretch"):
        section("Score by feature", "1.0 is the threshold")
        draw(bars(current, turbine.type, colours_of(barred, list(highest)), len(highest)))
    with right, st.container(border=True, key="panel-score", height="stretch"):
        few = f"× threshold, the strongest {len(drawn)} of {len(highest)} features"
        every = len(drawn) == len(highest)
        section("Score over time", "× threshold" if every else few)
        if drawn:
            _chart(turbine, scores, drawn, seconds)
        else:
            empty(_no_score(turbine))


def _no_score(turbine: TurbineCard) -> str:
    if turbine.condition is Condition.UNKNOWN:
        label = labels.type_label(turbine.type)
        return (
            f"No model gives a verdict on this turbine. The Models page shows what serves {label}."
        )
    return "No score yet: the first window fills."


def _remember(key: str, highest: Mapping[str, float], count: int) -> list[str]:
    chosen = feature_ranking.strongest(highest, count, st.session_state.get(key, ()))
    st.session_state[key] = chosen
    return chosen


def colours_of(names: Sequence[str], among: Sequence[str]) -> dict[str, str]:
    """Colours for any number of bars; they have names beside them and may share."""
    return {name: colours([name], among)[name] for name in names}


def score_top(scores: Scores) -> float:
    """The upper end of a scale that holds every score."""
    peak = float(np.nanmax(scores.largest, initial=0.0)) if len(scores.largest) else 0.0
    return formatting.nice_ceiling(peak, 2.0)


def score_ticks(top: float) -> tuple[float, ...]:
    """Marks of a score's scale."""
    return tuple(tick for tick in SCORE_TICKS if tick <= top)


def _chart(turbine: TurbineCard, scores: Scores, drawn: Sequence[str], seconds: int) -> None:
    top = score_top(scores)
    label = {name: labels.label(name, turbine.type) for name in drawn}
    paint = colours(drawn, list(scores.ratios))
    chart = charts.LineChart(
        {label[name]: paint[name] for name in drawn},
        "× threshold",
        seconds,
        0.0,
        top,
        thresholds=(1.0,),
        ticks=score_ticks(top),
        height=190 if len(drawn) == len(scores.ratios) else 250,
    )
    named = {label[name]: scores.ratios[name] for name in drawn}
    line_chart(chart, scores.age, named, f"score by feature of {turbine.id}")
    if len(drawn) < len(scores.ratios):
        draw(macro("keys_below", [(paint[name], label[name]) for name in drawn]))


def bars(
    ratios: Mapping[str, float | None],
    turbine_type: TurbineType,
    paint: Mapping[str, str],
    features: int,
) -> str:
    """Each feature's score as a bar, the threshold at its middle."""
    if not ratios:
        return box("gb-sub", "Nothing is scored.")
    shown = [
        (
            name,
            labels.label(name, turbine_type),
            None if ratio is None or not np.isfinite(ratio) else ratio,
            paint[name],
        )
        for name, ratio in ratios.items()
    ]
    long = any(len(label) > 10 for _, label, _, _ in shown)
    return render("score_bars", bars=shown, long=long, more=features - len(ratios))

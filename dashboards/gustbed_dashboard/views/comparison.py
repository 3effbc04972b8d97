"""The shadow model of a turbine type beside the model that serves it."""

from collections.abc import Sequence

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from gustbed_core.events import Comparison
from gustbed_core.turbine_types import TurbineType
from gustbed_dashboard import labels
from gustbed_dashboard.components import charts, model_comparison, verdict_agreement
from gustbed_dashboard.components.html import render
from gustbed_dashboard.components.theme import ACCENT, VIOLET
from gustbed_dashboard.site.client import SiteClient
from gustbed_dashboard.site.snapshot import Condition, SiteSnapshot, TurbineCard
from gustbed_dashboard.site.turbine_buffers import Scores
from gustbed_dashboard.views.page_elements import draw, empty, legend, line_chart
from gustbed_dashboard.views.score_panels import score_ticks, score_top

SECONDS = 120
STEP = 0.5
"""Verdicts of the two models are laid on common times this many seconds apart."""


def comparison(
    turbine_type: TurbineType,
    shadowed: Comparison,
    site: SiteSnapshot,
    client: SiteClient,
    figures: tuple[dict[str, str], dict[str, str]],
) -> None:
    """Counts, key figures, both scores live, and what it all means."""
    serving = site.models.get(turbine_type.name)
    beside = f"{shadowed.model.version} beside {serving.version if serving else 'no model'}"
    with st.container(border=True, key=f"panel-shadow-model-{turbine_type.name}"):
        draw(
            render(
                "shadow_model",
                type_name=turbine_type.name,
                title=f"Shadow model: {labels.type_label(turbine_type)}",
                sub=f"{shadowed.model.name} {beside}",
                meaning=verdict_agreement.meaning(shadowed),
            )
        )
        left, right = st.columns([1, 1.35], gap="medium")
        with left:
            draw(model_comparison.agreement(shadowed))
        with right:
            own = [t for t in site.turbines if t.type.name == turbine_type.name]
            _overlay(turbine_type.name, own, shadowed, client, site.site)
            if both := model_comparison.figures_beside(*figures):
                draw(both)


def _overlay(
    type_name: str,
    turbines: Sequence[TurbineCard],
    shadowed: Comparison,
    client: SiteClient,
    site: str,
) -> None:
    if not turbines:
        empty("No turbine of this type is heard.")
        return
    names = [turbine.id for turbine in turbines]
    worst = next((t.id for t in turbines if t.condition is Condition.ANOMALY), names[0])
    chosen = st.selectbox(
        "Turbine", names, index=names.index(worst), key=f"overlay-{site}-{type_name}"
    )
    mine, other = client.scores(chosen, SECONDS), client.shadow_scores(chosen, SECONDS)
    age, series = common(mine, other, f"Shadow model {shadowed.model.version}")
    colours = dict(zip(series, (ACCENT, VIOLET), strict=True))
    legend("Score", "× threshold", colours, series)
    top = max(score_top(mine), score_top(other))
    chart = charts.LineChart(
        colours,
        "× threshold",
        SECONDS,
        0.0,
        top,
        thresholds=(1.0,),
        ticks=score_ticks(top),
        height=200,
    )
    line_chart(chart, age, series, f"scores of both models on {chosen}")


def common(
    mine: Scores, other: Scores, shadow: str
) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]:
    """Both scores on common times: the largest score of each step, NaN where there is none."""
    steps = int(SECONDS / STEP)
    age = -STEP * np.arange(steps - 1, -1, -1, dtype=np.float64)
    return age, {
        "Serving": _stepped(mine, steps),
        shadow: _stepped(other, steps),
    }


def _stepped(scores: Scores, steps: int) -> NDArray[np.float64]:
    result = np.full(steps, np.nan)
    places = steps - 1 + np.ceil(scores.age / STEP).astype(int)
    kept = (places >= 0) & (places < steps) & np.isfinite(scores.largest)
    np.fmax.at(result, places[kept], scores.largest[kept])
    return result

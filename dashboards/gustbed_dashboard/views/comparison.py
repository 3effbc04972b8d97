"""The challenger of a turbine type beside the model that serves it."""

from collections.abc import Sequence

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from gustbed_core.events import Comparison
from gustbed_dashboard import labels
from gustbed_dashboard.components import charts, html, model_comparison, verdict_agreement
from gustbed_dashboard.components.theme import ACCENT, VIOLET
from gustbed_dashboard.site.client import SiteClient
from gustbed_dashboard.site.snapshot import Condition, SiteSnapshot, TurbineCard
from gustbed_dashboard.site.turbine_buffers import Scores
from gustbed_dashboard.views.line_chart import legend, line_chart
from gustbed_dashboard.views.page_elements import draw
from gustbed_dashboard.views.score_panels import score_ticks, score_top

SECONDS = 120
STEP = 0.5
"""Verdicts of the two models are laid on common times this many seconds apart."""


def comparison(
    kind: str,
    shadowed: Comparison,
    site: SiteSnapshot,
    client: SiteClient,
    figures: tuple[dict[str, str], dict[str, str]],
) -> None:
    """Counts, key figures, both scores live, and what it all means."""
    serving = site.models.get(kind)
    beside = f"{shadowed.model.version} beside {serving.version if serving else 'no model'}"
    title = f"Challenger: {labels.type_words(kind)}"
    with st.container(border=True, key=f"panel-challenger-{kind}"):
        draw(
            f'<div data-challenger="{html.text(kind, 64)}">'
            f"{html.section(title, f'{shadowed.model.name} {beside}')}"
            f'<div class="gb-plain">{verdict_agreement.meaning(shadowed)}</div></div>'
        )
        left, right = st.columns([1, 1.35], gap="medium")
        with left:
            draw(model_comparison.agreement_bars(shadowed))
            draw(f'<div class="gb-scroll">{model_comparison.agreement_table(shadowed)}</div>')
        with right:
            _overlay(kind, [t for t in site.turbines if t.type == kind], shadowed, client)
            if beside := model_comparison.figures_beside(*figures):
                draw(beside)


def _overlay(
    kind: str, turbines: Sequence[TurbineCard], shadowed: Comparison, client: SiteClient
) -> None:
    if not turbines:
        draw('<div class="gb-empty">No turbine of this type is heard.</div>')
        return
    names = [turbine.id for turbine in turbines]
    worst = next((t.id for t in turbines if t.condition is Condition.ANOMALY), names[0])
    chosen = st.selectbox("Turbine", names, index=names.index(worst), key=f"overlay-{kind}")
    mine, other = client.scores(chosen, SECONDS), client.challenger_scores(chosen, SECONDS)
    age, series = common(mine, other, f"Challenger {shadowed.model.version}")
    colours = dict(zip(series, (ACCENT, VIOLET), strict=True))
    legend("Score", "× threshold", colours, series)
    top = max(score_top(mine), score_top(other))
    chart = charts.LineChart(
        colours,
        "× threshold",
        SECONDS,
        0.0,
        top,
        threshold=1.0,
        ticks=score_ticks(top),
        height=200,
    )
    line_chart(chart, age, series, f"scores of both models on {chosen}")


def common(
    mine: Scores, other: Scores, challenger: str
) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]:
    """Both scores on common times: the largest score of each step, NaN where there is none."""
    steps = int(SECONDS / STEP)
    age = -STEP * np.arange(steps - 1, -1, -1, dtype=np.float64)
    return age, {
        "Serving": _stepped(mine, steps),
        challenger: _stepped(other, steps),
    }


def _stepped(scores: Scores, steps: int) -> NDArray[np.float64]:
    result = np.full(steps, np.nan)
    places = steps - 1 + np.ceil(scores.age / STEP).astype(int)
    kept = (places >= 0) & (places < steps) & np.isfinite(scores.largest)
    np.fmax.at(result, places[kept], scores.largest[kept])
    return result

"""A turbine beside its fitted twin: what each channel should read, and how far off it is."""

import streamlit as st

from gustbed_dashboard import labels
from gustbed_dashboard.components import charts, mirror
from gustbed_dashboard.components.theme import FAINT, PALETTE
from gustbed_dashboard.formatting import nice_ceiling
from gustbed_dashboard.site.mirror_log import KEPT_SECONDS, STALE_AFTER, MirrorHistory
from gustbed_dashboard.site.snapshot import SiteSnapshot, TurbineCard
from gustbed_dashboard.views import resources
from gustbed_dashboard.views.page_elements import draw, legend, line_chart, section

CHARTS_IN_A_ROW = 3
MEASURED, EXPECTED = "measured", "expected"
_COLOURS = {EXPECTED: FAINT, MEASURED: PALETTE[0]}
_SECONDS = int(KEPT_SECONDS)


def mirror_panel(turbine: TurbineCard, site: SiteSnapshot, history: MirrorHistory | None) -> None:
    """How it stands, its channels and their residuals; nothing where no mirror was heard."""
    if history is None:
        return
    section("Mirror", "beside a twin that was fitted to this turbine")
    zone = resources.viewer_zone()
    draw(mirror.panel(turbine.id, turbine.type, history, site.events, site.now, zone))
    columns = st.columns(min(CHARTS_IN_A_ROW, len(history.judged) + 1), gap="medium")
    for place, name in enumerate([*history.measured, None]):
        with columns[place % len(columns)], st.container(border=True, key=f"panel-mirror-{place}"):
            if name is None:
                _judged(turbine, history)
            else:
                _channel(turbine, history, name)


def _channel(turbine: TurbineCard, history: MirrorHistory, name: str) -> None:
    # What is measured is drawn last: a line on the band of what is expected.
    series = {EXPECTED: history.expected[name], MEASURED: history.measured[name]}
    title, unit = labels.label(name, turbine.type), labels.unit(name, turbine.type)
    legend(title, unit, _COLOURS, series, live=not history.stale)
    low, high = charts.fitted_domain(list(series.values()))
    chart = charts.LineChart(
        _COLOURS, unit or "value", _SECONDS, low, high, points=True, broad=(EXPECTED,),
        gap=STALE_AFTER,
    )  # fmt: skip
    line_chart(
        chart, history.age, series, f"{title} of {turbine.id}, minute means: measured and expected"
    )


def _judged(turbine: TurbineCard, history: MirrorHistory) -> None:
    series = {labels.label(name, turbine.type): values for name, values in history.judged.items()}
    colours = dict(zip(series, PALETTE[3:] + PALETTE[:3], strict=False))
    limit = history.limit
    sub = "z" + (f", limit ± {limit:g}" if limit else "")
    legend("Residual", sub, colours, series, live=not history.stale)
    top = nice_ceiling(1.5 * (limit or 0.0), 1.0)
    low, high = charts.domain(list(series.values()), -top, top, top)
    limits = (-limit, limit) if limit else ()
    chart = charts.LineChart(
        colours, "z", _SECONDS, low, high, thresholds=limits, points=True, gap=STALE_AFTER
    )
    line_chart(
        chart,
        history.age,
        series,
        f"residual of {turbine.id} by channel, in z, mean of the last minutes",
    )

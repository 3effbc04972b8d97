"""A turbine's signals: a few charts, or all at a glance and charts by family."""

from collections.abc import Mapping, Sequence

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from gustbed_core.turbine_types import TurbineType
from gustbed_dashboard import labels
from gustbed_dashboard.components import channel_groups, charts
from gustbed_dashboard.components.channel_groups import OTHER, Chart
from gustbed_dashboard.components.html import render
from gustbed_dashboard.components.theme import PALETTE
from gustbed_dashboard.site.ring_buffer import resample
from gustbed_dashboard.site.signals import SignalHistory
from gustbed_dashboard.views.page_elements import draw, legend, line_chart, newest

OVERVIEW = "All signals"
OVERVIEW_BINS = 60
FEW_CHARTS = 6
"""A type with at most as many, what belongs to no family apart, shows them without being asked."""


def signal_panels(signals: SignalHistory, key: str, seconds: int, alarmed: list[str]) -> None:
    """What the viewer chose: one family's charts, or everything; ``alarmed`` ones are marked.

    ``key`` names the turbine of which the choice is.
    """
    found = channel_groups.families(list(signals.values), signals.turbine_type)
    chosen = st.pills(
        "Signals",
        [OVERVIEW, *found],
        default=OVERVIEW,
        required=True,
        label_visibility="collapsed",
        key=f"family-{key}",
    )
    if chosen in found:
        _charts(channel_groups.charts(found[chosen], signals.turbine_type), signals, seconds)
        return
    few = few_charts(found, signals.turbine_type)
    if few:
        _charts(few, signals, seconds)
        found = {OTHER: found.get(OTHER, [])}
    draw(overview(found, signals, seconds, alarmed))


def few_charts(families: Mapping[str, Sequence[str]], turbine_type: TurbineType) -> Sequence[Chart]:
    """The charts of all families but ``OTHER``, none if they are more than ``FEW_CHARTS``."""
    found = [
        chart
        for title, names in families.items()
        if title != OTHER
        for chart in channel_groups.charts(names, turbine_type)
    ]
    return found if len(found) <= FEW_CHARTS else ()


def _charts(found: Sequence[Chart], signals: SignalHistory, seconds: int) -> None:
    """Two beside each other."""
    columns = st.columns(2, gap="medium")
    for place, chart in enumerate(found):
        with columns[place % 2], st.container(border=True, key=f"panel-group-{place}"):
            _chart(chart, signals, seconds)


def _chart(chart: Chart, signals: SignalHistory, seconds: int) -> None:
    short = channel_groups.short_labels(chart.signals, signals.turbine_type)
    colours = dict(zip(short, PALETTE, strict=False))
    series = {word: signals.values[name] for word, name in zip(short, chart.signals, strict=True)}
    legend(chart.title, chart.unit, colours, series, live=signals.live)
    low, high = charts.fitted_domain(list(series.values()))
    drawn = charts.LineChart(colours, chart.unit or "value", seconds, low, high)
    line_chart(drawn, signals.age, series, chart.title)


def overview(
    families: Mapping[str, Sequence[str]],
    signals: SignalHistory,
    seconds: int,
    alarmed: Sequence[str],
) -> str:
    """Every signal as its newest value and a small line."""
    cells = {
        title: [_cell(name, signals, seconds, alarmed=name in alarmed) for name in names]
        for title, names in families.items()
        if names
    }
    return render("signal_overview", families=cells, seconds=seconds)


def _cell(name: str, signals: SignalHistory, seconds: int, *, alarmed: bool) -> dict[str, object]:
    values: NDArray[np.floating] = signals.values[name]
    whole = len(values) > 0 and bool(np.all(values == np.round(values)))
    low, high = charts.fitted_domain([values])
    return {
        "name": name,
        "label": labels.label(name, signals.turbine_type),
        "unit": labels.unit(name, signals.turbine_type),
        "value": newest(values) if signals.live else None,
        "decimals": 0 if whole else 2,
        "trend": resample(signals.age, values, 0.0, seconds, OVERVIEW_BINS),
        "low": low,
        "high": high,
        "alarmed": alarmed,
    }

"""A turbine's signals: fixed charts for the miniature, for other types what their names tell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st

from gustbed_dashboard import formatting, labels
from gustbed_dashboard.components import channel_groups, charts, html, svg
from gustbed_dashboard.components.theme import PALETTE, SERIES
from gustbed_dashboard.site.ring_buffer import resample
from gustbed_dashboard.site.signals import Signals
from gustbed_dashboard.views.line_chart import legend, line_chart
from gustbed_dashboard.views.page_elements import draw

OVERVIEW = "All signals"
OVERVIEW_BINS = 60


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart of the miniature: channel by legend word, and the domain that it never leaves."""

    title: str
    unit: str
    lines: Mapping[str, str]
    low: float
    high: float
    step: float
    decimals: int = 2


PANELS: tuple[Panel, ...] = (
    Panel("Wind and rotor", "1/s", {"wind": "wind_speed_rps", "rotor": "rps"}, 0, 4, 2),
    Panel("Generator voltage", "count", {"voltage": "voltage"}, 0, 100, 50, 0),
    Panel("Attitude", "°", {"roll": "roll", "pitch": "pitch", "yaw": "yaw"}, -5, 5, 5),
    Panel("Vibration", "count", {"vibration": "vibration"}, 0, 200, 200, 0),
    Panel("Temperature", "°C", {"gearbox": "gearboxtemp", "ambient": "ambtemp"}, 0, 60, 20, 1),
)


def miniature(panel: Panel, signals: Signals, seconds: int) -> None:
    """One of ``PANELS``."""
    none = np.full(len(signals.age), np.nan)
    series = {
        word.capitalize(): signals.values.get(name, none) for word, name in panel.lines.items()
    }
    colours = {word.capitalize(): SERIES[word] for word in panel.lines}
    legend(panel.title, panel.unit, colours, series, panel.decimals)
    low, high = charts.domain(list(series.values()), panel.low, panel.high, panel.step)
    chart = charts.LineChart(colours, panel.unit, seconds, low, high)
    line_chart(chart, signals.age, series, panel.title)


def choose(names: Sequence[str], turbine: str) -> str:
    """Let the viewer pick a family of signals, or all at a glance."""
    options = [OVERVIEW, *channel_groups.families(names)]
    chosen = st.pills(
        "Signals",
        options,
        default=OVERVIEW,
        required=True,
        label_visibility="collapsed",
        key=f"family-{turbine}",
    )
    return chosen or OVERVIEW


def family(title: str, signals: Signals, seconds: int) -> None:
    """The charts of one family, two beside each other."""
    names = channel_groups.families(signals.values).get(title, [])
    columns = st.columns(2, gap="medium")
    for place, group in enumerate(channel_groups.groups(names, signals.type)):
        with columns[place % 2], st.container(border=True, key=f"panel-group-{place}"):
            _group(group, signals, seconds)


def _group(group: channel_groups.Group, signals: Signals, seconds: int) -> None:
    short = channel_groups.short_labels(group.channels, signals.type)
    colours = dict(zip(short, PALETTE, strict=False))
    series = {word: signals.values[name] for word, name in zip(short, group.channels, strict=True)}
    legend(group.title, group.unit, colours, series)
    low, high = charts.fitted_domain(list(series.values()))
    chart = charts.LineChart(colours, group.unit or "value", seconds, low, high)
    line_chart(chart, signals.age, series, group.title)


def overview(signals: Signals, seconds: int, alarmed: Sequence[str]) -> None:
    """Every signal as its newest value and a small line; ``alarmed`` ones are marked."""
    rows = []
    for title, names in channel_groups.families(signals.values).items():
        cells = "".join(_cell(name, signals, seconds, alarmed=name in alarmed) for name in names)
        rows.append(
            f'<div class="gb-family"><div class="gb-name">{title}</div>'
            f'<div class="gb-multiples">{cells}</div></div>'
        )
    draw(f'<div class="gb-families">{"".join(rows)}</div>')


def _cell(name: str, signals: Signals, seconds: int, *, alarmed: bool) -> str:
    values = signals.values[name]
    full = labels.label(name, signals.type)
    # Its family says that it is one.
    label = html.text(full.removesuffix(" temperature"), labels.MAX_NAME)
    newest = float(values[-1]) if len(values) and np.isfinite(values[-1]) else None
    whole = len(values) > 0 and bool(np.all(values == np.round(values)))
    low, high = charts.fitted_domain([values])
    line = svg.sparkline(
        resample(signals.age, values, 0.0, seconds, OVERVIEW_BINS),
        high,
        css="",
        label=f"{label} over the last {seconds} s",
        bottom=low,
    )
    tone, mark = ("gb-alarm", svg.icon("alert")) if alarmed else ("gb-accent", "")
    return (
        f'<div class="gb-multiple {tone}" data-channel="{html.text(name, labels.MAX_NAME)}"'
        f' data-alarmed="{str(alarmed).lower()}">'
        f'<span class="gb-label" title="{html.text(full)}">{mark}{label}</span>'
        f'<span class="gb-value">{formatting.number(newest, 0 if whole else 2)}'
        f'<span class="gb-unit">{labels.unit(name, signals.type)}</span></span>{line}</div>'
    )

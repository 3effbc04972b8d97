"""One turbine: its signals, its score by feature, its events."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from gustbed_dashboard import charts, markup, resources, words
from gustbed_dashboard.signals import Signals
from gustbed_dashboard.snapshot import SiteSnapshot, TurbineCard
from gustbed_dashboard.theme import FEATURE_COLOURS, FEATURE_WORDS, SERIES
from gustbed_dashboard.views.common import banners, draw, problems
from gustbed_dashboard.views.faultform import fault_form
from gustbed_protocol.features import FEATURE_NAMES

PERIODS = {"1 min": 60, "2 min": 120, "5 min": 300}
MAX_PILLS = 12
EVENTS_SHOWN = 8
SCORE_TICKS = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 1000.0, 10_000.0)


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart of signals: channel by legend word, and the domain that it never leaves."""

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


def page() -> None:
    """The turbine page; ``?turbine=wt03`` opens it on that turbine."""
    names = [turbine.id for turbine in resources.hub().snapshot().turbines]
    left, middle, right = st.columns([6, 2.2, 1.6], vertical_alignment="center")
    with left:
        turbine = _choose(names)
    with middle:
        period = st.segmented_control(
            "Period", list(PERIODS), default="2 min", label_visibility="collapsed", required=True
        )
    if turbine is None:
        draw('<div class="gb-empty">Waiting for the edge to name its turbines…</div>')
        return
    with right, st.popover("Inject a fault", icon=":material/bolt:", width="stretch"):
        fault_form([turbine], key="turbine-fault")
    _live(turbine, PERIODS[period or "2 min"])


def _choose(names: list[str]) -> str | None:
    if not names:
        return None
    wanted = st.query_params.get("turbine")
    if wanted not in names and wanted is not None:
        st.query_params.pop("turbine")
    chosen: str | None
    if len(names) <= MAX_PILLS:
        chosen = st.segmented_control(
            "Turbine", names, key="turbine", bind="query-params", label_visibility="collapsed"
        )
    else:
        chosen = st.selectbox(
            "Turbine", names, key="turbine", bind="query-params", label_visibility="collapsed"
        )
    return chosen or names[0]


@st.fragment(run_every=1)
def _live(name: str, seconds: int) -> None:
    hub = resources.hub()
    site = hub.snapshot()
    turbine = next((t for t in site.turbines if t.id == name), None)
    banners(problems(site))
    if turbine is None:
        draw(f'<div class="gb-empty">{markup.text(name)} is not a turbine of this site.</div>')
        return
    draw(_title(turbine, site))
    age, scores = hub.scores(name, seconds)
    _score_row(turbine, age, scores, seconds)
    columns = st.columns(2, gap="medium")
    signals = hub.signals(name, seconds)
    for place, panel in enumerate(PANELS):
        with columns[place % 2], st.container(border=True, key=f"panel-{place}"):
            _signal_panel(panel, signals, seconds)
    with columns[len(PANELS) % 2]:
        _events(name, site)


def _title(turbine: TurbineCard, site: SiteSnapshot) -> str:
    status = turbine.status
    facts = [("note", turbine.note)] if turbine.note else []
    if status is not None:
        facts += [
            ("blocks", words.count(status.blocks)),
            ("lost", words.count(status.lost)),
            ("duplicate", words.count(status.duplicate)),
            ("reordered", words.count(status.reordered)),
        ]
    if site.model is not None:
        facts.append(("model", f"{site.model.name} {site.model.version}"))
    line = "".join(f"<span>{name} <b>{markup.text(value)}</b></span>" for name, value in facts)
    violations = markup.chips(status.violations) if status is not None else ""
    return (
        f'<div class="gb-title" data-turbine="{markup.text(turbine.id)}"'
        f' data-condition="{turbine.condition}"><h1>{markup.text(turbine.id)}</h1>'
        f'{markup.condition(turbine.condition)}{violations}<div class="gb-facts">{line}</div></div>'
    )


def _score_row(
    turbine: TurbineCard,
    age: NDArray[np.float64],
    scores: NDArray[np.float32],
    seconds: int,
) -> None:
    left, right = st.columns([1, 2], gap="medium")
    by_feature = {name: scores[:, 1 + i] for i, name in enumerate(FEATURE_NAMES)}
    current = {
        name: float(column[-1]) if len(column) and turbine.score is not None else None
        for name, column in by_feature.items()
    }
    with left, st.container(border=True, key="panel-bars", height="stretch"):
        draw(markup.section("Score by feature", "1.0 is the threshold"))
        draw(bars(current))
    with right, st.container(border=True, key="panel-score", height="stretch"):
        draw(markup.section("Score over time", "× threshold"))
        peak = float(np.nanmax(scores[:, 1:], initial=0.0)) if scores.size else 0.0
        top = words.nice_ceiling(peak, 2.0)
        chart = charts.LineChart(
            {FEATURE_WORDS[name]: colour for name, colour in FEATURE_COLOURS.items()},
            "× threshold",
            seconds,
            0.0,
            top,
            threshold=1.0,
            ticks=tuple(tick for tick in SCORE_TICKS if tick <= top),
            height=190,
        )
        named = {FEATURE_WORDS[name]: column for name, column in by_feature.items()}
        _chart(chart, age, named, f"score by feature of {turbine.id}")


def bars(ratios: Mapping[str, float | None]) -> str:
    """Each feature's score as a bar, the threshold at its middle."""
    rows = []
    for name, ratio in ratios.items():
        share = 100 * markup.compress(ratio or 0.0)
        colour = "var(--gb-alarm)" if ratio is not None and ratio > 1 else FEATURE_COLOURS[name]
        over = ' class="gb-num gb-alarm"' if ratio is not None and ratio > 1 else ' class="gb-num"'
        rows.append(
            f'<div class="gb-bar" data-feature="{name}"><span>{FEATURE_WORDS[name]}</span>'
            f'<span class="gb-track" style="color:{colour}"><span class="gb-fill"'
            f' style="width:{share:.1f}%"></span><span class="gb-limit" style="left:50%"></span>'
            f"</span><span{over}>{words.number(ratio)}</span></div>"
        )
    return f'<div class="gb-bars">{"".join(rows)}</div>'


def _events(name: str, site: SiteSnapshot) -> None:
    draw(markup.section("Events", name))
    own = [event for event in site.events if event.turbine == name]
    empty = f"No anomaly on {name} in the last day."
    draw(markup.events(own, site.now, resources.viewer_zone(), limit=EVENTS_SHOWN, empty=empty))


def _signal_panel(panel: Panel, signals: Signals, seconds: int) -> None:
    series = {word: signals.values[channel] for word, channel in panel.lines.items()}
    draw(_legend(panel, series))
    low, high = charts.domain(list(series.values()), panel.low, panel.high, panel.step)
    chart = charts.LineChart(
        {word: SERIES[word] for word in panel.lines}, panel.unit, seconds, low, high
    )
    _chart(chart, signals.age, series, panel.title)


def _legend(panel: Panel, series: Mapping[str, NDArray[np.floating]]) -> str:
    items = "".join(
        f'<span class="gb-key"><i style="background:{SERIES[word]}"></i>{word.capitalize()}'
        f" <b>{words.number(float(values[-1]) if len(values) else None, panel.decimals)}</b></span>"
        for word, values in series.items()
    )
    return (
        f'<div class="gb-section"><h2>{panel.title}</h2><span class="gb-sub">{panel.unit}</span>'
        f'<span class="gb-keys">{items}</span></div>'
    )


def _chart(
    chart: charts.LineChart,
    age: NDArray[np.float64],
    series: Mapping[str, NDArray[np.floating]],
    description: str,
) -> None:
    st.vega_lite_chart(
        charts.rows(age, series),
        charts.specification(chart),
        width="stretch",
        theme=None,
        alt=description,
    )

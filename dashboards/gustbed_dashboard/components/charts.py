"""Chart specifications. Data is passed beside them, so that a new second is new data only.

A specification never depends on the data but through its fixed domain; Streamlit can then move
the line instead of drawing the chart anew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gustbed_dashboard.components.theme import BORDER, FONT, MUTED
from gustbed_dashboard.formatting import nice_ceiling

AGE, SERIES, VALUE = "age", "series", "value"
GAP_SECONDS = 2.0
BROAD = 6.0
MINUTES_FROM = 600
"""Seconds from which on a time axis counts in minutes."""
_CONFIG: dict[str, Any] = {
    "font": FONT,
    "background": "transparent",
    "view": {"strokeWidth": 0},
    "axis": {
        "labelColor": MUTED,
        "labelFontSize": 11,
        "gridColor": BORDER,
        "domainColor": BORDER,
        "ticks": False,
    },
    "axisY": {"domain": False},
}


@dataclass(frozen=True, slots=True)
class LineChart:
    """Lines over the last ``seconds``. ``low`` and ``high`` bound the fixed vertical domain.

    ``ticks`` makes the scale logarithmic above 1 and linear below, marked at these values.
    ``points`` marks each value, ``broad`` names lines that are drawn as bands; a silence of more
    than ``gap`` seconds is left empty.
    """

    colours: Mapping[str, str]
    unit: str
    seconds: int
    low: float
    high: float
    thresholds: tuple[float, ...] = ()
    ticks: tuple[float, ...] = ()
    height: int = 170
    points: bool = False
    broad: tuple[str, ...] = ()
    gap: float = GAP_SECONDS


def specification(chart: LineChart) -> dict[str, Any]:
    """The Vega-Lite specification, without data."""
    names = list(chart.colours)
    ticks = [-chart.seconds * k / 4 for k in range(4, -1, -1)]
    x = alt.X(
        f"{AGE}:Q",
        scale=alt.Scale(domain=[-chart.seconds, 0], nice=False),
        axis=alt.Axis(
            title=None,
            values=ticks,
            labelExpr=_ages(chart.seconds),
            labelFlush=True,
            grid=False,
        ),
    )
    colour = alt.Color(
        f"{SERIES}:N",
        scale=alt.Scale(domain=names, range=list(chart.colours.values())),
        legend=None,
    )
    source = alt.NamedData(name="source")
    lines = (
        alt.Chart(source)
        .mark_line(strokeWidth=1.6, strokeJoin="round", clip=True, point=_points(chart))
        .encode(
            x=x,
            y=_vertical(chart),
            color=colour,
            tooltip=[
                alt.Tooltip(f"{SERIES}:N", title="signal"),
                alt.Tooltip(f"{VALUE}:Q", title=chart.unit, format=".3~r"),
                alt.Tooltip(f"{AGE}:Q", title="seconds ago", format=".1f"),
            ],
        )
    )
    layers: list[alt.Chart] = [lines]
    if chart.broad:
        bands = alt.Chart(source).mark_line(strokeWidth=BROAD, strokeJoin="round", clip=True)
        named = alt.FieldOneOfPredicate(SERIES, oneOf=list(chart.broad))
        layers.insert(
            0, bands.encode(x=x, y=_vertical(chart), color=colour).transform_filter(named)
        )
    for threshold in chart.thresholds:
        rule = alt.Chart(source).mark_rule(color=MUTED, strokeDash=[4, 4], clip=True)
        layers.append(rule.encode(y=alt.datum(threshold)))
    drawn = alt.layer(*layers, height=chart.height)
    spec: dict[str, Any] = {**drawn.to_dict(), "config": _CONFIG, "padding": 0}
    # Without a name for it, Streamlit puts its data at the top, where every layer finds it.
    del spec["data"]
    return spec


def _ages(seconds: int) -> str:
    """Labels of the time axis: seconds ago, or minutes of a long time."""
    if seconds < MINUTES_FROM:
        return "datum.value == 0 ? 'now' : '−' + format(-datum.value, 'd') + ' s'"
    return "datum.value == 0 ? 'now' : '−' + format(-datum.value / 60, '~g') + ' min'"


def _points(chart: LineChart) -> alt.OverlayMarkDef | bool:
    return alt.OverlayMarkDef(size=14, filled=True) if chart.points else False


def _vertical(chart: LineChart) -> alt.Y:
    return alt.Y(
        f"{VALUE}:Q",
        scale=alt.Scale(
            domain=[chart.low, chart.high],
            nice=False,
            clamp=True,
            type="symlog" if chart.ticks else "linear",
        ),
        axis=alt.Axis(
            title=None,
            labelPadding=8,
            **({"values": list(chart.ticks), "format": "~g"} if chart.ticks else {"tickCount": 4}),
        ),
    )


def rows(
    age: NDArray[np.float64],
    series: Mapping[str, NDArray[np.floating]],
    gap: float = GAP_SECONDS,
) -> pa.Table:
    """Long form of lines over a common time; a silence becomes a gap, not a slope."""
    gaps = np.flatnonzero(np.diff(age) > gap) + 1
    ages = np.round(np.insert(age, gaps, age[gaps - 1] + 0.01), 2)
    columns = [np.insert(values.astype(np.float64), gaps, np.nan) for values in series.values()]
    return pa.table(
        {
            AGE: np.tile(ages, len(series)),
            SERIES: np.repeat(np.array(list(series), dtype=str), len(ages)),
            VALUE: pa.array(np.concatenate([np.empty(0), *columns]), from_pandas=True),
        }
    )


def domain(
    series: Sequence[NDArray[np.floating]], low: float, high: float, step: float
) -> tuple[float, float]:
    """``low`` to ``high``, grown by whole ``step``s to hold the data, so that it rarely moves."""
    finite = [values[np.isfinite(values)] for values in series]
    held = [values for values in finite if len(values)]
    if not held:
        return low, high
    smallest = min(float(values.min()) for values in held)
    largest = max(float(values.max()) for values in held)
    return (
        min(low, float(np.floor(smallest / step) * step)),
        max(high, float(np.ceil(largest / step) * step)),
    )


def fitted_domain(series: Sequence[NDArray[np.floating]]) -> tuple[float, float]:
    """A domain of round numbers around signals of which nothing is known beforehand.

    Steps are coarse, so that it rarely moves, and a steady signal is not blown up to its noise.
    """
    held = [values[np.isfinite(values)] for values in series]
    held = [values for values in held if len(values)]
    if not held:
        return 0.0, 1.0
    low = min(float(values.min()) for values in held)
    high = max(float(values.max()) for values in held)
    if low == high == 0:
        return 0.0, 1.0
    span = max(high - low, 0.02 * max(abs(low), abs(high)))
    if 0 <= low < span:
        low = 0.0
    step = nice_ceiling(span / 2, span * 1e-3)
    low, high = float(np.floor(low / step) * step), float(np.ceil(high / step) * step)
    return low, high if high > low else low + step

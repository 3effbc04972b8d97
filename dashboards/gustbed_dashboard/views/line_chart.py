"""A line chart with its legend, as pages draw it."""

from collections.abc import Mapping

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from gustbed_dashboard import formatting
from gustbed_dashboard.components import charts, html
from gustbed_dashboard.views.page_elements import draw


def legend(
    title: str,
    unit: str,
    colours: Mapping[str, str],
    series: Mapping[str, NDArray[np.floating]],
    decimals: int = 2,
) -> None:
    """A heading with each line's colour, name and newest value."""
    items = "".join(
        f'<span class="gb-key"><i style="background:{colours[word]}"></i>{html.text(word, 60)}'
        f" <b>{formatting.number(_newest(values), decimals)}</b></span>"
        for word, values in series.items()
    )
    draw(
        f'<div class="gb-section"><h2>{html.text(title, 60)}</h2>'
        f'<span class="gb-sub">{html.text(unit)}</span><span class="gb-keys">{items}</span></div>'
    )


def _newest(values: NDArray[np.floating]) -> float | None:
    return float(values[-1]) if len(values) and np.isfinite(values[-1]) else None


def line_chart(
    chart: charts.LineChart,
    age: NDArray[np.float64],
    series: Mapping[str, NDArray[np.floating]],
    description: str,
) -> None:
    """The lines themselves."""
    st.vega_lite_chart(
        charts.rows(age, series),
        charts.specification(chart),
        width="stretch",
        theme=None,
        alt=description,
    )

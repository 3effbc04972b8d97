"""Pieces that several pages draw."""

from collections.abc import Iterable, Mapping

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from gustbed_dashboard import formatting
from gustbed_dashboard.components import charts
from gustbed_dashboard.components.html import box, macro, render
from gustbed_dashboard.components.model_metrics import safe_card
from gustbed_dashboard.site.snapshot import SiteSnapshot

BUSY = 0.8
"""Share of a core from which on a dashboard may be its own bottleneck."""
UPLINK_LAG = 180.0
"""Seconds of waiting that are no longer a batch being gathered."""
_FEWER = "Fewer viewers, or a machine with less other work, help."


def draw(html: str) -> None:
    """Put a fragment on the page; the browser updates it in place."""
    st.markdown(html, unsafe_allow_html=True)


def section(title: str, sub: str = "") -> None:
    """A heading inside a page."""
    draw(macro("section", title, sub))


def empty(line: str) -> None:
    """What stands where nothing is to be shown yet: why, and what to do. `` `Words` `` are code."""
    draw(box("gb-empty", line))


def note(line: str) -> None:
    """A small line. `` `Words` `` are code."""
    draw(box("gb-sub", line))


def banners(lines: Iterable[tuple[str, str]]) -> None:
    """Tone and text of each problem; always one element, so that nothing below it is redrawn."""
    draw(macro("banners", list(lines)))


def problems(site: SiteSnapshot) -> list[tuple[str, str]]:
    """What keeps the site from being seen whole, the remedy in the same line."""
    if site.broker is not None:
        return [("alarm", f"{formatting.sentence(site.broker)} Reconnecting by itself.")]
    found: list[tuple[str, str]] = []
    if site.behind:
        found.append(("caution", f"{_behind(site)} The edge is not judged by it."))
    if not site.edge_alive:
        since = (
            f"silent for {formatting.duration(site.now - site.edge_seen)}"
            if site.edge_seen is not None
            else "not heard yet"
        )
        asked = "is it running? `gustbed status` tells."
        if site.load > BUSY:
            asked = f"or this dashboard is too busy to hear it ({_cores(site)}). {_FEWER}"
        found.append(("alarm", f"Waiting for the edge ({since}): {asked}"))
    if site.twin == "offline":
        found.append(("caution", "The twin is offline: no turbine moves until it is started."))
    if site.edge_alive and not site.cloud_connected:
        found.append(
            (
                "caution",
                "The cloud link is down. Verdicts and events wait on the edge's disk"
                f" ({site.buffered} messages) and follow by themselves.",
            )
        )
    elif site.edge_alive and site.uplink_lag > UPLINK_LAG:
        late = formatting.duration(site.uplink_lag)
        found.append(
            (
                "caution",
                f"The cloud is {late} behind the site: {site.buffered} messages wait on the"
                " edge's disk for the link. What is shown here is live.",
            )
        )
    return found


def _behind(site: SiteSnapshot) -> str:
    old = f"What is shown here is {formatting.duration(site.behind)} old:"
    if site.load > BUSY:
        return f"{old} this dashboard cannot keep up with the site ({_cores(site)}). {_FEWER}"
    return f"{old} what was kept back on the way is still arriving."


def _cores(site: SiteSnapshot) -> str:
    return f"it takes {formatting.percent(site.load)} of a core"


def legend(
    title: str,
    unit: str,
    colours: Mapping[str, str],
    series: Mapping[str, NDArray[np.floating]],
    *,
    live: bool = True,
) -> None:
    """A heading with each line's colour and name, and its newest value if that is of now."""
    keys = [
        (word, colours[word], newest(values) if live else None) for word, values in series.items()
    ]
    draw(render("legend", title=title, unit=unit, keys=keys))


def newest(values: NDArray[np.floating]) -> float | None:
    """The last value, None where there is none."""
    return float(values[-1]) if len(values) and np.isfinite(values[-1]) else None


def document(key: str, card: str) -> None:
    """A model card as it was written. ``key`` is unique on the page."""
    if not card.strip():
        empty("The package holds an empty model card.")
        return
    # The card is a document of its own: Markdown, and no HTML of it is believed.
    with st.container(key=f"document-{key}"):
        st.markdown(safe_card(card), anchors=False)


def line_chart(
    chart: charts.LineChart,
    age: NDArray[np.float64],
    series: Mapping[str, NDArray[np.floating]],
    description: str,
) -> None:
    """Lines over the last seconds."""
    st.vega_lite_chart(
        charts.rows(age, series, chart.gap),
        charts.specification(chart),
        width="stretch",
        theme=None,
        alt=description,
    )

"""Every turbine at a glance."""

from typing import Any

import streamlit as st

from gustbed_dashboard import markup, resources
from gustbed_dashboard.snapshot import Condition, SiteSnapshot, TurbineCard
from gustbed_dashboard.views.common import banners, draw, problems
from gustbed_dashboard.words import nice_ceiling, sentence

MAX_CARDS = 24
"""Larger fleets become tiles, with cards for the turbines that need attention."""
MAX_TILES = 1000
EVENTS_SHOWN = 7


def page(turbine_page: Any) -> None:
    """The fleet page; a card leads to its turbine on ``turbine_page``."""
    _live(turbine_page)


@st.fragment(run_every=1)
def _live(turbine_page: Any) -> None:
    hub = resources.hub()
    site = hub.snapshot()
    banners(problems(site))
    draw(markup.strip(site))
    left, right = st.columns([3.1, 1], gap="medium")
    with left:
        draw(markup.section("Turbines", site.site))
        _turbines(site, turbine_page)
    with right:
        draw(markup.section("Events"))
        draw(
            markup.events(
                site.events,
                site.now,
                resources.viewer_zone(),
                limit=EVENTS_SHOWN,
                empty=_no_events(hub.history_problem()),
            )
        )


def _no_events(problem: str | None) -> str:
    if problem is not None:
        return f"No event seen yet; older ones cannot be read: {sentence(problem)}"
    return "No anomaly in the last day. Inject a fault on the Faults page to see one open."


def _turbines(site: SiteSnapshot, turbine_page: Any) -> None:
    shown = site.turbines
    if len(shown) > MAX_CARDS:
        draw(markup.tiles(shown[:MAX_TILES]))
        shown = [t for t in shown if t.condition is Condition.ANOMALY][:MAX_CARDS]
    rps_top = _top(shown, "rps", markup.RPS_FLOOR)
    voltage_top = _top(shown, "voltage", markup.VOLTAGE_FLOOR)
    with st.container(key="fleet-grid"):
        for turbine in shown:
            with st.container(key=f"card-{turbine.id}"):
                draw(markup.card(turbine, rps_top, voltage_top))
                st.page_link(
                    turbine_page,
                    label=f"Open {turbine.id}",
                    query_params={"turbine": turbine.id},
                    width="stretch",
                )


def _top(turbines: list[TurbineCard], channel: str, floor: float) -> float:
    # One scale for the whole fleet, so that cards can be compared.
    trends = [t.trend.rps if channel == "rps" else t.trend.voltage for t in turbines]
    return nice_ceiling(
        max((v for trend in trends for v in trend if v is not None), default=0), floor
    )

"""Every turbine at a glance."""

from typing import Any

import streamlit as st

from gustbed_dashboard import fleetcards, markup, naming, readings, resources
from gustbed_dashboard.snapshot import Condition, TurbineCard
from gustbed_dashboard.views.common import banners, draw, problems
from gustbed_dashboard.words import sentence

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
    draw(fleetcards.strip(site))
    left, right = st.columns([3.1, 1], gap="medium")
    with left:
        kinds = list(dict.fromkeys(turbine.type for turbine in site.turbines))
        if len(kinds) < 2:
            draw(markup.section("Turbines", site.site))
        for place, kind in enumerate(sorted(kinds)):
            own = [turbine for turbine in site.turbines if turbine.type == kind]
            if len(kinds) > 1:
                draw(markup.section(naming.type_words(kind), f"{len(own)} at {site.site}"))
            _turbines(own, turbine_page, f"fleet-grid-{place}", len(site.turbines))
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


def _turbines(turbines: list[TurbineCard], turbine_page: Any, key: str, fleet: int) -> None:
    """Turbines of one type; one scale for all of them, so that cards can be compared."""
    shown = turbines
    if fleet > MAX_CARDS:
        draw(fleetcards.tiles(shown[:MAX_TILES]))
        shown = [t for t in shown if t.condition is Condition.ANOMALY][:MAX_CARDS]
    rows = [turbine.readings for turbine in turbines]
    tops = [readings.top(rows, place) for place in range(readings.SHOWN)]
    with st.container(key=key):
        for turbine in shown:
            with st.container(key=f"card-{turbine.id}"):
                draw(fleetcards.card(turbine, tops[: len(turbine.readings)]))
                st.page_link(
                    turbine_page,
                    label=f"Open {turbine.id}",
                    query_params={"turbine": turbine.id},
                    width="stretch",
                )

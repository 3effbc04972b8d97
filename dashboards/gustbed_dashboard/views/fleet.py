"""Every turbine at a glance."""

from typing import Any

import streamlit as st

from gustbed_dashboard import labels
from gustbed_dashboard.components import fleet_cards
from gustbed_dashboard.components.html import macro, render
from gustbed_dashboard.formatting import sentence
from gustbed_dashboard.site.card_readings import scale_tops
from gustbed_dashboard.site.snapshot import MAX_CARDS, TurbineCard
from gustbed_dashboard.views import resources
from gustbed_dashboard.views.page_elements import banners, draw, problems, section
from gustbed_dashboard.views.site_picker import ChosenSite

MAX_TILES = 1000
EVENTS_SHOWN = 7


def page(chosen: ChosenSite, turbine_page: Any) -> None:
    """A site's page; a card leads to its turbine on ``turbine_page``."""
    _live(chosen, turbine_page)


@st.fragment(run_every=1)
def _live(chosen: ChosenSite, turbine_page: Any) -> None:
    client = chosen.client()
    site = client.snapshot()
    banners(problems(site))
    draw(fleet_cards.strip(site))
    left, right = st.columns([3.1, 1], gap="medium")
    with left:
        types = {turbine.type.name: turbine.type for turbine in site.turbines}
        if len(types) < 2:
            section("Turbines", site.site)
        for place, name in enumerate(sorted(types)):
            own = [turbine for turbine in site.turbines if turbine.type.name == name]
            if len(types) > 1:
                title = labels.type_label(types[name]) or "Not heard yet"
                section(title, f"{len(own)} at {site.site}")
            _turbines(own, len(site.turbines), f"fleet-grid-{place}", chosen, turbine_page)
    with right:
        section("Events")
        draw(
            render(
                "events",
                events=site.events,
                now=site.now,
                zone=resources.viewer_zone(),
                limit=EVENTS_SHOWN,
                alive=site.edge_alive,
                empty=_no_events(client.history_problem()),
                type_of=site.type_of,
                query=chosen.query,
            )
        )


def _no_events(problem: str | None) -> str:
    if problem is not None:
        return f"No event seen yet; older ones cannot be read: {sentence(problem)}"
    return "No anomaly in the last day. Inject a fault on the Faults page to see one open."


def _turbines(
    turbines: list[TurbineCard], fleet: int, key: str, chosen: ChosenSite, turbine_page: Any
) -> None:
    """Turbines of one type; one scale for all of them, so that cards can be compared."""
    shown = turbines
    if fleet > MAX_CARDS:
        draw(fleet_cards.tiles(shown[:MAX_TILES], chosen.query))
        shown = [turbine for turbine in shown if turbine.detailed]
    tops = scale_tops([turbine.readings for turbine in turbines])
    with st.container(key=key):
        for turbine in shown:
            with st.container(key=f"card-{turbine.id}"):
                draw(fleet_cards.card(turbine, tops, resources.viewer_zone()))
                _link(turbine.id, chosen, turbine_page)


def _link(turbine: str, chosen: ChosenSite, turbine_page: Any) -> None:
    """Covers the card."""
    if chosen.query:
        # Streamlit's own link cannot name the site, and would lead a new tab to another's turbine.
        draw(macro("card_link", turbine, chosen.query))
        return
    st.page_link(
        turbine_page, label=f"Open {turbine}", query_params={"turbine": turbine}, width="stretch"
    )

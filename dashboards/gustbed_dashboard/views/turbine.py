"""One turbine: its signals, its score by feature, its events."""

import streamlit as st

from gustbed_dashboard import formatting, labels
from gustbed_dashboard.components.html import render
from gustbed_dashboard.site.snapshot import SiteSnapshot, TurbineCard
from gustbed_dashboard.views import resources
from gustbed_dashboard.views.commissioning import commissioning_form, commissioning_panel
from gustbed_dashboard.views.fault_form import fault_form
from gustbed_dashboard.views.mirror import mirror_panel
from gustbed_dashboard.views.page_elements import banners, draw, empty, problems, section
from gustbed_dashboard.views.score_panels import score_row
from gustbed_dashboard.views.signal_panels import signal_panels
from gustbed_dashboard.views.site_picker import ChosenSite

PERIODS = {"1 min": 60, "2 min": 120, "5 min": 300}
MAX_PILLS = 12
EVENTS_SHOWN = 8


def page(chosen: ChosenSite) -> None:
    """The page of one of a site's turbines; ``?turbine=wt03`` opens it on that turbine."""
    cards = chosen.client().snapshot().turbines
    names = [card.id for card in cards]
    left, middle, commission, right = st.columns([5, 2.2, 1.6, 1.6], vertical_alignment="center")
    with left:
        turbine = _choose(names)
    with middle:
        period = st.segmented_control(
            "Period", list(PERIODS), default="2 min", label_visibility="collapsed", required=True
        )
    if turbine is None:
        empty("Waiting for the edge to name its turbines…")
        return
    types = [card.type for card in cards if card.id == turbine]
    with commission, st.popover("Commission", icon=":material/tune:", width="stretch"):
        commissioning_form(chosen, turbine)
    with right, st.popover("Inject a fault", icon=":material/bolt:", width="stretch"):
        fault_form(chosen, [turbine], types, key="turbine-fault")
    _live(chosen, turbine, PERIODS[period or "2 min"])


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
def _live(chosen: ChosenSite, name: str, seconds: int) -> None:
    client = chosen.client()
    site = client.snapshot()
    turbine = next((t for t in site.turbines if t.id == name), None)
    banners(problems(site))
    if turbine is None:
        empty(f"{name} is not a turbine of this site.")
        return
    draw(_title(turbine, site))
    score_row(turbine, client.scores(name, seconds), seconds, site.site)
    commissioning_panel(turbine, site)
    mirror_panel(turbine, site, client.mirror(name))
    signals = client.signals(name, seconds)
    if signals.values:
        signal_panels(signals, f"{site.site}-{name}", seconds, turbine.carried_by)
    else:
        empty("Waiting for the first telemetry…")
    _events(name, site, chosen)


def _title(turbine: TurbineCard, site: SiteSnapshot) -> str:
    status, name = turbine.status, turbine.type.name
    facts = [("type", labels.type_label(turbine.type))] if name else []
    if turbine.note:
        facts.append(("note", turbine.note))
    if turbine.known_at is not None:
        facts.append(("as of", formatting.stamp(turbine.known_at, resources.viewer_zone())))
    if status is not None:
        facts += [
            ("blocks", formatting.count(status.blocks)),
            ("lost", formatting.count(status.lost)),
            ("duplicate", formatting.count(status.duplicate)),
            ("reordered", formatting.count(status.reordered)),
        ]
    if (model := site.models.get(name)) is not None:
        facts.append(("model", f"{model.name} {model.version}"))
    if (beside := site.shadow_models.get(name)) is not None:
        facts.append(("shadow model", f"{beside.model.name} {beside.model.version}"))
    kinds = [labels.kind_label(kind) for kind in status.violations] if status is not None else []
    return render("turbine_title", turbine=turbine, facts=facts, kinds=kinds)


def _events(name: str, site: SiteSnapshot, chosen: ChosenSite) -> None:
    section("Events", name)
    draw(
        render(
            "events",
            events=[event for event in site.events if event.turbine == name],
            now=site.now,
            zone=resources.viewer_zone(),
            limit=EVENTS_SHOWN,
            alive=site.edge_alive,
            empty=f"No anomaly on {name} in the last day.",
            type_of=site.type_of,
            query=chosen.query,
        )
    )

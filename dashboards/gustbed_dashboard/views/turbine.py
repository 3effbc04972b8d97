"""One turbine: its signals, its score by feature, its events."""

import streamlit as st

from gustbed_core.telemetry import MINI
from gustbed_dashboard import formatting, labels
from gustbed_dashboard.components import html
from gustbed_dashboard.site.client import SiteClient
from gustbed_dashboard.site.snapshot import SiteSnapshot, TurbineCard
from gustbed_dashboard.views import resources, signal_panels
from gustbed_dashboard.views.fault_form import fault_form
from gustbed_dashboard.views.page_elements import banners, draw, problems
from gustbed_dashboard.views.score_panels import score_row

PERIODS = {"1 min": 60, "2 min": 120, "5 min": 300}
MAX_PILLS = 12
EVENTS_SHOWN = 8


def page() -> None:
    """The turbine page; ``?turbine=wt03`` opens it on that turbine."""
    cards = resources.site_client().snapshot().turbines
    names = [card.id for card in cards]
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
    kinds = [card.type for card in cards if card.id == turbine]
    with right, st.popover("Inject a fault", icon=":material/bolt:", width="stretch"):
        fault_form([turbine], kinds, key="turbine-fault")
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
    client = resources.site_client()
    site = client.snapshot()
    turbine = next((t for t in site.turbines if t.id == name), None)
    banners(problems(site))
    if turbine is None:
        draw(f'<div class="gb-empty">{html.text(name)} is not a turbine of this site.</div>')
        return
    draw(_title(turbine, site))
    score_row(turbine, client.scores(name, seconds), seconds)
    if turbine.type == MINI:
        _miniature(name, seconds, client, site)
    else:
        _other(turbine, seconds, client, site)


def _miniature(name: str, seconds: int, client: SiteClient, site: SiteSnapshot) -> None:
    columns = st.columns(2, gap="medium")
    signals = client.signals(name, seconds)
    for place, panel in enumerate(signal_panels.PANELS):
        with columns[place % 2], st.container(border=True, key=f"panel-{place}"):
            signal_panels.miniature(panel, signals, seconds)
    with columns[len(signal_panels.PANELS) % 2]:
        _events(name, site)


def _other(turbine: TurbineCard, seconds: int, client: SiteClient, site: SiteSnapshot) -> None:
    signals = client.signals(turbine.id, seconds)
    if not signals.values:
        draw('<div class="gb-empty">Waiting for the first telemetry…</div>')
    else:
        chosen = signal_panels.choose(list(signals.values), turbine.id)
        if chosen == signal_panels.OVERVIEW:
            signal_panels.overview(signals, seconds, turbine.carried_by)
        else:
            signal_panels.family(chosen, signals, seconds)
    _events(turbine.id, site)


def _title(turbine: TurbineCard, site: SiteSnapshot) -> str:
    status = turbine.status
    facts = [("type", labels.type_words(turbine.type))]
    if turbine.note:
        facts.append(("note", turbine.note))
    if status is not None:
        facts += [
            ("blocks", formatting.count(status.blocks)),
            ("lost", formatting.count(status.lost)),
            ("duplicate", formatting.count(status.duplicate)),
            ("reordered", formatting.count(status.reordered)),
        ]
    if (model := site.models.get(turbine.type)) is not None:
        facts.append(("model", f"{model.name} {model.version}"))
    if (beside := site.challengers.get(turbine.type)) is not None:
        facts.append(("challenger", f"{beside.model.name} {beside.model.version}"))
    line = "".join(f"<span>{name} <b>{html.text(value)}</b></span>" for name, value in facts)
    violations = html.chips(status.violations) if status is not None else ""
    return (
        f'<div class="gb-title" data-turbine="{html.text(turbine.id)}"'
        f' data-condition="{turbine.condition}"><h1>{html.text(turbine.id)}</h1>'
        f'{html.condition(turbine.condition)}{violations}<div class="gb-facts">{line}</div></div>'
    )


def _events(name: str, site: SiteSnapshot) -> None:
    draw(html.section("Events", name))
    own = [event for event in site.events if event.turbine == name]
    empty = f"No anomaly on {name} in the last day."
    draw(html.events(own, site.now, resources.viewer_zone(), limit=EVENTS_SHOWN, empty=empty))

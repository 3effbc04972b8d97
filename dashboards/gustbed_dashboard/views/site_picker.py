"""Which site the pages show: in the frame, kept in the address, drawn only where there are more."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import streamlit as st

from gustbed_dashboard.components import site_states
from gustbed_dashboard.components.html import short
from gustbed_dashboard.site.client import SiteClient
from gustbed_dashboard.site.clients import Sites
from gustbed_dashboard.views import resources
from gustbed_dashboard.views.page_elements import banners, draw

PARAMETER = "site"
MAX_SEGMENTS = 12
LOOK_SECONDS = 1
_SHOWN, _DEFAULT, _TOLD, _NOTICE = "site-shown", "site-default", "site-told", "site-notice"


@dataclass(frozen=True, slots=True)
class ChosenSite:
    """The site that a page shows and acts on.

    ``query`` keeps it in the address of a link, where there are several.
    """

    name: str
    query: Mapping[str, str] = field(default_factory=dict)

    def client(self) -> SiteClient:
        """Its client. Draws the whole page anew if the site is gone."""
        found = resources.sites().clients.get(self.name)
        if found is None:
            st.rerun()
        return found


def choose() -> ChosenSite | None:
    """Draw the picker, and say what is wrong with sites. None while no site is known."""
    sites = resources.sites()
    names = list(sites.clients)
    _notice_of(names)
    chosen = _choose(names)
    if resources.sites_come_and_go():
        with st.container(key="site-lines"):
            _watch(names, chosen)
    elif _NOTICE in st.session_state:
        banners(_lines(sites, chosen))
    st.session_state[_SHOWN] = chosen
    if chosen is None:
        return None
    return ChosenSite(chosen, {PARAMETER: chosen} if len(names) > 1 else {})


def _choose(names: list[str]) -> str | None:
    if len(names) < 2:
        return names[0] if names else None
    default = _default(names)
    with st.container(key="sites", horizontal=True, vertical_alignment="center"):
        if len(names) <= MAX_SEGMENTS:
            chosen = st.segmented_control(
                "Site",
                names,
                default=default,
                required=True,
                key=PARAMETER,
                bind="query-params",
                on_change=_forget_notice,
                label_visibility="collapsed",
            )
        else:
            chosen = st.selectbox(
                "Site",
                names,
                index=names.index(default),
                key=PARAMETER,
                bind="query-params",
                on_change=_forget_notice,
                label_visibility="collapsed",
                width=280,
            )
        _states(names)
    return chosen or default


def _default(names: Sequence[str]) -> str:
    """What an address without a site means. It stays the same while that site is there, so that
    nobody is led from one site to another by one that joins.
    """
    known = st.session_state.get(_DEFAULT)
    if known not in names:
        shown, own = st.session_state.get(_SHOWN), resources.own_site()
        known = next((name for name in (shown, own) if name in names), names[0])
        st.session_state[_DEFAULT] = known
    return str(known)


def _notice_of(names: Sequence[str]) -> None:
    """Remember what is to be said of a site that is not there, once for each."""
    asked, shown = st.query_params.get(PARAMETER), st.session_state.get(_SHOWN)
    if shown is not None and shown not in names:
        st.session_state[_TOLD] = shown
        st.session_state[_NOTICE] = f"{shown} has left this dashboard"
    elif asked is not None and asked not in names and asked != st.session_state.get(_TOLD):
        st.session_state[_TOLD] = asked
        st.session_state[_NOTICE] = f"Site {short(asked, 64)} is not known here"


def _forget_notice() -> None:
    st.session_state.pop(_NOTICE, None)


@st.fragment(run_every=LOOK_SECONDS)
def _watch(names: list[str], chosen: str | None) -> None:
    """Draw the whole page anew when a site joins or leaves."""
    sites = resources.sites()
    if list(sites.clients) != names:
        st.rerun()
    banners(_lines(sites, chosen))


@st.fragment(run_every=LOOK_SECONDS)
def _states(names: list[str]) -> None:
    clients = resources.sites().clients
    glances = {name: clients[name].glance() for name in names if name in clients}
    draw(site_states.states(glances, f".st-key-{PARAMETER} [role=radiogroup]"))


def _lines(sites: Sites, chosen: str | None) -> list[tuple[str, str]]:
    lines = [*sites.problems]
    if (notice := st.session_state.get(_NOTICE)) is not None:
        lines.insert(0, f"{notice}: this is {chosen}." if chosen else f"{notice}.")
    return [("caution", line) for line in lines]

"""A turbine's commissioning: how it stands, and what can be asked of the edge."""

import streamlit as st

from gustbed_core.commissioning.messages import (
    DEFAULT_HOURS,
    MAX_HOURS,
    MIN_HOURS,
    Action,
    CommissionCommand,
)
from gustbed_core.errors import GustbedError
from gustbed_dashboard.components import commissioning
from gustbed_dashboard.components.html import macro
from gustbed_dashboard.site.snapshot import SiteSnapshot, TurbineCard
from gustbed_dashboard.views.page_elements import draw, note, section
from gustbed_dashboard.views.site_picker import ChosenSite

_DONE: dict[Action, str] = {
    "start": "Start of a normal period",
    "accept": "Acceptance",
    "undo": "Undo",
    "cancel": "Cancelling",
}


def commissioning_form(chosen: ChosenSite, turbine: str) -> None:
    """Hours and four buttons for a turbine of a site."""
    key = f"commission-{chosen.name}"
    note("Declare that the turbine runs normally from now on: the edge learns what is its own.")
    hours = st.number_input("Hours", MIN_HOURS, MAX_HOURS, DEFAULT_HOURS, 0.25, key=f"{key}-hours")
    accept = st.checkbox("Put it to work by itself, if it is normal", key=f"{key}-itself")
    if st.button("Start", type="primary", width="stretch", key=f"{key}-start"):
        _send(chosen, CommissionCommand("start", [turbine], float(hours), bool(accept)))
    actions: tuple[Action, ...] = ("accept", "undo", "cancel")
    for action, column in zip(actions, st.columns(len(actions)), strict=True):
        with column:
            if st.button(action.capitalize(), width="stretch", key=f"{key}-{action}"):
                _send(chosen, CommissionCommand(action, [turbine]))


def commissioning_panel(turbine: TurbineCard, site: SiteSnapshot) -> None:
    """How it stands; nothing where its model knows of no commissioning and nobody asked for it."""
    state = turbine.status.commissioning if turbine.status is not None else None
    refusal = site.refusals.get(turbine.id, "")
    if state is None and not refusal:
        return
    section("Commissioning", turbine.id)
    draw(commissioning.panel(turbine.id, state, refusal))


def _send(chosen: ChosenSite, command: CommissionCommand) -> None:
    try:
        chosen.client().commission(command)
    except GustbedError as error:
        draw(macro("banner", "alarm", f"Not sent. {error}"))
        return
    where = f" at {chosen.name}" if chosen.query else ""
    st.toast(f"{_DONE[command.action]} sent to the edge for {command.turbines[0]}{where}")

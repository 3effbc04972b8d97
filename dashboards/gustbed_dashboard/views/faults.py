"""Inject faults into turbines and watch how the commands are answered."""

from collections.abc import Callable, Iterable

import streamlit as st

from gustbed_core.commands import Command
from gustbed_core.turbine_types import TurbineType
from gustbed_dashboard import labels
from gustbed_dashboard.components.html import render
from gustbed_dashboard.site.command_log import ActiveFault, Sent
from gustbed_dashboard.views.fault_form import fault_form
from gustbed_dashboard.views.page_elements import banners, draw, note, problems, section
from gustbed_dashboard.views.site_picker import ChosenSite

COMMANDS_SHOWN = 12
MAX_PILLS = 24
TypeOf = Callable[[str], TurbineType | None]

_OUTCOMES = {
    "accepted": ("ok", "check", "Accepted"),
    "refused": ("alarm", "cross", "Refused"),
    "waiting": ("quiet", "ring", "Waiting"),
    "unanswered": ("caution", "question", "No answer"),
}


def page(chosen: ChosenSite) -> None:
    """The faults page of a site."""
    left, right = st.columns([1, 1.5], gap="large")
    types = {card.id: card.type for card in chosen.client().snapshot().turbines}
    with left, st.container(border=True, key="panel-form"):
        section("Inject a fault", f"at {chosen.name}" if chosen.query else "")
        turbines = _choose(list(types), f"fault-turbines-{chosen.name}")
        of_types = [types[name] for name in turbines if name in types]
        fault_form(chosen, turbines, of_types, key="fault")
        if not turbines:
            note("Choose one or more turbines first.")
    with right:
        _live(chosen)


def _choose(names: list[str], key: str) -> list[str]:
    if len(names) <= MAX_PILLS:
        return st.pills("Turbines", names, selection_mode="multi", key=key)
    return st.multiselect("Turbines", names, key=key)


@st.fragment(run_every=1)
def _live(chosen: ChosenSite) -> None:
    site = chosen.client().snapshot()
    banners(problems(site))
    section("Active faults", "accepted and not cleared")
    draw(active(site.faults, site.now, site.type_of))
    section("Commands", "from here and from the command line")
    draw(commands(site.sent[:COMMANDS_SHOWN], site.now, site.type_of))


def active(faults: Iterable[ActiveFault], now: float, type_of: TypeOf) -> str:
    """Faults that are on, as a table."""
    named = [
        (fault, labels.label(fault.fault) + _where(fault.signal, type_of(fault.turbine)))
        for fault in faults
    ]
    return render("fault_tables", active_faults=named, now=now)


def commands(sent: Iterable[Sent], now: float, type_of: TypeOf) -> str:
    """The newest commands with their answers, as a table."""
    rows = []
    for each in sent:
        outcome = each.outcome(now)
        why = each.ack.reason if each.ack is not None else ""
        why = "is the twin running?" if outcome == "unanswered" else why
        what = _what(each.command, type_of(each.turbine))
        rows.append((each, outcome, _OUTCOMES[outcome], what, why))
    return render("fault_tables", rows=rows, now=now)


def _where(signal: str, turbine_type: TurbineType | None) -> str:
    return f" on {labels.phrase(signal, turbine_type)}" if signal else ""


def _what(command: Command, turbine_type: TurbineType | None) -> str:
    """A command in words."""
    verb = labels.label(command.action)
    if command.action not in ("inject", "clear"):
        return verb if command.value is None else f"{verb} {command.value:g}"
    named = command.fault or command.kind
    name = labels.spaced(named) if named else "all faults"
    strength = f", severity {command.severity:.2f}, ramp {command.ramp:.0f} s"
    where = _where(command.signal, turbine_type)
    return f"{verb} {name}{where}{strength if command.action == 'inject' else ''}"

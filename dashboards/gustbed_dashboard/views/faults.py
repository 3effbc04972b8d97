"""Inject faults into turbines and watch how the commands are answered."""

from collections.abc import Mapping

import streamlit as st

from gustbed_core.commands import Command
from gustbed_core.violations import Violation
from gustbed_dashboard import formatting, labels
from gustbed_dashboard.components import html, svg
from gustbed_dashboard.components.theme import KIND_WORDS
from gustbed_dashboard.site.command_log import ActiveFault, Sent
from gustbed_dashboard.views import resources
from gustbed_dashboard.views.fault_form import fault_form
from gustbed_dashboard.views.page_elements import banners, draw, problems

COMMANDS_SHOWN = 12
MAX_PILLS = 24

_OUTCOMES = {
    "accepted": ("ok", "check", "Accepted"),
    "refused": ("alarm", "cross", "Refused"),
    "waiting": ("quiet", "ring", "Waiting"),
    "unanswered": ("caution", "question", "No answer"),
}


def page() -> None:
    """The faults page."""
    left, right = st.columns([1, 1.5], gap="large")
    types = {turbine.id: turbine.type for turbine in resources.site_client().snapshot().turbines}
    with left, st.container(border=True, key="panel-form"):
        draw(html.section("Inject a fault"))
        turbines = _choose(types)
        fault_form(turbines, [types[name] for name in turbines if name in types], key="fault")
        if not turbines:
            draw('<div class="gb-sub">Choose one or more turbines first.</div>')
    with right:
        _live()


def _choose(types: Mapping[str, str]) -> list[str]:
    names = list(types)
    if len(names) <= MAX_PILLS:
        return st.pills("Turbines", names, selection_mode="multi", key="fault-turbines")
    return st.multiselect("Turbines", names, key="fault-turbines")


@st.fragment(run_every=1)
def _live() -> None:
    site = resources.site_client().snapshot()
    banners(problems(site))
    draw(html.section("Active faults", "accepted and not cleared"))
    draw(active(site.faults, site.now))
    draw(html.section("Commands", "from here and from the command line"))
    draw(commands(site.sent[:COMMANDS_SHOWN], site.now))


def active(faults: list[ActiveFault], now: float) -> str:
    """Faults that are on, as a table."""
    if not faults:
        return '<div class="gb-empty">None. Every turbine runs as the wind drives it.</div>'
    rows = "".join(
        f'<tr data-fault="{html.text(fault.turbine)}"><td class="gb-name">'
        f"{html.text(fault.turbine)}</td><td>{_fault(fault)}</td>"
        f'<td class="gb-num">{fault.severity:.2f}</td>'
        f'<td class="gb-num">{formatting.duration(now - fault.since)}</td></tr>'
        for fault in faults
    )
    return (
        '<div class="gb-panel gb-scroll"><table class="gb-table"><thead><tr><th>Turbine</th>'
        '<th>Kind</th><th class="gb-num">Severity</th><th class="gb-num">Since</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _fault(fault: ActiveFault) -> str:
    if fault.fault in KIND_WORDS:
        return html.chips([Violation(fault.fault)])
    where = f" on {labels.phrase(fault.signal)}" if fault.signal else ""
    name = html.text(f"{labels.label(fault.fault)}{where}", 80)
    return f'<span class="gb-chip gb-alarm">{svg.icon("alert")}{name}</span>'


def commands(sent: list[Sent], now: float) -> str:
    """The newest commands with their answers, as a table."""
    if not sent:
        return '<div class="gb-empty">No command yet. What you inject appears here.</div>'
    rows = "".join(_command(row, now) for row in sent)
    return (
        '<div class="gb-panel gb-scroll"><table class="gb-table"><thead><tr><th>Turbine</th>'
        "<th>Command</th><th>Answer</th><th></th></tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
    )


def _command(sent: Sent, now: float) -> str:
    outcome = sent.outcome(now)
    tone, icon, word = _OUTCOMES[outcome]
    command = sent.command
    what = _what(command)
    why = sent.ack.reason if sent.ack is not None else ""
    if outcome == "unanswered":
        why = "is the twin running?"
    return (
        f'<tr data-command="{html.text(command.id, 80)}" data-outcome="{outcome}">'
        f'<td class="gb-name">{html.text(sent.turbine)}</td><td>{html.text(what)}</td>'
        f"<td>{html.status(tone, icon, word)}"
        f"{f' <span class=gb-sub>{html.text(why)}</span>' if why else ''}</td>"
        f'<td class="gb-num gb-sub">{formatting.duration(now - sent.at)} ago</td></tr>'
    )


def _what(command: Command) -> str:
    """A command in words."""
    verb = labels.label(command.action)
    if command.action not in ("inject", "clear"):
        return verb if command.value is None else f"{verb} {command.value:g}"
    kind = KIND_WORDS[command.kind].lower() if command.kind is not None else "all faults"
    name = labels.phrase(command.fault) if command.fault else kind
    where = f" on {labels.phrase(command.signal)}" if command.signal else ""
    strength = f", severity {command.severity:.2f}, ramp {command.ramp:.0f} s"
    return f"{verb} {name}{where}{strength if command.action == 'inject' else ''}"

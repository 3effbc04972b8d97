"""Inject faults into turbines and watch how the commands are answered."""

from collections.abc import Mapping

import streamlit as st

from gustbed_dashboard import markup, naming, resources, svg, words
from gustbed_dashboard.commandlog import ActiveFault, Sent
from gustbed_dashboard.theme import KIND_WORDS
from gustbed_dashboard.views.common import banners, draw, problems
from gustbed_dashboard.views.faultform import fault_form
from gustbed_core.commands import Command
from gustbed_core.violations import Violation

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
    types = {turbine.id: turbine.type for turbine in resources.hub().snapshot().turbines}
    with left, st.container(border=True, key="panel-form"):
        draw(markup.section("Inject a fault"))
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
    site = resources.hub().snapshot()
    banners(problems(site))
    draw(markup.section("Active faults", "accepted and not cleared"))
    draw(active(site.faults, site.now))
    draw(markup.section("Commands", "from here and from the command line"))
    draw(commands(site.sent[:COMMANDS_SHOWN], site.now))


def active(faults: list[ActiveFault], now: float) -> str:
    """Faults that are on, as a table."""
    if not faults:
        return '<div class="gb-empty">None. Every turbine runs as the wind drives it.</div>'
    rows = "".join(
        f'<tr data-fault="{markup.text(fault.turbine)}"><td class="gb-name">'
        f"{markup.text(fault.turbine)}</td><td>{_fault(fault)}</td>"
        f'<td class="gb-num">{fault.severity:.2f}</td>'
        f'<td class="gb-num">{words.duration(now - fault.since)}</td></tr>'
        for fault in faults
    )
    return (
        '<div class="gb-panel gb-scroll"><table class="gb-table"><thead><tr><th>Turbine</th>'
        '<th>Kind</th><th class="gb-num">Severity</th><th class="gb-num">Since</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _fault(fault: ActiveFault) -> str:
    if fault.fault in KIND_WORDS:
        return markup.chips([Violation(fault.fault)])
    where = f" on {naming.phrase(fault.signal)}" if fault.signal else ""
    name = markup.text(f"{naming.label(fault.fault)}{where}", 80)
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
        f'<tr data-command="{markup.text(command.id, 80)}" data-outcome="{outcome}">'
        f'<td class="gb-name">{markup.text(sent.turbine)}</td><td>{markup.text(what)}</td>'
        f"<td>{markup.status(tone, icon, word)}"
        f"{f' <span class=gb-sub>{markup.text(why)}</span>' if why else ''}</td>"
        f'<td class="gb-num gb-sub">{words.duration(now - sent.at)} ago</td></tr>'
    )


def _what(command: Command) -> str:
    """A command in words."""
    verb = naming.label(command.action)
    if command.action not in ("inject", "clear"):
        return verb if command.value is None else f"{verb} {command.value:g}"
    kind = KIND_WORDS[command.kind].lower() if command.kind is not None else "all faults"
    name = naming.phrase(command.fault) if command.fault else kind
    where = f" on {naming.phrase(command.signal)}" if command.signal else ""
    strength = f", severity {command.severity:.2f}, ramp {command.ramp:.0f} s"
    return f"{verb} {name}{where}{strength if command.action == 'inject' else ''}"

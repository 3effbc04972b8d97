"""Inject faults into turbines and watch how the commands are answered."""

import streamlit as st

from gustbed_dashboard import markup, resources, words
from gustbed_dashboard.commandlog import ActiveFault, Sent
from gustbed_dashboard.theme import KIND_WORDS
from gustbed_dashboard.views.common import banners, draw, problems
from gustbed_dashboard.views.faultform import fault_form

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
    names = [turbine.id for turbine in resources.hub().snapshot().turbines]
    with left, st.container(border=True, key="panel-form"):
        draw(markup.section("Inject a fault"))
        turbines = _choose(names)
        fault_form(turbines, key="fault")
        if not turbines:
            draw('<div class="gb-sub">Choose one or more turbines first.</div>')
    with right:
        _live()


def _choose(names: list[str]) -> list[str]:
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
        f"{markup.text(fault.turbine)}</td><td>{markup.chips([fault.kind])}</td>"
        f'<td class="gb-num">{fault.severity:.2f}</td>'
        f'<td class="gb-num">{words.duration(now - fault.since)}</td></tr>'
        for fault in faults
    )
    return (
        '<div class="gb-panel gb-scroll"><table class="gb-table"><thead><tr><th>Turbine</th>'
        '<th>Kind</th><th class="gb-num">Severity</th><th class="gb-num">Since</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


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
    kind = KIND_WORDS[command.kind] if command.kind is not None else "all faults"
    what = f"{command.action.capitalize()} {kind.lower()}"
    if command.action == "inject":
        what += f", severity {command.severity:.2f}, ramp {command.ramp:.0f} s"
    why = sent.ack.reason if sent.ack is not None else ""
    if outcome == "unanswered":
        why = "is the twin running?"
    return (
        f'<tr data-command="{markup.text(command.id, 80)}" data-outcome="{outcome}">'
        f'<td class="gb-name">{markup.text(sent.turbine)}</td><td>{what}</td>'
        f"<td>{markup.status(tone, icon, word)}"
        f"{f' <span class=gb-sub>{markup.text(why)}</span>' if why else ''}</td>"
        f'<td class="gb-num gb-sub">{words.duration(now - sent.at)} ago</td></tr>'
    )

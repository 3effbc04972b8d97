"""The form that injects and clears faults, on the faults page and beside a turbine."""

from collections.abc import Iterable

import streamlit as st

from gustbed_core.commands import Command
from gustbed_core.errors import GustbedError
from gustbed_core.telemetry import MINI
from gustbed_core.violations import INJECTABLE, Violation
from gustbed_dashboard import labels
from gustbed_dashboard.components import html
from gustbed_dashboard.components.theme import INJECTION_HINTS, KIND_HINTS, KIND_WORDS
from gustbed_dashboard.views import resources
from gustbed_dashboard.views.page_elements import draw


def fault_form(turbines: list[str], types: Iterable[str], key: str) -> None:
    """Kind, severity, ramp, and two buttons for the chosen turbines, of ``types``.

    Every type takes the three kinds; what they do differs, and other types take more by name.
    """
    others = sorted(set(types) - {MINI})
    kind = st.segmented_control(
        "Kind",
        list(INJECTABLE),
        default=Violation.VIBRATION,
        format_func=KIND_WORDS.__getitem__,
        required=True,
        key=f"{key}-kind",
    )
    chosen = kind or Violation.VIBRATION
    draw(f'<div class="gb-sub">{_hint(chosen, others)}</div>')
    severity = st.slider("Severity", 0.0, 1.0, 0.8, 0.05, key=f"{key}-severity")
    ramp = st.slider("Ramp", 0, 60, 2, 1, format="%d s", key=f"{key}-ramp")
    inject, clear = st.columns(2)
    with inject:
        if st.button(
            "Inject",
            type="primary",
            icon=":material/bolt:",
            disabled=not turbines,
            width="stretch",
            key=f"{key}-inject",
        ):
            _send(turbines, [Command("inject", chosen, severity, float(ramp)) for _ in turbines])
    with clear:
        if st.button(
            "Clear all faults",
            icon=":material/restart_alt:",
            disabled=not turbines,
            width="stretch",
            key=f"{key}-clear",
        ):
            _send(turbines, [Command("clear") for _ in turbines])


def _hint(kind: Violation, others: list[str]) -> str:
    if not others:
        return f"{KIND_WORDS[kind]}: {KIND_HINTS[kind]}."
    names = html.text(", ".join(labels.type_words(name) for name in others), 80)
    return (
        f"{KIND_WORDS[kind]}: on {names}, {INJECTION_HINTS[kind]}. <code>gustbed twin faults</code>"
        " lists what else such a turbine can have."
    )


def _send(turbines: list[str], commands: list[Command]) -> None:
    client = resources.site_client()
    for turbine, command in zip(turbines, commands, strict=True):
        try:
            client.send(turbine, command)
        except GustbedError as error:
            draw(html.banner("alarm", f"Not sent. {error}"))
            return
    what = "Inject" if commands[0].action == "inject" else "Clear"
    st.toast(f"{what} sent to {', '.join(turbines[:6])}{'…' if len(turbines) > 6 else ''}")

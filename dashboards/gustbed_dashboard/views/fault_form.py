"""The form that injects and clears faults, on the faults page and beside a turbine."""

from collections.abc import Iterable

import streamlit as st

from gustbed_core.commands import Command
from gustbed_core.errors import GustbedError
from gustbed_core.event_kinds import INJECTABLE, EventKind
from gustbed_core.turbine_types import TurbineType
from gustbed_dashboard import labels
from gustbed_dashboard.components.html import macro
from gustbed_dashboard.views.page_elements import draw, note
from gustbed_dashboard.views.site_picker import ChosenSite


def fault_form(
    chosen: ChosenSite, turbines: list[str], types: Iterable[TurbineType], key: str
) -> None:
    """Kind, severity, ramp, and two buttons for the chosen turbines, of ``types``.

    What is filled in is of this site: another one has a form of its own.

    Every simulated type takes the three kinds; some take more, by name, from the command line.
    """
    key = f"{key}-{chosen.name}"
    kind = st.segmented_control(
        "Kind",
        list(INJECTABLE),
        default=INJECTABLE[0],
        format_func=labels.kind_label,
        required=True,
        key=f"{key}-kind",
    )
    named = kind or INJECTABLE[0]
    note(hint(named, {turbine_type.name: turbine_type for turbine_type in types}.values()))
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
            _send(
                chosen,
                turbines,
                [Command("inject", named, severity, float(ramp)) for _ in turbines],
            )
    with clear:
        if st.button(
            "Clear all faults",
            icon=":material/restart_alt:",
            disabled=not turbines,
            width="stretch",
            key=f"{key}-clear",
        ):
            _send(chosen, turbines, [Command("clear") for _ in turbines])


def hint(kind: EventKind, types: Iterable[TurbineType]) -> str:
    """What shows the kind on each type, and where to find what else it can have."""
    lines, more = [], False
    for turbine_type in types:
        kinds = turbine_type.schema.violations
        signals = ", ".join(labels.phrase(name, turbine_type) for name in kinds.get(kind, ()))
        if signals:
            lines.append(f"{labels.type_label(turbine_type)} shows it in {signals}.")
        more = more or bool(set(kinds) - set(INJECTABLE))
    if more:
        lines.append("`gustbed twin faults` lists what else such a turbine can have.")
    return " ".join([f"{labels.kind_label(kind)}.", *lines])


def _send(chosen: ChosenSite, turbines: list[str], commands: list[Command]) -> None:
    client = chosen.client()
    for turbine, command in zip(turbines, commands, strict=True):
        try:
            client.send(turbine, command)
        except GustbedError as error:
            draw(macro("banner", "alarm", f"Not sent. {error}"))
            return
    what = "Inject" if commands[0].action == "inject" else "Clear"
    where = f" at {chosen.name}" if chosen.query else ""
    st.toast(f"{what} sent to {', '.join(turbines[:6])}{'…' if len(turbines) > 6 else ''}{where}")

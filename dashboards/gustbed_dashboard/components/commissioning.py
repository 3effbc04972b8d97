"""A turbine's commissioning in words."""

from gustbed_core.commissioning.messages import CommissioningState
from gustbed_dashboard import formatting
from gustbed_dashboard.components.html import render
from gustbed_dashboard.components.theme import Look

LOOKS: dict[str, Look] = {
    "own": Look("Commissioned", "check", "ok"),
    "factory": Look("As the factory has it", "dot", "quiet"),
    "prior": Look("Not commissioned", "half", "caution"),
    "provisional": Look("Not commissioned: provisional", "half", "caution"),
}
_MEANING = {
    "own": "Judged by what a normal period of its own told",
    "factory": "Calm by the factory's own measure, and judged by it",
    "prior": "Judged as widely as machines of its type differ: weak faults are not seen",
    "provisional": "Judged by what it showed in its first minutes; nobody declared them normal",
}
_DIFFERS = (
    "It differs from its type: the factory's measure raised alarms that machines of the type "
    "explain. Declare a normal period, or look for a weak fault"
)


def panel(turbine: str, state: CommissioningState | None, refusal: str = "") -> str:
    """How a turbine is judged and how its period stands; ``refusal`` of the newest command."""
    look = LOOKS[state.basis] if state else Look("No commissioning", "slash", "quiet")
    meaning = _MEANING[state.basis] if state else "Its model cannot be corrected for one turbine"
    lines = [(tone, line) for tone, line in _lines(state, refusal) if line]
    running = state.running if state else None
    return render(
        "commissioning",
        turbine=turbine,
        look=look,
        meaning=meaning,
        version=state.version if state else "",
        running=running,
        lines=lines,
    )


def _lines(state: CommissioningState | None, refusal: str) -> list[tuple[str, str]]:
    lines = [("alarm", f"The edge refused: {refusal}" if refusal else "")]
    if state is not None:
        if state.running is not None:
            lines.append(("sub", f"A normal period runs: {formatting.percent(state.running)}"))
        if state.learning is not None:
            lines.append(("sub", f"It learns what it shows: {formatting.percent(state.learning)}"))
        if state.ready:
            lines.append(("caution", "Its period is over and normal: accept it, or cancel."))
        if state.refused:
            lines.append(("alarm", f"The last period was refused: {state.refused}"))
        lines.append(("caution", _DIFFERS if state.differs else ""))
        lines.append(("sub", formatting.sentence(state.note) if state.note else ""))
    return lines

"""A turbine beside its fitted twin in words: how far apart they are, and what was made of it."""

from collections.abc import Iterable
from datetime import tzinfo

from gustbed_core.events import AnomalyEvent
from gustbed_core.mirror import is_mirrors
from gustbed_core.turbine_types import TurbineType
from gustbed_dashboard import formatting, labels
from gustbed_dashboard.components.html import render
from gustbed_dashboard.components.theme import Look
from gustbed_dashboard.site.mirror_log import MirrorHistory

EVENTS_SHOWN = 3
_AS_EXPECTED = Look("As its twin", "check", "ok")
_APART = Look("Apart from its twin", "alert", "alarm")
_STALE = Look("Mirror is silent", "slash", "caution")


def panel(
    turbine: str,
    turbine_type: TurbineType,
    history: MirrorHistory,
    events: Iterable[AnomalyEvent],
    now: float,
    zone: tzinfo | None,
) -> str:
    """How turbine and twin stand, with the mirror's newest events out of the site's ``events``."""
    found = [event for event in events if event.turbine == turbine and is_mirrors(event)]
    is_open = any(event.closed is None for event in found)
    look = _STALE if history.stale else _APART if is_open else _AS_EXPECTED
    lines = [_line(event, turbine_type, now, zone) for event in found[:EVENTS_SHOWN]]
    return render(
        "mirror",
        turbine=turbine,
        twin=history.type,
        look=look,
        heard=history.heard,
        meaning=_meaning(turbine, history, is_open=is_open),
        lines=lines,
        more=len(found) - len(lines),
    )


def _meaning(turbine: str, history: MirrorHistory, *, is_open: bool) -> str:
    if history.stale:
        command = f"gustbed twin mirror {turbine} --type {history.type}.yaml"
        return f"Nothing is compared any more. To go on: `{command}`"
    if is_open:
        return "In the wind that it measures it does not do what its fitted twin does."
    return "In the wind that it measures it does what its fitted twin does."


def _line(
    event: AnomalyEvent, turbine_type: TurbineType, now: float, zone: tzinfo | None
) -> tuple[str, str, str]:
    """Tone, icon and text of an event."""
    named = ", ".join(labels.phrase(name, turbine_type) for name in event.signals)
    by = f", carried by {named}" if named else ""
    what = f"{labels.kind_label(event.kind)}{by}"
    peak = f"peak {formatting.number(event.peak_score)} × limit"
    opened = formatting.stamp(event.opened, zone)
    if event.closed is None:
        lasted = formatting.duration(now - event.opened)
        return "alarm", "alert", f"{what}: open for {lasted}, since {opened}, {peak}"
    lasted = formatting.duration(event.closed - event.opened)
    return "sub", "check", f"{what}: closed after {lasted}, opened {opened}, {peak}"

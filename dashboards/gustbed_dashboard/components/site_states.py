"""How each site stands: a mark in the control that picks one, and words beside it."""

from collections.abc import Mapping
from urllib.parse import quote

from gustbed_dashboard.components import theme
from gustbed_dashboard.components.html import render
from gustbed_dashboard.components.svg import picture
from gustbed_dashboard.components.theme import Look
from gustbed_dashboard.site.glance import Glance, Health

NAMED = 4
"""Sites that are named in words; more are counted."""

LOOKS: dict[Health, Look] = {
    Health.FINE: Look("no event open", "dot", "ok"),
    Health.EVENTS: Look("events open", "alert", "alarm"),
    Health.SILENT: Look("edge not heard", "slash", "quiet"),
}


def states(sites: Mapping[str, Glance], control: str) -> str:
    """Words for the sites that need attention, and a mark in each option of a control.

    ``control`` is the CSS selector of the options' parent; they stand in the order of ``sites``.
    """
    wanting = [(name, LOOKS[each.health], _words(each)) for name, each in sites.items()
               if each.health is not Health.FINE]  # fmt: skip
    return render(
        "site_states",
        rules=_rules(sites, control),
        named=wanting[:NAMED],
        more=len(wanting) - NAMED,
        sites=len(sites),
    )


def _words(site: Glance) -> str:
    word, alarms = LOOKS[site.health].word, ""
    if site.open_events:
        alarms = f"{site.open_events} event{_s(site.open_events)} open"
    elif site.anomalous:
        alarms = f"{site.anomalous} turbine{_s(site.anomalous)} with an anomaly"
    if site.health is Health.SILENT:
        return f"{word}, {alarms}: last known" if alarms else word
    return alarms or word


def _s(count: int) -> str:
    return "" if count == 1 else "s"


def _rules(sites: Mapping[str, Glance], control: str) -> str:
    """Streamlit's options take no markup of their own, so that CSS draws the marks."""
    return "".join(
        f"{control} > :nth-child({place}) p::before"
        f"{{content:url('{_mark(LOOKS[each.health])}') / '{LOOKS[each.health].word}: '}}"
        for place, each in enumerate(sites.values(), start=1)
    )


def _mark(look: Look) -> str:
    colour = {"ok": theme.OK, "alarm": theme.ALARM, "quiet": theme.QUIET}[look.tone]
    return f"data:image/svg+xml,{quote(picture(look.icon, colour))}"

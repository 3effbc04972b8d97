"""Page fragments as HTML strings. Whatever came over the network is escaped here.

Every fragment is one line that starts with a tag: Streamlit then takes it as raw HTML, and the
browser keeps the elements between updates, so nothing flickers.
"""

from collections.abc import Iterable, Sequence
from datetime import tzinfo
from html import escape

from gustbed_core.events import AnomalyEvent
from gustbed_core.violations import Violation
from gustbed_dashboard import formatting, labels
from gustbed_dashboard.components import svg
from gustbed_dashboard.components.theme import KIND_WORDS, LOOKS
from gustbed_dashboard.site.snapshot import Condition

SIGNALS_NAMED = 3


def text(value: object, limit: int = 200) -> str:
    """Escape anything for HTML, on one line and of bounded length."""
    line = " ".join(str(value).split())
    return escape(line if len(line) <= limit else line[: limit - 1] + "…")


def status(tone: str, icon: str, word: str) -> str:
    """A state as colour, icon and text together."""
    return f'<span class="gb-status gb-{tone}">{svg.icon(icon)}{text(word)}</span>'


def condition(value: Condition) -> str:
    """A turbine's state."""
    look = LOOKS[value]
    return status(look.tone, look.icon, look.word)


def chips(kinds: Iterable[Violation]) -> str:
    """Violations as small labels."""
    return "".join(
        f'<span class="gb-chip gb-alarm">{svg.icon("alert")}{KIND_WORDS[kind]}</span>'
        for kind in kinds
    )


def compress(ratio: float) -> float:
    """A ratio of score to threshold as a share of the drawn height, 0 to 1.

    Linear up to the threshold, which is always at one half, and ever slower above it, so that
    neither a quiet score nor a wild one leaves the picture.
    """
    return max(ratio, 0.0) / 2 if ratio <= 1 else 1 - 1 / (2 * ratio)


def banner(tone: str, line: str) -> str:
    """One line that says what is wrong and what mends it."""
    look = {"alarm": "alert", "caution": "alert", "quiet": "ring"}[tone]
    return (
        f'<div class="gb-banner gb-banner-{tone}" role="status">'
        f'<span class="gb-{tone}">{svg.icon(look)}</span><span>{text(line, 400)}</span></div>'
    )


def events(
    rows: Sequence[AnomalyEvent], now: float, zone: tzinfo | None, *, limit: int, empty: str
) -> str:
    """Anomaly events, open ones first."""
    if not rows:
        return f'<div class="gb-empty">{text(empty)}</div>'
    body = "".join(_event(row, now, zone) for row in rows[:limit])
    more = len(rows) - limit
    tail = f'<div class="gb-more">and {more} older</div>' if more > 0 else ""
    return f'<div class="gb-events">{body}{tail}</div>'


def _event(event: AnomalyEvent, now: float, zone: tzinfo | None) -> str:
    is_open = event.closed is None
    lasted = (event.closed if event.closed is not None else now) - event.opened
    state = status("alarm", "alert", "Open") if is_open else status("quiet", "check", "Closed")
    return (
        f'<div class="gb-event" data-event="{text(event.id, 80)}"'
        f' data-open="{str(is_open).lower()}" data-turbine="{text(event.turbine)}"'
        f' data-kind="{event.kind}">'
        f'<div class="gb-event-top"><span class="gb-name">{text(event.turbine)}</span>'
        f"<span>{KIND_WORDS[event.kind]}</span>{state}</div>"
        f'<div class="gb-sub">{formatting.clock(event.opened, zone)}'
        f" · {formatting.duration(lasted)} · peak {formatting.number(event.peak_score)}"
        f" · model {text(event.model.version, 24)}</div>{carried(event.signals)}</div>"
    )


def carried(signals: Sequence[str], limit: int = SIGNALS_NAMED) -> str:
    """Which signals carry an event, the strongest first; nothing if none is named."""
    if not signals:
        return ""
    named = ", ".join(text(labels.phrase(name), labels.MAX_NAME) for name in signals[:limit])
    more = f" and {len(signals) - limit} more" if len(signals) > limit else ""
    every = ", ".join(text(labels.phrase(name), labels.MAX_NAME) for name in signals)
    return f'<div class="gb-sub gb-carried" title="{every}">carried by {named}{more}</div>'


def section(title: str, sub: str = "") -> str:
    """A heading inside a page."""
    aside = f'<span class="gb-sub">{text(sub)}</span>' if sub else ""
    return f'<div class="gb-section"><h2>{text(title)}</h2>{aside}</div>'

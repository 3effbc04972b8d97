"""Page fragments as HTML strings. Whatever came over the network is escaped here.

Every fragment is one line that starts with a tag: Streamlit then takes it as raw HTML, and the
browser keeps the elements between updates, so nothing flickers.
"""

from collections.abc import Iterable, Sequence
from datetime import tzinfo
from html import escape

from gustbed_dashboard import svg, words
from gustbed_dashboard.snapshot import Condition, SiteSnapshot, TurbineCard
from gustbed_dashboard.theme import KIND_WORDS, LOOKS
from gustbed_protocol.events import AnomalyEvent
from gustbed_protocol.violations import Violation

RPS_FLOOR, VOLTAGE_FLOOR = 2.0, 100.0


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


def indicators(turbine: TurbineCard) -> str:
    """The three kinds of violation, each with its finding."""
    status = turbine.status
    judged = status is not None and turbine.condition in (Condition.OK, Condition.ANOMALY)
    violated = set(status.violations) if status is not None and judged else set()
    cells = []
    for kind, word in KIND_WORDS.items():
        if kind in violated:
            cells.append(
                f'<span class="gb-alarm" data-violation="{kind}">{svg.icon("alert")}{word}</span>'
            )
        else:
            mark = svg.icon("check" if judged else "ring")
            cells.append(f'<span class="gb-fine">{mark}{word}</span>')
    return f'<div class="gb-kinds">{"".join(cells)}</div>'


def card(turbine: TurbineCard, rps_top: float, voltage_top: float) -> str:
    """One turbine of the fleet page."""
    look = LOOKS[turbine.condition]
    rps, voltage = turbine.latest.get("rps"), turbine.latest.get("voltage")
    trend = turbine.trend
    blocks = turbine.status.blocks if turbine.status else 0
    lost = turbine.status.lost if turbine.status else 0
    lost_class = "gb-caution" if lost else "gb-faint"
    name = text(turbine.id)
    score = svg.sparkline(
        [None if value is None else compress(value) for value in trend.score],
        1.0,
        css=f"gb-tall gb-{look.tone}",
        label=f"score of {name} over the last minute",
        threshold=compress(1.0),
    )
    return (
        f'<div class="gb-card gb-edge-{look.tone}" data-turbine="{name}"'
        f' data-condition="{turbine.condition}">'
        f'<div class="gb-head"><span class="gb-{look.tone} gb-glyph">{svg.rotor(rps)}</span>'
        f'<span class="gb-name">{name}</span>{condition(turbine.condition)}</div>'
        f'<div class="gb-score"><span class="gb-big">{words.number(turbine.score)}</span>'
        f'<span class="gb-unit">× threshold</span>'
        f'<span class="gb-note">{text(turbine.note)}</span></div>'
        f"{score}{indicators(turbine)}"
        f'<div class="gb-pair">'
        f"{_signal('Rotor', rps, '1/s', 2, trend.rps, rps_top, 'rotor')}"
        f"{_signal('Voltage', voltage, 'count', 0, trend.voltage, voltage_top, 'voltage')}</div>"
        f'<div class="gb-foot"><span>{words.count(blocks)} blocks</span>'
        f'<span class="{lost_class}">{words.count(lost)} lost</span></div></div>'
    )


def _signal(
    name: str,
    value: float | None,
    unit: str,
    decimals: int,
    values: Sequence[float | None],
    top: float,
    css: str,
) -> str:
    line = svg.sparkline(values, top, css=f"gb-c-{css}", label=f"{name} over the last minute")
    return (
        f'<div class="gb-signal"><span class="gb-label">{name}</span>'
        f'<span class="gb-value">{words.number(value, decimals)}'
        f'<span class="gb-unit">{unit}</span></span>'
        f"{line}</div>"
    )


def tile(turbine: TurbineCard) -> str:
    """One turbine of a large fleet."""
    look = LOOKS[turbine.condition]
    return (
        f'<div class="gb-tile gb-edge-{look.tone}" data-turbine="{text(turbine.id)}"'
        f' data-condition="{turbine.condition}" title="{text(look.word)}">'
        f'<span class="gb-{look.tone}">{svg.icon(look.icon)}</span>'
        f'<span class="gb-name">{text(turbine.id)}</span>'
        f'<span class="gb-tile-score">{words.number(turbine.score)}</span></div>'
    )


def tiles(turbines: Iterable[TurbineCard]) -> str:
    """A large fleet at a glance."""
    return f'<div class="gb-tiles">{"".join(tile(turbine) for turbine in turbines)}</div>'


def _cell(label: str, value: str, sub: str, *, key: str) -> str:
    return (
        f'<div class="gb-cell" data-cell="{key}"><span class="gb-label">{label}</span>'
        f'<span class="gb-cell-value">{value}</span><span class="gb-sub">{sub}</span></div>'
    )


def strip(site: SiteSnapshot) -> str:
    """The site's header: what an operator looks at first."""
    edge = (
        status("ok", "dot", "Online") if site.edge_alive else status("alarm", "cross", "Not heard")
    )
    cloud = (
        status("ok", "dot", "Connected")
        if site.cloud_connected
        else status("caution", "slash", "Cut off")
        if site.edge_alive
        else status("quiet", "question", "Unknown")
    )
    normal = sum(t.condition is Condition.OK for t in site.turbines)
    anomalous = sum(t.condition is Condition.ANOMALY for t in site.turbines)
    opened = len(site.open_events)
    alarm = (
        f'<span class="gb-alarm">{anomalous} with an anomaly</span>' if anomalous else "no anomaly"
    )
    events = f'<span class="gb-alarm">{svg.icon("alert")}{opened}</span>' if opened else "0"
    version = text(site.model.version, 24) if site.model else words.NOTHING
    model = text(site.model.name, 40) if site.model else "no model yet"
    lost = sum(t.status.lost for t in site.turbines if t.status)
    return (
        '<div class="gb-strip">'
        + _cell("Edge", edge, text(site.thing or "waiting for the edge…", 48), key="edge")
        + _cell("Cloud link", cloud, f"{words.count(site.buffered)} waiting", key="cloud")
        + _cell(
            "Model",
            version,
            f"updating: {text(site.update, 40)}" if site.update else model,
            key="model",
        )
        + _cell(
            "Turbines",
            f'{normal}<span class="gb-of"> of {len(site.turbines)} normal</span>',
            alarm,
            key="turbines",
        )
        + _cell("Open events", events, f"{len(site.events)} in the last day", key="events")
        + _cell(
            "Telemetry",
            f'{site.blocks_per_second:.1f}<span class="gb-of"> blocks/s</span>',
            f"{words.count(lost)} lost",
            key="telemetry",
        )
        + "</div>"
    )


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
        f'<div class="gb-sub">{words.clock(event.opened, zone)}'
        f" · {words.duration(lasted)} · peak {words.number(event.peak_score)}"
        f" · model {text(event.model.version, 24)}</div></div>"
    )


def section(title: str, sub: str = "") -> str:
    """A heading inside a page."""
    aside = f'<span class="gb-sub">{text(sub)}</span>' if sub else ""
    return f'<div class="gb-section"><h2>{text(title)}</h2>{aside}</div>'

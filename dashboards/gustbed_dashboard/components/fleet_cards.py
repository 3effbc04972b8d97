"""The fleet page's pieces as HTML: the site's strip, cards and tiles."""

from collections.abc import Iterable

from gustbed_core.telemetry import MINI
from gustbed_core.violations import INJECTABLE, Violation
from gustbed_dashboard import formatting, labels
from gustbed_dashboard.components import svg
from gustbed_dashboard.components.html import carried, compress, condition, status, text
from gustbed_dashboard.components.theme import KIND_WORDS, LOOKS
from gustbed_dashboard.site import card_readings
from gustbed_dashboard.site.card_readings import Reading
from gustbed_dashboard.site.snapshot import Condition, SiteSnapshot, TurbineCard


def indicators(turbine: TurbineCard) -> str:
    """The kinds of violation, each with its finding.

    A miniature shows the reference systems' three, and others only when they are found.
    """
    status = turbine.status
    judged = status is not None and turbine.condition in (Condition.OK, Condition.ANOMALY)
    violated = set(status.violations) if status is not None and judged else set()
    shown = INJECTABLE if turbine.type == MINI else tuple(Violation)
    cells = []
    for kind, word in KIND_WORDS.items():
        if kind in violated:
            cells.append(
                f'<span class="gb-alarm" data-violation="{kind}">{svg.icon("alert")}{word}</span>'
            )
        elif kind in shown:
            mark = svg.icon("check" if judged else "ring")
            cells.append(f'<span class="gb-fine">{mark}{word}</span>')
    return f'<div class="gb-kinds">{"".join(cells)}</div>'


def card(turbine: TurbineCard, tops: list[float]) -> str:
    """One turbine of the fleet page. ``tops`` are the upper ends of its readings' scales."""
    look = LOOKS[turbine.condition]
    blocks = turbine.status.blocks if turbine.status else 0
    lost = turbine.status.lost if turbine.status else 0
    lost_class = "gb-caution" if lost else "gb-faint"
    name = text(turbine.id)
    rotor = svg.rotor(card_readings.spin(turbine.type, turbine.readings, tops[0] if tops else 1.0))
    score = svg.sparkline(
        [None if value is None else compress(value) for value in turbine.trend],
        1.0,
        css=f"gb-tall gb-{look.tone}",
        label=f"score of {name} over the last minute",
        threshold=compress(1.0),
    )
    signals = "".join(_signal(*pair) for pair in zip(turbine.readings, tops, strict=True))
    return (
        f'<div class="gb-card gb-edge-{look.tone}" data-turbine="{name}"'
        f' data-type="{text(turbine.type)}" data-condition="{turbine.condition}">'
        f'<div class="gb-head"><span class="gb-{look.tone} gb-glyph">{rotor}</span>'
        f'<span class="gb-name">{name}</span>{condition(turbine.condition)}</div>'
        f'<div class="gb-score"><span class="gb-big">{formatting.number(turbine.score)}</span>'
        f'<span class="gb-unit">× threshold</span>'
        f'<span class="gb-note">{text(turbine.note)}</span></div>'
        f"{score}{indicators(turbine)}{carried(turbine.carried_by, 2)}"
        f'<div class="gb-pair">{signals}</div>'
        f'<div class="gb-foot"><span>{text(labels.type_words(turbine.type))}'
        f" · {formatting.count(blocks)} blocks</span>"
        f'<span class="{lost_class}">{formatting.count(lost)} lost</span></div></div>'
    )


def _signal(reading: Reading, top: float) -> str:
    what = reading.shown
    name = text(what.title, 40)
    line = svg.sparkline(
        reading.trend, top, css=f"gb-c-{what.tone}", label=f"{name} over the last minute"
    )
    return (
        f'<div class="gb-signal"><span class="gb-label">{name}</span>'
        f'<span class="gb-value">{formatting.number(reading.value, what.decimals)}'
        f'<span class="gb-unit">{text(what.unit)}</span></span>'
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
        f'<span class="gb-tile-score">{formatting.number(turbine.score)}</span></div>'
    )


def tiles(turbines: Iterable[TurbineCard]) -> str:
    """A large fleet at a glance."""
    return f'<div class="gb-tiles">{"".join(tile(turbine) for turbine in turbines)}</div>'


def strip(site: SiteSnapshot) -> str:
    """The site's header: what an operator looks at first."""
    normal = sum(t.condition is Condition.OK for t in site.turbines)
    anomalous = sum(t.condition is Condition.ANOMALY for t in site.turbines)
    opened = len(site.open_events)
    alarm = (
        f'<span class="gb-alarm">{anomalous} with an anomaly</span>' if anomalous else "no anomaly"
    )
    events = f'<span class="gb-alarm">{svg.icon("alert")}{opened}</span>' if opened else "0"
    lost = sum(t.status.lost for t in site.turbines if t.status)
    return (
        '<div class="gb-strip">'
        + _cell("Edge", _edge(site), text(site.thing or "waiting for the edge…", 48), key="edge")
        + _cell(
            "Cloud link", _cloud(site), f"{formatting.count(site.buffered)} waiting", key="cloud"
        )
        + _model(site)
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
            f"{formatting.count(lost)} lost",
            key="telemetry",
        )
        + "</div>"
    )


def _edge(site: SiteSnapshot) -> str:
    if site.edge_alive:
        return status("ok", "dot", "Online")
    return status("alarm", "cross", "Not heard")


def _cloud(site: SiteSnapshot) -> str:
    if site.cloud_connected:
        return status("ok", "dot", "Connected")
    if site.edge_alive:
        return status("caution", "slash", "Cut off")
    return status("quiet", "question", "Unknown")


def _model(site: SiteSnapshot) -> str:
    models = list(site.models.values())
    versions = [text(model.version, 24) for model in models]
    if len(models) > 1:
        title, told = "Models", ", ".join(f"{m.name} {m.version}" for m in models)
        value = f'{len(models)}<span class="gb-of"> types</span>'
    else:
        title, told = "Model", models[0].name if models else "no model yet"
        value = versions[0] if versions else formatting.NOTHING
    if site.update:
        told = f"updating: {site.update}"
    return _cell(title, value, text(told, 80), key="model")


def _cell(label: str, value: str, sub: str, *, key: str) -> str:
    return (
        f'<div class="gb-cell" data-cell="{key}"><span class="gb-label">{label}</span>'
        f'<span class="gb-cell-value">{value}</span><span class="gb-sub">{sub}</span></div>'
    )

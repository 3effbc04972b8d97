"""A challenger beside the serving model as HTML. What came over the network is escaped here."""

from collections.abc import Mapping

from gustbed_core.events import Comparison
from gustbed_dashboard import formatting
from gustbed_dashboard.components import html, verdict_agreement
from gustbed_dashboard.components.model_metrics import FIGURES, Figure, better
from gustbed_dashboard.components.theme import ACCENT, OK, VIOLET

_NEITHER = "#33404d"


def agreement_bars(comparison: Comparison) -> str:
    """Two bars: of all verdicts, and of those that at least one calls an anomaly."""
    either = verdict_agreement.anomalies(comparison)
    both = ("both", "Both", comparison.both, OK)
    serving = ("serving", "Only serving", comparison.only_serving, ACCENT)
    challenger = ("challenger", "Only challenger", comparison.only_challenger, VIOLET)
    neither = ("neither", "Neither", comparison.neither, _NEITHER)
    return (
        '<div class="gb-agreement">'
        + _bar("All verdicts", comparison.verdicts, (neither, both, serving, challenger))
        + _bar("Called an anomaly by one or both", either, (both, serving, challenger))
        + "</div>"
    )


def _bar(title: str, total: int, parts: tuple[tuple[str, str, int, str], ...]) -> str:
    filled = "".join(
        f'<span data-part="{key}" style="flex:{count} 0 0;background:{colour}"'
        f' title="{word}: {formatting.count(count)}"></span>'
        for key, word, count, colour in parts
        if count > 0
    )
    told = ", ".join(f"{word.lower()} {count}" for _, word, count, _ in parts)
    return (
        f'<div><div class="gb-stack-title"><span class="gb-label">{title}</span>'
        f'<span class="gb-num">{formatting.count(total)}</span></div>'
        f'<div class="gb-stack" role="img" aria-label="{title}: {told}">{filled}</div></div>'
    )


def agreement_table(comparison: Comparison) -> str:
    """The four counts and their shares."""
    rows = (
        ("both", "Both call an anomaly", comparison.both, OK),
        ("neither", "Neither does", comparison.neither, _NEITHER),
        ("serving", "Only the serving model", comparison.only_serving, ACCENT),
        ("challenger", "Only the challenger", comparison.only_challenger, VIOLET),
    )
    total = comparison.verdicts
    body = "".join(
        f'<tr data-agreement="{key}"><td><i class="gb-dot" style="background:{colour}"></i>{word}'
        f'</td><td class="gb-num">{formatting.count(count)}</td>'
        f'<td class="gb-num gb-sub">'
        f"{formatting.percent(count / total) if total else formatting.NOTHING}</td></tr>"
        for key, word, count, colour in rows
    )
    return (
        '<table class="gb-table"><thead><tr><th>Verdicts</th><th class="gb-num">Count</th>'
        f'<th class="gb-num">Share</th></tr></thead><tbody>{body}</tbody></table>'
    )


def figures_beside(serving: Mapping[str, str], challenger: Mapping[str, str]) -> str:
    """Both models' key figures; the better one is marked. Empty if no card tells any."""
    cells = ""
    for figure in FIGURES:
        mine, other = serving.get(figure.key), challenger.get(figure.key)
        if mine is None and other is None:
            continue
        winner = better(figure, mine, other) if mine is not None and other is not None else 0
        cells += (
            f'<div class="gb-figure" data-figure="{figure.key}">'
            f'<span class="gb-label">{figure.title}</span>'
            f"{_value(figure, 'serving', mine, best=winner > 0)}"
            f"{_value(figure, 'challenger', other, best=winner < 0)}</div>"
        )
    if not cells:
        return ""
    title = '<span class="gb-label">In evaluation: serving above, challenger below</span>'
    return f'<div data-figures="both">{title}<div class="gb-figures">{cells}</div></div>'


def _value(figure: Figure, model: str, value: str | None, *, best: bool) -> str:
    mark = '<span class="gb-ok" title="the better one">✓</span>' if best else ""
    colour = ACCENT if model == "serving" else VIOLET
    return (
        f'<span class="gb-figure-value" data-model-role="{model}" data-best="{str(best).lower()}">'
        f'<i class="gb-dot" style="background:{colour}"></i>'
        f"{html.text(value or formatting.NOTHING, 16)}"
        f'<span class="gb-unit">{figure.unit}</span>{mark}</span>'
    )


def tiles(figures: Mapping[str, str]) -> str:
    """Key figures of one model; empty if its card tells none."""
    cells = "".join(
        f'<div class="gb-figure" data-figure="{figure.key}">'
        f'<span class="gb-label">{figure.title}</span>'
        f'<span class="gb-figure-value">{html.text(figures[figure.key], 16)}'
        f'<span class="gb-unit">{figure.unit}</span></span></div>'
        for figure in FIGURES
        if figure.key in figures
    )
    return f'<div class="gb-figures">{cells}</div>' if cells else ""

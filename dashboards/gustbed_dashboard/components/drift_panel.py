"""Drift reports as HTML. Files may hold anything: it is escaped here."""

from collections.abc import Sequence

from gustbed_core.drift import DriftReport, FeatureDrift, Level
from gustbed_dashboard import formatting, labels
from gustbed_dashboard.components import html

FEATURES_SHOWN = 8
PSI_FULL = 0.5
"""The index that fills a bar: twice what counts as a large shift."""

_LEVELS: dict[Level, tuple[str, str, str]] = {
    "none": ("ok", "check", "No drift"),
    "moderate": ("caution", "half", "Moderate drift"),
    "large": ("alarm", "alert", "Large drift"),
    "unknown": ("quiet", "question", "Not enough data"),
}
_ADVICE: dict[Level, str] = {
    "none": "The site's data looks like what the model was trained on.",
    "moderate": "Some signals have moved since training: watch the false alarms, and retrain soon.",
    "large": (
        "The site's data is no longer what the model was trained on: its verdicts are worth less."
        " Retrain it on what the sites sent: <code>gustbed model train --from-lake</code>."
    ),
    "unknown": "Too little was seen to say: let the site send more, and run it again.",
}


def reports(found: Sequence[DriftReport], now: float) -> str:
    """Every report, or how to make one."""
    if not found:
        return (
            '<div class="gb-empty">No report yet: run <code>gustbed model drift</code>. It compares'
            " what the site sent with what a model was trained on.</div>"
        )
    return f'<div class="gb-panel">{"".join(_report(report, now) for report in found)}</div>'


def _report(report: DriftReport, now: float) -> str:
    tone, icon, word = _LEVELS[report.overall]
    ranked = sorted(report.features, key=lambda feature: -(feature.psi or 0.0))
    rows = "".join(_feature(row, report.turbine_type) for row in ranked[:FEATURES_SHOWN])
    more = len(ranked) - FEATURES_SHOWN
    tail = f'<div class="gb-sub">and {more} that moved less</div>' if more > 0 else ""
    source = f" · {html.text(report.source, 80)}" if report.source else ""
    return (
        f'<div class="gb-job gb-drift" data-drift="{html.text(report.model, 64)}"'
        f' data-level="{report.overall}"><div class="gb-event-top">'
        f'<span class="gb-name">{html.text(report.model, 64)}</span>'
        f"{html.status(tone, icon, word)}</div>"
        f'<div class="gb-sub">{html.text(labels.type_words(report.turbine_type), 64)}'
        f" · {formatting.duration(now - report.t)} ago{source}</div>"
        f'<div class="gb-plain">{_ADVICE[report.overall]}</div>'
        f'<div class="gb-drifts">{rows}</div>{tail}</div>'
    )


def _feature(feature: FeatureDrift, kind: str) -> str:
    tone, _, word = _LEVELS[feature.level]
    share = 100 * min(max(feature.psi or 0.0, 0.0) / PSI_FULL, 1.0)
    shift = formatting.NOTHING if feature.shift is None else f"{feature.shift:+.2f} σ"
    label = html.text(labels.label(feature.name, kind), labels.MAX_NAME)
    return (
        f'<div class="gb-driftrow gb-{tone}" data-feature="{html.text(feature.name, 64)}"'
        f' data-level="{feature.level}" title="{word}"><span class="gb-drift-name">{label}</span>'
        f'<span class="gb-track"><span class="gb-fill" style="width:{share:.0f}%"></span></span>'
        f'<span class="gb-num">PSI {formatting.number(feature.psi)}</span>'
        f'<span class="gb-num gb-sub">{shift}</span></div>'
    )

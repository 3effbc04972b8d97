"""Drift reports as HTML."""

from collections.abc import Callable, Sequence

from gustbed_core.drift import DriftReport, FeatureDrift, Level
from gustbed_core.turbine_types import TurbineType
from gustbed_dashboard.components.html import render

FEATURES_SHOWN = 8
PSI_FULL = 0.5
"""The index that fills a bar: twice what counts as a large shift."""


_LEVELS: dict[Level, tuple[str, str, str, str]] = {
    "none": (
        "ok",
        "check",
        "No drift",
        "The site's data looks like what the model was trained on.",
    ),
    "moderate": (
        "caution",
        "half",
        "Moderate drift",
        "Some signals have moved since training: watch the false alarms, and retrain soon.",
    ),
    "large": (
        "alarm",
        "alert",
        "Large drift",
        "The site's data is no longer what the model was trained on: its verdicts are worth less."
        " Retrain it on what the sites sent: `gustbed model train --from-lake`.",
    ),
    "unknown": (
        "quiet",
        "question",
        "Not enough data",
        "Too little was seen to say: let the site send more, and run it again.",
    ),
}


def drift_reports(
    found: Sequence[DriftReport], type_named: Callable[[str], TurbineType], now: float
) -> str:
    """Every report, or how to make one; in each, the features that moved most."""
    rows = []
    for report in found:
        ranked = sorted(report.features, key=lambda feature: -(feature.psi or 0.0))
        shown, more = ranked[:FEATURES_SHOWN], len(ranked) - FEATURES_SHOWN
        rows.append((report, type_named(report.turbine_type), shown, more))
    return render("drift_reports", reports=rows, levels=_LEVELS, share=_share, now=now)


def _share(feature: FeatureDrift) -> float:
    return 100 * min(max(feature.psi or 0.0, 0.0) / PSI_FULL, 1.0)

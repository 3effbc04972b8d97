"""Drift reports as HTML."""

from collections.abc import Callable, Sequence

from gustbed_core.drift import DriftReport, FeatureDrift, Level, TurbineDrift
from gustbed_core.turbine_types import TurbineType
from gustbed_dashboard.components.html import render

FEATURES_SHOWN, TURBINES_SHOWN = 8, 6
PSI_FULL = 0.5
"""The index that fills a bar: twice what counts as a large shift."""

_Look = tuple[str, str, str, str]
"""Tone, icon, word and advice."""
_LEVELS: dict[Level, _Look] = {
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
"""Of features, and of reports that say no finding."""
_INPUTS_MOVED: _Look = (
    "caution",
    "half",
    "Inputs moved, verdicts hold",
    "The site's data is not what the model was trained on, and its verdicts hold all the same."
    " Whether it sees faults there, nobody has tested.",
)
_WEIGHT: dict[Level, int] = {"unknown": 0, "none": 1, "moderate": 2, "large": 3}


def drift_reports(
    found: Sequence[DriftReport], type_named: Callable[[str], TurbineType], now: float
) -> str:
    """Every report, or how to make one; in each, the features and turbines that moved most."""
    rows = []
    for report in found:
        ranked = sorted(report.features, key=_rank)
        shown, more = ranked[:FEATURES_SHOWN], len(ranked) - FEATURES_SHOWN
        misfits = sorted(
            (each for each in report.turbines if each.level in ("moderate", "large")),
            key=lambda each: -each.alarms,
        )
        rows.append((report, _look(report), type_named(report.turbine_type), shown, more, misfits))
    return render(
        "drift_reports",
        reports=rows,
        levels=_LEVELS,
        worse=_worse,
        share=_share,
        most=TURBINES_SHOWN,
        now=now,
    )


def _look(report: DriftReport) -> _Look:
    if report.finding == "inputs_moved":
        return _INPUTS_MOVED
    tone, icon, word, advice = _LEVELS[report.overall]
    if report.finding == "misfit":
        advice = f"The model no longer fits {_whom(report.turbines)}: its verdicts are worth less."
        if report.remedy:
            advice += f" If in order: `{report.remedy}`."
    return tone, icon, word, advice


def _whom(turbines: Sequence[TurbineDrift]) -> str:
    single = [each.name for each in turbines if each.level in ("moderate", "large")]
    few = 0 < len(single) <= min(TURBINES_SHOWN, len(turbines) // 2)
    return ", ".join(single) if few else "the turbines"


def _worse(feature: FeatureDrift) -> Level:
    """The larger of both levels: that the feature has moved, and that the model misjudges it."""
    return max(feature.level, feature.fit, key=_WEIGHT.__getitem__)


def _rank(feature: FeatureDrift) -> tuple[int, float]:
    fit = _WEIGHT[feature.fit] if feature.fit in ("moderate", "large") else 0
    return -fit, -(feature.psi or 0.0)


def _share(feature: FeatureDrift) -> float:
    return 100 * min(max(feature.psi or 0.0, 0.0) / PSI_FULL, 1.0)

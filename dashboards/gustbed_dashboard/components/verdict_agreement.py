"""How a shadow model agrees with the serving model, and what that means, in words."""

from gustbed_core.events import Comparison
from gustbed_dashboard.formatting import count, percent

FEW = 1200
"""Verdicts below which nothing should be decided: ten minutes of one turbine."""
_LEANING = 2.0


def agreed(comparison: Comparison) -> float | None:
    """The share of verdicts on which both say the same, None before the first."""
    if comparison.verdicts <= 0:
        return None
    return (comparison.both + comparison.neither) / comparison.verdicts


def anomalies(comparison: Comparison) -> int:
    """Verdicts that at least one of the two calls an anomaly."""
    return comparison.both + comparison.only_serving + comparison.only_shadow


def meaning(comparison: Comparison) -> str:
    """Plain sentences: what was seen, and what an operator may conclude from it."""
    share = agreed(comparison)
    if share is None:
        return (
            "The shadow model has not judged anything beside the serving model yet: it needs a full"
            " window of each turbine first."
        )
    seen = f"Over {count(comparison.verdicts)} verdicts the two agree on {percent(share)}."
    return f"{seen} {_conclusion(comparison)}{_caution(comparison)}"


def _conclusion(comparison: Comparison) -> str:
    serving, shadow = comparison.only_serving, comparison.only_shadow
    if anomalies(comparison) == 0:
        return (
            "Neither called an anomaly, so both are quiet on normal data; whether the shadow model"
            " finds faults, this does not show."
        )
    if serving == shadow == 0:
        return "Every anomaly was called by both: the shadow model changes nothing here."
    if shadow > _LEANING * serving:
        return (
            f"The shadow model alone called {count(shadow)} more: it finds faults sooner,"
            " or raises more false alarms. Look at those moments before you promote it."
        )
    if serving > _LEANING * shadow:
        return (
            f"The shadow model stayed silent on {count(serving)} that the serving model calls"
            " an anomaly: it spares false alarms, or misses faults. Look at those moments before"
            " you promote it."
        )
    return (
        "Where they differ, they differ both ways: neither is simply the more sensitive one."
        " Compare the key figures and the events before you promote it."
    )


def _caution(comparison: Comparison) -> str:
    if comparison.verdicts >= FEW:
        return ""
    return " These are few verdicts: wait for more before you decide."

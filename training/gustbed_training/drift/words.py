"""A comparison for programs and for people."""

from collections.abc import Sequence
from typing import Any

from gustbed_training.drift.comparison import COMMISSION, Drift
from gustbed_training.drift.fit import FEWEST, Fit
from gustbed_training.drift.inputs import FEWEST_WINDOWS
from gustbed_training.drift.levels import Level

SHORT_HOURS = 1.0
"""Within less the weather hardly changes: it alone can pass for drift of inputs."""
_NAMED = 3
"""Features that a headline names."""


def as_json(found: Drift) -> dict[str, Any]:
    """Plain values."""
    return {
        "level": str(found.level),
        "finding": found.finding,
        "remedy": found.remedy,
        "inputs": str(found.inputs),
        "windows": found.windows,
        "hours": None if found.hours is None else round(found.hours, 3),
        "features": [
            {
                "feature": one.feature,
                "unit": one.unit,
                "level": str(one.level),
                "psi": round(one.psi, 4),
                "shift_std": None if one.shift is None else round(one.shift, 4),
                "trained_mean": one.trained_mean,
                "found_mean": one.found_mean,
            }
            for one in found.features
        ],
        "fit": None if found.fit is None else _fit_json(found.fit),
    }


def as_table(found: Drift) -> str:
    """For people: what was found and what to do, then inputs and verdicts, the worst first."""
    blocks = [_headline(found), _remedy(found), _inputs(found), _verdicts(found.fit)]
    return "\n".join(line for block in blocks for line in block)


def _headline(found: Drift) -> list[str]:
    named = ", ".join(found.carriers[:_NAMED])
    moved = [one.feature for one in sorted(found.features, key=lambda one: -one.psi)]
    shifted = [one for one in moved if one in _moved(found)]
    if found.finding == "unknown":
        return [
            f"Drift unknown: {found.windows} windows, {found.fit.captures if found.fit else 0} "
            f"captures; fewer than {FEWEST_WINDOWS} and {FEWEST} can differ by chance."
        ]
    if found.finding == "misfit":
        where = f" in {named}" if named else ""
        return [f"Drift: {found.level}. The model no longer fits{where}.{_little_time(found)}"]
    if found.finding == "inputs_moved":
        return [
            f"Drift: none. Inputs moved ({', '.join(shifted[:_NAMED])}), and the verdicts hold. "
            f"Whether the model sees faults there, nobody has tested.{_little_time(found)}"
        ]
    return [f"Drift: none. The model fits: {_from(found)}."]


def _moved(found: Drift) -> set[str]:
    return {one.feature for one in found.features if one.level.changed}


def _from(found: Drift) -> str:
    within = "" if found.hours is None else f" within {found.hours:.1f} h"
    return f"{found.windows} windows{within}"


def _little_time(found: Drift) -> str:
    if found.hours is None or found.hours >= SHORT_HOURS or not found.inputs.changed:
        return ""
    return (
        f" These are {_from(found)}, which is little time: weather alone may move inputs that far."
    )


def _remedy(found: Drift) -> list[str]:
    if not found.remedy:
        return []
    single = found.remedy.startswith(COMMISSION)
    if not single:
        return [f"The turbines are not those that it learnt. If they are in order: {found.remedy}"]
    names = ", ".join(each.turbine for each in found.misfits)
    return [f"It fits all but {names}. If those are in order: {found.remedy}"]


def _inputs(found: Drift) -> list[str]:
    if not found.features:
        return []
    rows = [("feature", "PSI", "shift, std", "trained", "found", "inputs")]
    rows += [
        (
            one.feature,
            f"{one.psi:.3f}",
            "-" if one.shift is None else f"{one.shift:+.2f}",
            f"{one.trained_mean:.4g}",
            f"{one.found_mean:.4g}",
            str(one.level),
        )
        for one in sorted(found.features, key=lambda one: -one.psi)
    ]
    return ["", *_aligned(rows)]


def _verdicts(fitted: Fit | None) -> list[str]:
    if fitted is None:
        return []
    head = ("feature", "median ratio", "usually", "near 1", "above 1", "fit")
    rows = [
        (
            one.feature,
            f"{one.median:.2f}",
            "-" if one.usual is None else f"{one.usual:.2f}",
            _percent(one.near),
            _percent(one.above),
            _fits(one.level),
        )
        for one in sorted(fitted.features, key=lambda one: (-one.near, -one.median))
    ]
    turbines = [
        (
            each.turbine,
            str(each.captures),
            _percent(each.near),
            _percent(each.above),
            _fits(each.level),
            ", ".join(each.features[:_NAMED]) or "-",
        )
        for each in sorted(fitted.turbines, key=lambda each: (-each.above, -each.near))
    ]
    of_turbines = ("turbine", "captures", "near 1", "above 1", "fit", "in")
    return [
        *(["", *_aligned([head, *rows])] if rows else []),
        "",
        *_aligned([of_turbines, *turbines]),
        "",
        f"Of {fitted.verdicts} verdicts on {fitted.captures} captures, "
        f"{_percent(fitted.above)} are above the threshold.",
    ]


def _fits(level: Level) -> str:
    return {Level.NONE: "yes", Level.MODERATE: "poor", Level.LARGE: "no"}.get(level, "?")


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Columns as wide as they need, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if place in (0, len(widths) - 1) else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _fit_json(fitted: Fit) -> dict[str, Any]:
    return {
        "level": str(fitted.level),
        "captures": fitted.captures,
        "verdicts": fitted.verdicts,
        "above_one": round(fitted.above, 6),
        "everywhere": fitted.everywhere,
        "features": [
            {
                "feature": one.feature,
                "level": str(one.level),
                "near": round(one.near, 6),
                "near_is_above": round(one.limit, 4),
                "above_one": round(one.above, 6),
                "median_ratio": round(one.median, 4),
                "usual_ratio": None if one.usual is None else round(one.usual, 4),
            }
            for one in fitted.features
        ],
        "turbines": [
            {
                "turbine": each.turbine,
                "level": str(each.level),
                "captures": each.captures,
                "near": round(each.near, 6),
                "above_one": round(each.above, 6),
                "features": list(each.features),
            }
            for each in fitted.turbines
        ],
    }

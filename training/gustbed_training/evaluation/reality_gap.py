"""The reality gap in figures: what a model makes of machines that it was not made for."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from gustbed_core.signals import Schema
from gustbed_training.evaluation.evaluate import concluded
from gustbed_training.evaluation.intervals import poisson_interval
from gustbed_training.evaluation.verdicts import Verdicts


@dataclass(frozen=True)
class Judged:
    """Of calm operation: hours, the share of verdicts that accuse, of time with an open event, and
    false events. Of faults: how many, how many were found, and the share of their verdicts that
    accuse.
    """

    calm_hours: float
    false_verdicts: float
    in_alarm: float
    false_events: int
    faults: int
    found: int
    recall: float


@dataclass(frozen=True)
class GapRow:
    """One condition. ``factory`` is how the model judges by itself. ``wide`` is a turbine that is
    not commissioned and does not fit it, ``provisional`` the same after its first minutes, judged
    widely still where it was ``too_early`` for a correction. ``own`` is a commissioned one, None
    where that was ``refused``.
    """

    turbine_type: str
    condition: str
    machine_differs: bool
    factory: Judged
    wide: Judged
    provisional: Judged
    own: Judged | None
    refused: tuple[str, ...] = ()
    too_early: tuple[str, ...] = ()


def judged_by(schema: Schema, found: Sequence[Verdicts]) -> Judged:
    """What verdicts come to."""
    whole = concluded(schema, found, labelled=True)
    return Judged(
        calm_hours=whole.eventwise.calm_hours,
        false_verdicts=whole.pointwise.false_alarm_rate or 0.0,
        in_alarm=whole.eventwise.calm_in_alarm or 0.0,
        false_events=whole.eventwise.false_events,
        faults=len(whole.eventwise.outcomes),
        found=sum(outcome.detected for outcome in whole.eventwise.outcomes),
        recall=whole.pointwise.recall or 0.0,
    )


def pooled(rows: Sequence[Judged]) -> Judged:
    """Several conditions together, weighted by their hours and faults."""
    hours = sum(row.calm_hours for row in rows)
    faults = sum(row.faults for row in rows)
    return Judged(
        hours,
        sum(row.false_verdicts * row.calm_hours for row in rows) / max(hours, 1e-9),
        sum(row.in_alarm * row.calm_hours for row in rows) / max(hours, 1e-9),
        sum(row.false_events for row in rows),
        faults,
        sum(row.found for row in rows),
        sum(row.recall * row.faults for row in rows) / max(faults, 1),
    )


HEADINGS = (
    "condition", "factory: false verdicts", "in alarm", "false events a day", "found", "recall",
    "not commissioned: in alarm", "found", "provisional: false verdicts", "in alarm",
    "false events a day", "found", "recall", "commissioned: false verdicts", "in alarm",
    "false events a day", "found", "recall",
)  # fmt: skip


def table(rows: Sequence[GapRow]) -> str:
    """Markdown, one row per condition and one for all machines that differ together."""
    lines = [f"| {' | '.join(HEADINGS)} |", "| --- |" + " ---: |" * (len(HEADINGS) - 1)]
    lines += [_line(row) for row in rows]
    differing = [row for row in rows if row.machine_differs and row.own is not None]
    if differing:
        together = _together(differing)
        lines.append(_line(together))
        judged = {"Provisionally": together.provisional, "Commissioned": together.own}
        lines += ["", *(_promise(who, one) for who, one in judged.items() if one is not None)]
    told = {"refused": [row.refused for row in rows], "too early": [row.too_early for row in rows]}
    for word, reasons in told.items():
        why = Counter(each.partition(": ")[2] for row in reasons for each in row)
        lines += ["", *(f"- {count} machines were {word}: {words}" for words, count in why.items())]
    return "\n".join(lines).rstrip()


def _together(rows: Sequence[GapRow]) -> GapRow:
    """Rows of commissioned machines, at least one, as one."""
    return GapRow(
        rows[0].turbine_type,
        f"**machines that differ, {len(rows)} together**",
        machine_differs=True,
        factory=pooled([row.factory for row in rows]),
        wide=pooled([row.wide for row in rows]),
        provisional=pooled([row.provisional for row in rows]),
        own=pooled([row.own for row in rows if row.own is not None]),
    )


def _promise(who: str, one: Judged) -> str:
    low, high = poisson_interval(one.false_events)
    days = one.calm_hours / 24
    return (
        f"{who}, {one.false_events} false events in {days:.1f} turbine-days: with 95 % between "
        f"{low / days:.2f} and {high / days:.2f} a day."
    )


def rows_as_json(rows: Sequence[GapRow]) -> list[dict[str, Any]]:
    """For programs."""
    return [asdict(row) for row in rows]


def _line(row: GapRow) -> str:
    cells = [row.condition, *_full(row.factory), _percent(row.wide.in_alarm), _found(row.wide)]
    cells += _full(row.provisional)
    cells += ["refused", *[""] * 4] if row.own is None else _full(row.own)
    return f"| {' | '.join(cells)} |"


def _full(one: Judged) -> list[str]:
    return [
        _percent(one.false_verdicts),
        _percent(one.in_alarm),
        f"{24 * one.false_events / max(one.calm_hours, 1e-9):.1f}",
        _found(one),
        f"{one.recall:.3f}",
    ]


def _found(one: Judged) -> str:
    return f"{one.found}/{one.faults}"


def _percent(share: float) -> str:
    return f"{100 * share:.3f} %" if share < 0.01 else f"{100 * share:.1f} %"

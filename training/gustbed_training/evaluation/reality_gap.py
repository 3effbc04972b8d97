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
    """One condition. ``factory`` is how the model judges by itself, ``wide`` a turbine that is not
    commissioned and does not fit it, ``own`` a commissioned one, None where that was ``refused``.
    """

    turbine_type: str
    condition: str
    machine_differs: bool
    factory: Judged
    wide: Judged
    own: Judged | None
    refused: tuple[str, ...] = ()


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
    "not commissioned: in alarm", "found", "commissioned: false verdicts", "in alarm",
    "false events a day", "found", "recall",
)  # fmt: skip


def table(rows: Sequence[GapRow]) -> str:
    """Markdown, one row per condition and one for all machines that differ together."""
    lines = [f"| {' | '.join(HEADINGS)} |", "| --- |" + " ---: |" * (len(HEADINGS) - 1)]
    lines += [_line(row.condition, row.factory, row.wide, row.own) for row in rows]
    differing = [row for row in rows if row.machine_differs and row.own is not None]
    if differing:
        together = pooled([row.own for row in differing if row.own is not None])
        low, high = poisson_interval(together.false_events)
        days = together.calm_hours / 24
        lines.append(
            _line(
                f"**machines that differ, {len(differing)} together**",
                pooled([row.factory for row in differing]),
                pooled([row.wide for row in differing]),
                together,
            )
        )
        lines += [
            "",
            f"Commissioned, {together.false_events} false events in {days:.1f} turbine-days: with "
            f"95 % between {low / days:.2f} and {high / days:.2f} a day.",
        ]
    why = Counter(each.partition(": ")[2] for row in rows for each in row.refused)
    lines += ["", *(f"- {count} machines were refused: {words}" for words, count in why.items())]
    return "\n".join(lines).rstrip()


def rows_as_json(rows: Sequence[GapRow]) -> list[dict[str, Any]]:
    """For programs."""
    return [asdict(row) for row in rows]


def _line(name: str, factory: Judged, wide: Judged, own: Judged | None) -> str:
    cells = [name, *_full(factory), _percent(wide.in_alarm), _found(wide)]
    cells += ["refused", *[""] * 4] if own is None else _full(own)
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

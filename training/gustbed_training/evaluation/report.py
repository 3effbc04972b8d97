"""An evaluation as JSON, as a table for people, and as the few numbers of a manifest."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from gustbed_training.evaluation.effect_size import STRONG
from gustbed_training.evaluation.evaluate import Calibration, Evaluation, FaultRow
from gustbed_training.evaluation.eventwise import Eventwise
from gustbed_training.evaluation.pointwise import ConfusionCounts


def as_json(result: Evaluation, seeds: Sequence[int] = ()) -> dict[str, Any]:
    """Plain values, None where there is nothing to report.

    Shares from 0 to 1; delays in seconds from a fault's start to its first event; false events
    per turbine-day without faults, with exact Poisson bounds.
    """
    care = result.care
    return {
        "labelled": result.labelled,
        "recordings": result.recordings,
        "verdicts": result.verdicts,
        "turbine_hours_without_faults": _rounded(result.eventwise.calm_hours),
        "pointwise": _pointwise(result.pointwise, result.labelled)
        | {"by_kind": {str(kind): _pointwise(p, True) for kind, p in sorted(result.kinds.items())}},
        "eventwise": _eventwise(result.eventwise, result.labelled),
        "vus_pr": _rounded(result.vus_pr),
        "vus_buffer_verdicts": result.vus_buffer,
        "care": _rounded(care.score) if care else None,
        "care_parts": {
            "coverage": _rounded(care.coverage),
            "accuracy": _rounded(care.accuracy),
            "reliability": _rounded(care.reliability),
            "earliness": _rounded(care.earliness),
            "fault_datasets": care.faults,
            "normal_datasets": care.normal,
            "criticality_verdicts": result.criticality,
        }
        if care
        else None,
        "calibration": _calibration(result.calibration),
        "microseconds_per_window": _rounded(result.microseconds_per_window, 3),
        "by_fault": [_fault(row) for row in result.by_fault],
        "seeds": list(seeds),
    }


def as_metrics(result: Evaluation) -> dict[str, float]:
    """The few numbers that a package's manifest carries; what is not known is left out."""
    events = result.eventwise
    found = {
        "test_turbine_hours": events.calm_hours,
        "precision": result.pointwise.precision if result.labelled else None,
        "recall": result.pointwise.recall,
        "f1": result.pointwise.f1,
        "false_alarm_rate": result.pointwise.false_alarm_rate,
        "event_precision": events.precision if result.labelled else None,
        "event_recall": events.recall,
        "event_f1": events.f1,
        "recall_of_strong": events.recall_of_strong,
        "event_right_kind": events.right_kind,
        "false_per_day": events.false_per_day,
        "calm_in_alarm": events.calm_in_alarm,
        "settled_in_alarm": events.settled_in_alarm,
        "median_delay_s": median(events.delays),
        "vus_pr": result.vus_pr,
        "care": result.care.score if result.care else None,
        "microseconds_per_window": result.microseconds_per_window,
    }
    return {name: round(value, 4) for name, value in found.items() if value is not None}


def as_table(result: Evaluation) -> str:
    """For people."""
    lines = _summary(result)
    if result.by_fault:
        lines += ["", *by_fault_table(result.by_fault)]
    return "\n".join(lines)


def by_fault_table(rows: Sequence[FaultRow]) -> list[str]:
    """Aligned lines, the heading first."""
    widest = max(len("fault"), *(len(row.fault) for row in rows))
    lines = [
        f"{'fault':<{widest}}  severity  moves, std  injected  detected  right kind  exactly one"
        "  median s  90 % s  largest s"
    ]
    for row in rows:
        right = "-" if row.right_kind is None else str(row.right_kind)
        delays = (median(row.delays), percentile_90(row.delays), max(row.delays, default=None))
        middle, most, largest = (number(delay, 1) for delay in delays)
        lines.append(
            f"{row.fault:<{widest}}  {row.severity:>8.2f}  {number(median(row.effect_size), 1):>10}"
            f"  {row.injected:>8}  {row.detected:>8}  {right:>10}"
            f"  {row.exactly_one:>11}  {middle:>8}  {most:>6}  {largest:>9}"
        )
    return lines


def median(values: Sequence[float]) -> float | None:
    """None without any."""
    return float(np.median(values)) if len(values) else None


def percentile_90(values: Sequence[float]) -> float | None:
    """None without any."""
    return float(np.quantile(values, 0.9)) if len(values) else None


def number(value: float | None, digits: int = 3) -> str:
    """A dash for what is not known."""
    return "-" if value is None else f"{value:.{digits}f}"


def percent(share: float | None) -> str:
    """Two digits, as rare alarms need them."""
    return "-" if share is None else f"{100 * share:.2f} %"


def false_events_line(events: Eventwise) -> str:
    """How many false events in how many hours, and what that means by the day."""
    text = f"{events.false_events} in {events.calm_hours:.1f} turbine-hours without faults"
    interval = events.false_per_day_interval
    if interval is None:
        return text
    return (
        f"{text}: {number(events.false_per_day, 2)} per turbine-day "
        f"(95 %: {interval[0]:.2f} to {interval[1]:.2f})"
    )


def strong_line(events: Eventwise) -> str:
    """How many of the faults that stand out were found."""
    found = sum(outcome.detected for outcome in events.strong)
    return (
        f"{found} found of {len(events.strong)} faults that move a feature by {STRONG:g} standard "
        "deviations"
    )


def _summary(result: Evaluation) -> list[str]:
    pointwise, events, care = result.pointwise, result.eventwise, result.care
    lines = [
        f"verdicts   {result.verdicts} of {result.recordings} recordings"
        f"{'' if result.labelled else ', unlabelled: taken as normal'}",
        f"false      events {false_events_line(events)};"
        f" verdicts {percent(pointwise.false_alarm_rate)}",
    ]
    if result.labelled:
        lines += [
            f"pointwise  precision {number(pointwise.precision)}  recall {number(pointwise.recall)}"
            f"  F1 {number(pointwise.f1)}  missed {percent(pointwise.missed_alarm_rate)}",
            f"eventwise  precision {number(events.precision)}  recall {number(events.recall)}"
            f"  F1 {number(events.f1)}  right kind {percent(events.right_kind)}",
            f"strong     {strong_line(events)}",
            f"delay      median {number(median(events.delays), 1)} s"
            f"  90 % within {number(percentile_90(events.delays), 1)} s",
            f"VUS-PR     {number(result.vus_pr)}  (buffers up to {result.vus_buffer} verdicts)",
        ]
    if care:
        lines.append(
            f"CARE       {care.score:.3f}  coverage {care.coverage:.3f}"
            f"  accuracy {care.accuracy:.3f}  reliability {care.reliability:.3f}"
            f"  earliness {care.earliness:.3f}  ({care.faults} faults, {care.normal} normal)"
        )
    aimed = result.calibration
    if aimed.aimed_per_day is not None:
        lines.append(
            f"aimed at   {aimed.aimed_per_day:.3f} false events per turbine-day:"
            f" {'kept' if aimed.agrees else 'not kept'}"
        )
    if result.microseconds_per_window is not None:
        lines.append(f"cost       {result.microseconds_per_window:.1f} µs per window, one thread")
    return lines


def _pointwise(pointwise: ConfusionCounts, labelled: bool) -> dict[str, Any]:
    return {
        "precision": _rounded(pointwise.precision) if labelled else None,
        "recall": _rounded(pointwise.recall),
        "f1": _rounded(pointwise.f1),
        "false_alarm_rate": _rounded(pointwise.false_alarm_rate, 6),
        "missed_alarm_rate": _rounded(pointwise.missed_alarm_rate),
        "counts": asdict(pointwise),
    }


def _eventwise(events: Eventwise, labelled: bool) -> dict[str, Any]:
    interval = events.false_per_day_interval
    return {
        "precision": _rounded(events.precision) if labelled else None,
        "recall": _rounded(events.recall),
        "f1": _rounded(events.f1),
        "faults": len(events.outcomes),
        "detected": sum(outcome.detected for outcome in events.outcomes),
        "true_events": events.true_events,
        "false_events": events.false_events,
        "false_per_day": _rounded(events.false_per_day),
        "false_per_day_interval": [_rounded(bound) for bound in interval] if interval else None,
        "calm_in_alarm": _rounded(events.calm_in_alarm, 6),
        "settled_in_alarm": _rounded(events.settled_in_alarm, 6),
        "settled_turbine_hours": _rounded(events.settled_hours),
        "settling_turbine_hours": _rounded(events.settling_hours),
        "median_delay_s": _rounded(median(events.delays), 3),
        "p90_delay_s": _rounded(percentile_90(events.delays), 3),
        "right_kind": _rounded(events.right_kind),
        "strong_faults": len(events.strong),
        "recall_of_strong": _rounded(events.recall_of_strong),
        "by_kind": {
            str(kind): {
                "precision": _rounded(counts.precision),
                "recall": _rounded(counts.recall),
                "f1": _rounded(counts.f1),
            }
            for kind, counts in sorted(events.kinds.items())
        },
    }


def _calibration(found: Calibration) -> dict[str, Any]:
    return {
        "aimed_false_per_day": found.aimed_per_day,
        "found_false_per_day": _rounded(found.found_per_day),
        "interval": [_rounded(bound) for bound in found.interval] if found.interval else None,
        "turbine_hours": _rounded(found.turbine_hours),
        "kept": found.agrees,
        "verdicts_over_threshold": {n: _rounded(v, 6) for n, v in found.by_feature.items()},
    }


def _fault(row: FaultRow) -> dict[str, Any]:
    return {
        "fault": row.fault,
        "severity": row.severity,
        "kind": str(row.violation) if row.violation else None,
        "moved_std": _rounded(median(row.effect_size), 2),
        "injected": row.injected,
        "detected": row.detected,
        "right_kind": row.right_kind,
        "exactly_one": row.exactly_one,
        "median_delay_s": _rounded(median(row.delays), 3),
        "p90_delay_s": _rounded(percentile_90(row.delays), 3),
        "largest_delay_s": _rounded(max(row.delays, default=None), 3),
    }


def _rounded(value: float | None, digits: int = 4) -> float | None:
    return None if value is None else round(value, digits)

"""An evaluation as JSON and as a table."""

from typing import Any

import numpy as np

from gustbed_protocol.violations import Violation
from gustbed_training.evaluate import Evaluation


def as_json(result: Evaluation) -> dict[str, Any]:
    """Plain values. Delays in seconds from a fault's start to its event."""
    return {
        "turbine_hours_without_faults": round(result.turbine_hours, 4),
        "false_events": {str(kind): count for kind, count in result.false_events.items()},
        "false_events_per_turbine_day": round(result.false_events_per_turbine_day, 4),
        "verdicts": {
            str(kind): {
                "precision": _rounded(points.precision),
                "recall": _rounded(points.recall),
                "f1": _rounded(points.f1),
            }
            for kind, points in result.points.items()
        },
        "faults": [
            {
                "kind": str(kind),
                "severity": severity,
                "injected": found.faults,
                "detected": found.detected,
                "exactly_one_event": found.exactly_one,
                "events_of_another_kind": found.cross_talk,
                "median_delay_s": round(float(np.median(found.delays)), 3)
                if found.delays
                else None,
                "largest_delay_s": round(max(found.delays), 3) if found.delays else None,
            }
            for (kind, severity), found in sorted(result.injections.items())
        ],
    }


def as_table(result: Evaluation) -> str:
    """For people."""
    lines = [
        f"normal: {result.turbine_hours:.2f} turbine-hours, "
        f"{sum(result.false_events.values())} false events "
        f"({result.false_events_per_turbine_day:.2f} per turbine-day)"
    ]
    lines.append(f"{'verdicts':<12}{'precision':>10}{'recall':>10}{'F1':>10}")
    for kind in Violation:
        points = result.points[kind]
        shares = (points.precision, points.recall, points.f1)
        cells = ("-" if share is None else f"{share:.3f}" for share in shares)
        lines.append(f"{kind:<12}" + "".join(f"{cell:>10}" for cell in cells))
    if result.injections:
        lines.append(
            f"{'faults':<12}{'severity':>10}{'injected':>10}{'detected':>10}{'exactly 1':>10}"
            f"{'wrong kind':>11}{'median s':>10}{'largest s':>10}"
        )
    for (kind, severity), found in sorted(result.injections.items()):
        middle = f"{np.median(found.delays):.1f}" if found.delays else "-"
        largest = f"{max(found.delays):.1f}" if found.delays else "-"
        lines.append(
            f"{kind:<12}{severity:>10.2f}{found.faults:>10}{found.detected:>10}"
            f"{found.exactly_one:>10}{found.cross_talk:>11}{middle:>10}{largest:>10}"
        )
    return "\n".join(lines)


def as_metrics(result: Evaluation) -> dict[str, float]:
    """The few numbers that a package's manifest carries, all severities together."""
    metrics = {
        "test_turbine_hours": round(result.turbine_hours, 3),
        "false_events_per_turbine_day": round(result.false_events_per_turbine_day, 4),
    }
    for kind in Violation:
        found = [entry for (k, _), entry in result.injections.items() if k is kind]
        if not found:
            continue
        points = result.points[kind]
        faults = sum(entry.faults for entry in found)
        metrics |= {
            f"{kind}_precision": _rounded(points.precision) or 0.0,
            f"{kind}_recall": _rounded(points.recall) or 0.0,
            f"{kind}_f1": _rounded(points.f1) or 0.0,
            f"{kind}_exactly_one_event": round(sum(e.exactly_one for e in found) / faults, 4),
            f"{kind}_cross_talk": float(sum(e.cross_talk for e in found)),
        }
        delays = [delay for entry in found for delay in entry.delays]
        if delays:
            metrics[f"{kind}_median_delay_s"] = round(float(np.median(delays)), 2)
    return metrics


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 4)

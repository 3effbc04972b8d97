"""Several detectors, trained again and again: one row for each, and which of them ships."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gustbed_training.evaluation.bootstrap import RESAMPLED
from gustbed_training.evaluation.evaluate import Evaluation, FaultRow, rows_by_fault
from gustbed_training.evaluation.eventwise import Eventwise
from gustbed_training.evaluation.intervals import (
    Estimate,
    Interval,
    estimate,
    percentile_interval,
    poisson_interval,
    share_interval,
    width,
)
from gustbed_training.evaluation.report import as_metrics, number

RULE = (
    "Of the detectors whose mean VUS-PR is not below the 95 % confidence interval of the best "
    "one's (the wider one of that over trainings and that over the data), the one that costs least "
    "per window ships."
)
FIGURES: tuple[str, ...] = (
    "vus_pr",
    "care",
    "f1",
    "false_alarm_rate",
    "event_precision",
    "event_recall",
    "event_f1",
    "recall_of_strong",
    "event_right_kind",
    "false_per_day",
    "calm_in_alarm",
    "settled_in_alarm",
    "median_delay_s",
    "microseconds_per_window",
)
_UNBOUNDED = ("false_per_day", "median_delay_s", "microseconds_per_window")


@dataclass(frozen=True)
class Run:
    """One training of a detector, judged on a dataset's test share."""

    dataset: str
    detector: str
    seed: int
    evaluation: Evaluation


@dataclass(frozen=True)
class Row:
    """A detector on a dataset over all its trainings. A figure that no training has is absent.

    ``over_data`` is where the mean figures lie with 95 %, had other recordings of the same sorts
    been judged. ``faults`` are those of one training: all trainings are judged on the same ones.
    """

    dataset: str
    detector: str
    shipped: bool
    seeds: tuple[int, ...]
    figures: dict[str, Estimate]
    over_data: dict[str, Interval]
    runs: tuple[Run, ...]

    @property
    def faults(self) -> int:
        """How many independent faults the figures rest on."""
        return max((len(run.evaluation.eventwise.outcomes) for run in self.runs), default=0)

    @property
    def by_fault(self) -> list[FaultRow]:
        """The faults of all trainings together."""
        return rows_by_fault(o for run in self.runs for o in run.evaluation.eventwise.outcomes)


def compare(runs: Iterable[Run]) -> list[Row]:
    """Rows by dataset in the order given, the best VUS-PR first; one of each dataset ships."""
    groups: dict[str, dict[str, list[Run]]] = {}
    for run in runs:
        groups.setdefault(run.dataset, {}).setdefault(run.detector, []).append(run)
    rows: list[Row] = []
    for dataset, detectors in groups.items():
        figures = {name: _figures(mine) for name, mine in detectors.items()}
        over_data = {name: _over_data(mine) for name, mine in detectors.items()}
        winner = ships(figures, over_data)
        rows += [
            Row(
                dataset=dataset,
                detector=name,
                shipped=name == winner,
                seeds=tuple(run.seed for run in detectors[name]),
                figures=figures[name],
                over_data=over_data[name],
                runs=tuple(detectors[name]),
            )
            for name in sorted(detectors, key=lambda name: -_mean(figures[name], "vus_pr", -1.0))
        ]
    return rows


def ships(
    figures: Mapping[str, Mapping[str, Estimate]],
    over_data: Mapping[str, Mapping[str, Interval]] | None = None,
) -> str | None:
    """The detector that ``RULE`` chooses, from figures and their intervals over the data by
    detector; None without any VUS-PR.
    """
    judged = {name: found for name, found in figures.items() if "vus_pr" in found}
    if not judged:
        return None
    winner = max(judged, key=lambda name: judged[name]["vus_pr"].mean)
    best = judged[winner]["vus_pr"]
    reaches = (best.of_mean, ((over_data or {}).get(winner) or {}).get("vus_pr"))
    known = [reach for reach in reaches if reach is not None]
    least = min(max(known, key=width)[0], best.mean) if known else best.mean
    good = [name for name, found in judged.items() if found["vus_pr"].mean >= least]
    # What was not timed cannot win by its price; equal prices go to the better score.
    return min(
        good,
        key=lambda name: (
            _mean(judged[name], "microseconds_per_window", float("inf")),
            -judged[name]["vus_pr"].mean,
        ),
    )


def rows_as_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """One object for each row. ``<figure>_interval`` is where one more training's figure lies,
    ``<figure>_over_data`` where the mean does over other recordings; ``faults`` are independent
    ones, and turbine-hours those of one training.
    """
    return [
        {
            "detector": row.detector,
            "dataset": row.dataset,
            "shipped": row.shipped,
            "seeds": list(row.seeds),
            **_counts(row),
            **{name: _rounded(row.figures.get(name)) for name in FIGURES},
            **{f"{name}_interval": bounds(row, name) for name in FIGURES},
            **{f"{name}_over_data": data_bounds(row, name) for name in RESAMPLED},
        }
        for row in rows
    ]


def bounds(row: Row, figure: str) -> list[float] | None:
    """Where one more training's figure lies, cut to what is possible."""
    found = row.figures.get(figure)
    if found is None or found.further is None:
        return None
    low, high = found.further
    return [round(max(low, 0.0), 4), round(high if figure in _UNBOUNDED else min(high, 1.0), 4)]


def data_bounds(row: Row, figure: str) -> list[float] | None:
    """Where the mean figure lies over other recordings."""
    found = row.over_data.get(figure)
    return None if found is None else [round(bound, 4) for bound in found]


def _counts(row: Row) -> dict[str, Any]:
    """What figures rest on, the same in all trainings."""
    first = row.runs[0].evaluation
    return {
        "faults": row.faults,
        "recordings": first.recordings,
        "recordings_with_faults": sum(r.faults > 0 for r in first.eventwise.recordings),
        "calm_hours": round(first.eventwise.calm_hours, 4),
        "settled_hours": round(first.eventwise.settled_hours, 4),
        "settling_hours": round(first.eventwise.settling_hours, 4),
    }


def _over_data(runs: Sequence[Run]) -> dict[str, Interval]:
    """By bootstrap, of means over the trainings. Where counts are few, or all of a kind, resampling
    knows no more than was seen: the exact bounds of one training's counts are added.
    """
    found = {}
    for figure in RESAMPLED:
        draws = [run.evaluation.resampled.of(figure) for run in runs if run.evaluation.resampled]
        if len(draws) == len(runs) and all(draws) and len(set(map(len, draws))) == 1:
            means = [sum(each) / len(each) for each in zip(*draws, strict=True)]
            found[figure] = percentile_interval(means)
    events = [run.evaluation.eventwise for run in runs]
    for figure, exact in (
        ("event_recall", _exact_recall), ("false_per_day", _exact_false_per_day),
    ):  # fmt: skip
        if figure in found:
            low, high = exact(events)
            found[figure] = (min(found[figure][0], low), max(found[figure][1], high))
    return found


def _exact_recall(events: Sequence[Eventwise]) -> Interval:
    detected = [sum(outcome.detected for outcome in each.outcomes) for each in events]
    return share_interval(sum(detected) / len(events), len(events[0].outcomes))


def _exact_false_per_day(events: Sequence[Eventwise]) -> Interval:
    days = events[0].calm_hours / 24
    low, high = poisson_interval(sum(each.false_events for each in events) / len(events))
    return low / days, high / days


def rows_as_table(rows: Sequence[Row]) -> str:
    """For people: a block for each dataset, the detector that ships marked."""
    lines: list[str] = []
    widest = max((len(row.detector) for row in rows), default=0)
    for dataset in dict.fromkeys(row.dataset for row in rows):
        mine = [row for row in rows if row.dataset == dataset]
        lines += ["", dataset] if lines else [dataset]
        lines.append(
            f"  {'detector':<{max(widest, 8)}}  {'VUS-PR':>15}  {'CARE':>15}  event recall"
            "  false/day  median s  µs/window  trainings"
        )
        for row in mine:
            lines.append(
                f"{'*' if row.shipped else ' '} {row.detector:<{max(widest, 8)}}"
                f"  {_with_reach(row, 'vus_pr'):>15}  {_with_reach(row, 'care'):>15}"
                f"  {_cell(row, 'event_recall', 3):>12}  {_cell(row, 'false_per_day', 2):>9}"
                f"  {_cell(row, 'median_delay_s', 1):>8}"
                f"  {_cell(row, 'microseconds_per_window', 1):>9}  {len(row.seeds):>9}"
            )
    return "\n".join([*lines, "", f"* ships. {RULE}"])


def _figures(runs: Sequence[Run]) -> dict[str, Estimate]:
    each_run = [as_metrics(run.evaluation) for run in runs]
    found = {name: [metrics[name] for metrics in each_run if name in metrics] for name in FIGURES}
    return {name: estimate(values) for name, values in found.items() if values}


def _mean(figures: Mapping[str, Estimate], name: str, otherwise: float) -> float:
    return figures[name].mean if name in figures else otherwise


def _rounded(found: Estimate | None) -> float | None:
    return round(found.mean, 4) if found else None


def _cell(row: Row, figure: str, digits: int) -> str:
    found = row.figures.get(figure)
    return number(found.mean if found else None, digits)


def _with_reach(row: Row, figure: str) -> str:
    found = row.figures.get(figure)
    if found is None or found.further is None:
        return _cell(row, figure, 3)
    return f"{found.mean:.3f} ± {found.further[1] - found.mean:.3f}"

"""Several detectors, trained again and again: one row for each, and which of them ships."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from gustbed_training.evaluation.evaluate import Evaluation, FaultRow, rows_by_fault
from gustbed_training.evaluation.intervals import Estimate, estimate
from gustbed_training.evaluation.report import as_metrics, number

RULE = (
    "Of the detectors whose mean VUS-PR is not below the 95 % confidence interval of the best "
    "one's, the one that costs least per window ships."
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
    """A detector on a dataset over all its trainings. A figure that no training has is absent."""

    dataset: str
    detector: str
    shipped: bool
    seeds: tuple[int, ...]
    figures: dict[str, Estimate]
    runs: tuple[Run, ...]

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
        winner = ships(figures)
        rows += [
            Row(
                dataset=dataset,
                detector=name,
                shipped=name == winner,
                seeds=tuple(run.seed for run in detectors[name]),
                figures=figures[name],
                runs=tuple(detectors[name]),
            )
            for name in sorted(detectors, key=lambda name: -_mean(figures[name], "vus_pr", -1.0))
        ]
    return rows


def ships(figures: dict[str, dict[str, Estimate]]) -> str | None:
    """The detector that ``RULE`` chooses, from figures by detector; None without any VUS-PR."""
    judged = {name: found for name, found in figures.items() if "vus_pr" in found}
    if not judged:
        return None
    best = max(judged.values(), key=lambda found: found["vus_pr"].mean)["vus_pr"]
    least = best.of_mean[0] if best.of_mean else best.mean
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
    """One object for each row. ``<figure>_interval`` is where one more training's figure lies."""
    return [
        {
            "detector": row.detector,
            "dataset": row.dataset,
            "shipped": row.shipped,
            "seeds": list(row.seeds),
            **{name: _rounded(row.figures.get(name)) for name in FIGURES},
            **{f"{name}_interval": bounds(row, name) for name in FIGURES},
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


def _mean(figures: dict[str, Estimate], name: str, otherwise: float) -> float:
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

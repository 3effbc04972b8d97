"""``docs/detection.md`` for people and ``docs/detection.json`` for programs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import wrap

from gustbed_core.errors import GustbedError
from gustbed_training.evaluation.bootstrap import RESAMPLES
from gustbed_training.evaluation.comparison import (
    RULE,
    Row,
    Run,
    bounds,
    compare,
    data_bounds,
    rows_as_json,
)
from gustbed_training.evaluation.evaluate import FaultRow
from gustbed_training.evaluation.reality_gap import GapRow
from gustbed_training.evaluation.reality_gap import rows_as_json as gap_as_json
from gustbed_training.evaluation.reality_gap import table as gap_table
from gustbed_training.evaluation.report import median, number, percentile_90

PAGE, ROWS, GAP = "detection.md", "detection.json", "reality.json"
_BEGIN, _END = "<!-- machines that differ -->", "<!-- end of machines that differ -->"
_COLUMNS: tuple[tuple[str, str, int], ...] = (
    ("vus_pr", "VUS-PR", 3),
    ("care", "CARE", 3),
    ("f1", "F1 by verdict", 3),
    ("event_recall", "faults found", 3),
    ("recall_of_strong", "strong faults found", 3),
    ("event_precision", "events that are true", 3),
    ("false_per_day", "false events per turbine-day", 2),
    ("calm_in_alarm", "calm time in alarm", 4),
    ("settled_in_alarm", "in alarm after faults that have settled", 4),
    ("median_delay_s", "median delay, s", 1),
    ("microseconds_per_window", "µs per window", 1),
)
_GLOSSARY = f"""## What the figures mean

- **Verdict**: one window judged. It is faulty if a fault is on at its last sample, and accused if
  any signal's ratio of score to threshold, smoothed as on the edge, is above 1. Verdicts that
  settle after a fault count neither way.
- **Event**: what the edge would tell after hysteresis. It is true if it opens while a fault is on,
  and false if none is on or settling. Events of several kinds that overlap are one.
- **Calm time in alarm**: share of the time without a fault that is on or settling during which an
  event is open. An alarm that never closes is one false event, and all of that time.
- **In alarm after faults that have settled**: the same share of the calm time that follows a fault
  in its recording, once what the fault left behind (heat, a machine that stands) is gone.
- **Moves**: how far a fault moves the feature that it moves most, from its mean just before, in
  standard deviations of that feature over all normal operation of the test; the median of such
  faults. Below 1 there is next to nothing to see in any one feature; from 3 a fault is strong.
- **Delay**: from a fault's first sample to the newest sample that the edge had seen when the event
  opened.
- **VUS-PR**: volume under the precision-recall surface of the largest ratio (Paparrizos et al.,
  PVLDB 15(11), 2022), over buffers of up to a window's length. Thresholds only weigh signals
  against each other in it.
- **CARE**: (coverage + earliness + 2 × accuracy + reliability) / 5 (Gück et al., Data 9(12),
  2024). Testbed faults last seconds, not weeks, so an alarm counts from the number of verdicts
  that opens an event.
- **µs per window**: median time of a batch of 128 windows in ONNX Runtime on one thread, by window.
- **(a to b)**: where one more training with another seed lies with 95 % (Student's t, from the
  trainings stated); the data stay the same. Without one there was one training, or all gave the
  same.
- **[a to b]**: where the mean over the trainings lies with 95 %, had other recordings of the same
  sorts been judged: a bootstrap of {RESAMPLES} draws of recordings, one turbine in one run each,
  with and without faults apart. Faults found and false events are given their exact bounds
  (Clopper and Pearson, Poisson) where these are wider. Turbines of one run share its wind, and all
  winds are one simulator's: true intervals are wider.
"""
_GIVEN = """## What compact is given that rivals are not

The turbine's type file names the features that drive each feature, and those that go on from where
they were (inertia). From the data compact learns which states a machine has, and sets limits apart
for each (regimes); and it accuses no feature of what an accused driver explains. And it was
developed on turbines of these types while its figures on this test were known, which flatters it.

Rivals get the same windows of the same features, the same rule for thresholds, the same smoothing
and hysteresis, and none of that: pca, ridge, forest and reference treat all features alike. What
can be tuned without labels is: pca's components, ridge's penalty and forest's statistics are chosen
on normal windows that were held out. So the table says what this knowledge and this method are
worth together. How much a rival would gain from the same knowledge, it does not say.
"""


_GAP_NOTE = """Two machines of each condition, in winds and turbulence that no training run has.
The factory's model judges them by itself; as turbines that are not commissioned and do not fit it,
as widely as machines of the type differ; provisionally, by what their first 15 minutes in that wind
told unasked; and commissioned by one hour in one wind. Printed by

    make reality

**False verdicts** are the share of calm verdicts that accuse; **in alarm** the share of calm time
with an open event: an alarm that never closes is one event, and all of the time. **Recall** is the
share of verdicts during faults that accuse.
"""


@dataclass(frozen=True)
class Results:
    """What was found, and what a reader needs to find it again.

    ``notes`` says by dataset what it holds and how it was made; ``command`` repeats everything;
    ``limits`` are sentences on what the detector cannot do, beside those that the faults show.
    """

    runs: Sequence[Run]
    command: str
    notes: dict[str, str] = field(default_factory=dict)
    limits: Sequence[str] = ()


def write_reality(found: Mapping[str, Sequence[GapRow]], docs: Path) -> tuple[Path, Path]:
    """Write the gap's figures, and its table into the page. Raises ``GustbedError``."""
    rows = {title: gap_as_json(each) for title, each in found.items()}
    path, page = docs / GAP, docs / PAGE
    try:
        path.write_text(json.dumps(rows, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        text = page.read_text(encoding="utf-8") if page.is_file() else ""
        page.write_text(with_gap(text, gap_section(found)), encoding="utf-8")
    except OSError as error:
        raise GustbedError(f"{docs}: {error.strerror}", "name a folder to write to") from error
    return path, page


def gap_section(found: Mapping[str, Sequence[GapRow]]) -> str:
    """The section of the page, between its marks."""
    tables = "\n\n".join(
        f"### {title}\n\n{_judged_on(rows)}\n\n{gap_table(rows)}" for title, rows in found.items()
    )
    return f"{_BEGIN}\n## Machines that differ\n\n{_GAP_NOTE}\n{tables}\n{_END}\n"


def _judged_on(rows: Sequence[GapRow]) -> str:
    hours = min(row.factory.calm_hours for row in rows)
    faults = min(row.factory.faults for row in rows)
    return f"{hours:.1f} calm turbine-hours and {faults} faults a condition, at least."


def with_gap(page: str, section: str) -> str:
    """A page with this section instead of the one that it has, else at its end."""
    start, stop = page.find(_BEGIN), page.find(_END)
    if start < 0 or stop < 0:
        return f"{page.rstrip()}\n\n{section}" if section else page
    return page[:start] + section + page[stop + len(_END) :].lstrip("\n")


def gap_of(page: str) -> str:
    """The section that a page has, or nothing."""
    start, stop = page.find(_BEGIN), page.find(_END)
    return "" if start < 0 or stop < 0 else page[start : stop + len(_END)] + "\n"


def write_detection(results: Results, docs: Path) -> tuple[Path, Path]:
    """Write both files, each whole; return their paths. Raises ``GustbedError``."""
    rows = compare(results.runs)
    text = json.dumps(rows_as_json(rows), indent=2, allow_nan=False) + "\n"
    before = (docs / PAGE).read_text(encoding="utf-8") if (docs / PAGE).is_file() else ""
    page = with_gap(detection_page(results, rows), gap_of(before))
    texts = {docs / PAGE: page, docs / ROWS: text}
    drafts = {path: path.with_name(f".{path.name}.part") for path in texts}
    try:
        docs.mkdir(parents=True, exist_ok=True)
        for path, text in texts.items():
            drafts[path].write_text(text, encoding="utf-8")
        for path, draft in drafts.items():
            draft.replace(path)
    except OSError as error:
        for draft in drafts.values() if docs.is_dir() else ():
            draft.unlink(missing_ok=True)
        raise GustbedError(f"{docs}: {error.strerror}", "name a folder to write to") from error
    return docs / PAGE, docs / ROWS


def detection_page(results: Results, rows: Sequence[Row]) -> str:
    """Markdown."""
    lines = [
        "# Detection",
        "",
        "How well each detector finds labelled faults, on recordings that it neither learnt from",
        "nor was tuned on. Every figure was printed by one command:",
        "",
        f"    {results.command}",
        "",
        *wrap(f"{RULE} The same rows are in [{ROWS}]({ROWS}).", 98),
        "",
    ]
    for dataset in dict.fromkeys(row.dataset for row in rows):
        mine = [row for row in rows if row.dataset == dataset]
        lines += _dataset(dataset, mine, results.notes.get(dataset, ""))
    given = [_GIVEN] if {"compact"} < {row.detector for row in rows} else []
    lines += [*given, _GLOSSARY, *_limits(rows, results.limits)]
    return "\n".join(lines)


def fault_lines(rows: Sequence[FaultRow], trainings: int = 1) -> list[str]:
    """A Markdown table of faults by name and severity, of several trainings together."""
    times = f" × {trainings}" if trainings > 1 else ""
    lines = [
        "| fault | severity | moves, std | injected | found | right kind | exactly one event "
        "| median delay, s | 90 % within, s |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        right = "-" if row.right_kind is None else str(row.right_kind)
        lines.append(
            f"| {row.fault} | {row.severity:g} | {number(median(row.effect_size), 1)} "
            f"| {row.injected // trainings}{times} | {row.detected} | {right} | {row.exactly_one} "
            f"| {number(median(row.delays), 1)} "
            f"| {number(percentile_90(row.delays), 1)} |"
        )
    return lines


def _dataset(name: str, rows: Sequence[Row], note: str) -> list[str]:
    lines = [f"## {name}", ""]
    if note:
        lines += [note, ""]
    titles = " | ".join(title for _, title, _ in _COLUMNS)
    lines += [f"| detector | {titles} | trainings |", "| --- |" + " ---: |" * (len(_COLUMNS) + 1)]
    for row in rows:
        name_cell = f"**{row.detector}** (ships)" if row.shipped else row.detector
        cells = " | ".join(_cell(row, figure, digits) for figure, _, digits in _COLUMNS)
        lines.append(f"| {name_cell} | {cells} | {len(row.seeds)} |")
    lines += ["", _verdict(rows), "", *wrap(_rests_on(rows[0]), 98), ""] if rows else []
    shipped = next((row for row in rows if row.shipped), None)
    if shipped and shipped.by_fault:
        trainings = len(shipped.seeds)
        times = f", {trainings} trainings together" if trainings > 1 else ""
        lines += [f"Faults, judged by {shipped.detector}{times}:", ""]
        lines += [*fault_lines(shipped.by_fault, trainings), ""]
    return lines


def _rests_on(row: Row) -> str:
    """How much was judged, and what of it is judged neither way."""
    first = row.runs[0].evaluation
    events = first.eventwise
    faulty = sum(each.faults > 0 for each in events.recordings)
    text = (
        f"All figures rest on {row.faults} independent faults in {faulty} of {first.recordings} "
        f"recordings; every training is judged on the same ones. {events.calm_hours:.1f} "
        f"turbine-hours are calm; {events.settling_hours:.1f} count neither way, for something "
        "settles in them."
    )
    if not row.faults:
        return text
    if not events.settled_hours:
        return (
            f"{text} The recordings end before their faults have settled: what detectors do "
            "afterwards is not judged."
        )
    return (
        f"{text} {events.settled_hours:.1f} of the calm ones follow a fault that has settled, in "
        "the same recording."
    )


def _verdict(rows: Sequence[Row]) -> str:
    """Whether what ships also has the best VUS-PR, said plainly."""
    shipped = next((row for row in rows if row.shipped), None)
    if shipped is None:
        return "No labels: nothing to choose by."
    better = [
        row.detector
        for row in rows
        if "vus_pr" in row.figures and row.figures["vus_pr"].mean > shipped.figures["vus_pr"].mean
    ]
    if not better:
        others = [row.detector for row in rows if row is not shipped]
        return (
            f"{shipped.detector} ships: it beats {_listed(others)} on VUS-PR."
            if others
            else f"{shipped.detector} ships: there is no other."
        )
    return (
        f"{shipped.detector} ships although it does not beat {_listed(better)} on VUS-PR: the "
        "difference lies within the interval, and it costs less per window."
    )


def _limits(rows: Sequence[Row], limits: Sequence[str]) -> list[str]:
    lines = ["## What it cannot do", ""]
    for row in rows:
        if not row.shipped:
            continue
        missed = [f for f in row.by_fault if f.detected < f.injected]
        text = [f"{f.fault} at {f.severity:g} ({f.detected} of {f.injected})" for f in missed]
        if text:
            lines.append(f"- {row.dataset}: {row.detector} does not find every {_listed(text)}.")
        elif row.by_fault:
            lines.append(f"- {row.dataset}: {row.detector} missed no fault of this test.")
    lines += [f"- {limit}" for limit in limits]
    lines.append("- Faults unlike those above, and turbines unlike those recorded, are untested.")
    return [*lines, ""]


def _cell(row: Row, figure: str, digits: int) -> str:
    found = row.figures.get(figure)
    if found is None:
        return "-"
    text = number(found.mean, digits)
    trained = None if figure == "microseconds_per_window" else bounds(row, figure)
    again = f" ({_span(trained, digits)})" if trained else ""
    if again == f" ({text} to {text})":
        again = ""
    judged = data_bounds(row, figure)
    return f"{text}{again}{f' [{_span(judged, digits)}]' if judged else ''}"


def _span(interval: Sequence[float], digits: int) -> str:
    return " to ".join(number(bound, digits) for bound in interval)


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1] if names else ""]))

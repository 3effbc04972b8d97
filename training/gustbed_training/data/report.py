"""A dataset's report: one HTML file to open anywhere, with everything in it."""

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from gustbed_core.errors import GustbedError
from gustbed_training.data import plots
from gustbed_training.data.dataset import Dataset, open_dataset
from gustbed_training.data.dataset_summary import FAULTY, DatasetSummary, summarize
from gustbed_training.data.partition import Label

_MAX_TABLE = 12
"""Rows that are shown before the rest is folded away."""
_SAMPLES = (("train", "training"), ("test", "tests, normal"), (FAULTY, "tests, faulty"))


def write_report(dataset_dir: Path, out: Path) -> Path:
    """Write the report of a dataset to ``out``, a file or a folder; return the file.

    Raises ``GustbedError``.
    """
    dataset = open_dataset(dataset_dir)
    summary = summarize(dataset)
    with plots.styled():
        page = render(dataset, summary)
    path = out if out.suffix == ".html" else out / "report.html"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        part.write_text(page, encoding="utf-8")
        part.rename(path)
    except OSError as error:
        raise GustbedError(f"{path}: {error.strerror}", "name a file to write to") from error
    return path


def render(dataset: Dataset, summary: DatasetSummary) -> str:
    """The whole page."""
    title = f"Dataset {dataset.folder.resolve().name}"
    style = (files("gustbed_training.data") / "report.css").read_text(encoding="utf-8")
    body = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="sub">{_headline(dataset, summary)}</p>',
        _tiles(summary),
        _card(dataset),
        _shares(summary),
        _channels(summary),
        _labels(summary),
        _plots(summary),
        _recordings(summary),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style></head>\n"
        f"<body><main>\n{''.join(body)}\n</main></body></html>\n"
    )


def _headline(dataset: Dataset, summary: DatasetSummary) -> str:
    schema = dataset.schema
    said = "labelled" if summary.labelled else "without labels: nobody said what is a fault"
    return escape(
        f"Turbine type {schema.turbine_type}, sampled at {schema.sample_rate_hz:g} Hz, {said}. "
        f"Windows of {schema.window} samples ({schema.window / schema.sample_rate_hz:g} s), one "
        f"every {schema.step / schema.sample_rate_hz:g} s."
    )


def _tiles(summary: DatasetSummary) -> str:
    rate = summary.schema.sample_rate_hz
    hours = sum(recording.samples for recording in summary.recordings) / rate / 3600
    gaps = [recording.gap for recording in summary.recordings if recording.gap > 0]
    rows = [
        (f"{len({recording.file for recording in summary.recordings})}", "recordings"),
        (_hours(hours), "turbine-hours" if hours >= 1 else "of samples"),
        (f"{len(summary.schema.channels)}", "channels"),
        (f"{len(summary.schema.features)}", "features"),
        (f"{len(summary.labels)}", "labelled faults"),
        (f"{len(gaps)}", "gaps" + (f", {sum(gaps):,.0f} s missing" if gaps else "")),
    ]
    cells = "".join(f'<div class="tile"><b>{b}</b><span>{s}</span></div>' for b, s in rows)
    return f'<div class="tiles">{cells}</div>'


def _card(dataset: Dataset) -> str:
    card = dataset.card
    entries: list[tuple[str, str]] = [("folder", str(dataset.folder.resolve()))]
    entries += [("content", dataset.digest()[:16])]
    entries += [(name, str(card[name])) for name in ("seed", "hours", "begins") if name in card]
    if "profile" in card:
        entries.append(("made by the twin", f"profile {card['profile']['name']}"))
    if "source" in card:
        entries.append(("from", f"{len(card['source'])} files"))
    entries += [("split", _split(dataset))]
    counts = _import_counts(card)
    if counts:
        entries.append(("rows", counts))
    if "captures" in card:
        counted = ", ".join(f"{n} {what}" for what, n in card["captures"].items())
        entries.append(("captures", counted))
    versions = ", ".join(f"{name} {number}" for name, number in card.get("versions", {}).items())
    entries += [("written with", versions)] if versions else []
    rows = "".join(f"<dt>{escape(key)}</dt><dd>{escape(text)}</dd>" for key, text in entries)
    sources = ""
    if "source" in card:
        table = _table(["file", "SHA-256"], [list(pair) for pair in card["source"].items()], "")
        sources = f"<details><summary>source files</summary>{table}</details>"
    return f"<h2>Where it is from</h2><dl>{rows}</dl>{sources}"


def _split(dataset: Dataset) -> str:
    rule = dataset.split
    if rule.by_stretch:
        return "whole stretches in order of time"
    if rule.fit is not None:
        few = sorted(set(rule.fit.values())) if isinstance(rule.fit, dict) else [rule.fit]
        first = f"{few[0]}" if len(few) == 1 else f"{few[0]} to {few[-1]}"
        return f"the first {first} samples of each recording may be learnt from"
    if rule.test_turbines:
        return f"for tests alone: {', '.join(rule.test_turbines)}"
    if dataset.has_roles:
        return "runs say what they are for; training runs by time as well"
    return "by time, a window apart; recordings with a labelled fault are for tests alone"


def _import_counts(card: dict[str, Any]) -> str:
    recordings = card.get("recordings")
    if not isinstance(recordings, list):
        return ""
    total = {
        name: sum(each[name] for each in recordings)
        for name in ("rows", "kept", "filled", "held", "cut", "breaks")
    }
    return (
        f"{total['rows']:,} read, {total['kept']:,} kept, {total['cut']:,} cut; "
        f"{total['filled']:,} samples and {total['held']:,} values held over gaps; "
        f"{total['breaks']:,} breaks"
    )


def _shares(summary: DatasetSummary) -> str:
    rate = summary.schema.sample_rate_hz
    rows = []
    for subset in ("train", "calibrate", "test"):
        spans = [
            stop - start
            for recording in summary.recordings
            for name, start, stop in recording.subsets
            if name == subset
        ]
        windows = sum((n - summary.schema.window) // summary.schema.step + 1 for n in spans)
        rows.append([subset, str(len(spans)), _hours(sum(spans) / rate / 3600), f"{windows:,}"])
    table = _table(["share", "parts", "time", "windows"], rows, " nnn")
    none = sum(1 for recording in summary.recordings if not recording.subsets)
    words = f" {none} recordings are too short or not to be used." if none else ""
    plot = _figure(
        plots.partition_plot(summary),
        "Samples of each recording by share",
        "Between two parts lies the length of a window at least, unless the dataset itself says "
        f"where tests begin.{words}",
        [("train", "train"), ("calibrate", "calibrate"), ("test", "test")],
    )
    return (
        "<h2>Who sees what</h2><p>Training and statistics see the first share alone, thresholds "
        f"the second, and tests share no sample with either.</p>{table}{plot}"
    )


def _channels(summary: DatasetSummary) -> str:
    train, test = summary.channels.get("train"), summary.channels.get("test")
    seen = train or test or summary.channels.get("calibrate")
    if seen is None:
        return ""
    rows = []
    outside = 0
    for i, channel in enumerate(summary.schema.channels):
        cells = [_number(v[i]) for v in (seen.low, seen.mean, seen.std, seen.high)]
        held = seen.repeats[i] / max(seen.samples - 1, 1)
        beyond = ""
        if train is not None and test is not None:
            cells += [_number(test.low[i]), _number(test.high[i])]
            if test.low[i] < train.low[i] or test.high[i] > train.high[i]:
                beyond, outside = " *", outside + 1
        rows.append([channel.name + beyond, channel.unit, *cells, f"{held:.0%}"])
    head = ["channel", "unit", "min", "mean", "σ", "max"]
    if train is not None and test is not None:
        head += ["test min", "test max"]
    table = _table([*head, "repeated"], rows, "  " + "n" * (len(head) - 1), fold=False)
    note = (
        f"* {outside} channels leave the range of the training part in tests. " if outside else ""
    )
    return (
        "<h2>Channels</h2><p>Statistics are those of the training part alone. <em>Repeated</em> is "
        "the share of samples equal to the one before: near 100 % for sensors that are read more "
        f'slowly than the turbine sends.</p>{table}<p class="note">{note}</p>'
    )


def _labels(summary: DatasetSummary) -> str:
    if not summary.labels:
        return ""
    by_fault: dict[str, list[Label]] = defaultdict(list)
    for _, label in summary.labels:
        by_fault[label.fault].append(label)
    rate = summary.schema.sample_rate_hz
    rows = []
    for fault, labels in sorted(by_fault.items()):
        lengths = [(label.stop - label.start) / rate for label in labels]
        severities = sorted({round(label.severity, 2) for label in labels})
        alignment = sorted({label.violation for label in labels if label.violation})
        signals = list(dict.fromkeys(s for label in labels for s in label.signals))
        rows.append([
            fault, str(len(labels)), f"{np.median(lengths):,.0f} s", f"{sum(lengths):,.0f} s",
            _span(severities), ", ".join(alignment) or "any", _few(signals),
        ])  # fmt: skip
    head = ["fault", "times", "median", "in all", "severity", "violation", "signals"]
    return f"<h2>Labels</h2>{_table(head, rows, ' nnnn', fold=False)}"


def _plots(summary: DatasetSummary) -> str:
    if summary.example is None or not summary.features:
        return ""
    example = summary.example
    where = example.recording.turbine
    of = f"Around {example.label.fault} in {where}" if example.label else f"The start of {where}"
    shaded = " The fault is shaded." if example.label else ""
    figures = [
        "<h2>Signals</h2>",
        _figure(
            plots.channels_plot(summary, example),
            f"{of}: channels as they were recorded",
            f"{of}, as recorded.{shaded}",
        ),
        _figure(
            plots.features_plot(summary, example),
            f"{of}: features, standardised and denoised",
            "What is made of them: features in standard deviations of the training part, and the "
            "same without the noise of their finest wavelets (dark).",
        ),
    ]
    if "train" in summary.features:
        figures += [
            "<h2>Features</h2>",
            _figure(
                plots.histograms_plot(summary),
                "Distribution of each feature by share",
                "Features in training and in tests. Normal samples of tests should lie where those "
                "of training do; where they do not, the turbine or the weather has changed.",
                [(name, words) for name, words in _SAMPLES if len(summary.features.get(name, ()))],
            ),
            _figure(
                plots.correlation_plot(summary),
                "Correlation of every two features",
                "Correlation in the training part.",
                wide=False,
            ),
        ]
    return "".join(figures)


def _recordings(summary: DatasetSummary) -> str:
    rate = summary.schema.sample_rate_hz
    rows = [
        [
            recording.file, recording.role, _hours(recording.samples / rate / 3600),
            f"{recording.gap:,.1f} s" if recording.gap else "", str(recording.labels or ""),
            ", ".join(dict.fromkeys(subset for subset, _, _ in recording.subsets)) or "unused",
        ]
        for recording in summary.recordings
    ]  # fmt: skip
    head = ["recording", "role", "length", "gap before", "labels", "used for"]
    return f"<h2>Recordings</h2>{_table(head, rows, '  nnn')}"


def _figure(
    figure: Any,
    alt: str,
    caption: str,
    legend: Sequence[tuple[str, str]] = (),
    *,
    wide: bool = True,
) -> str:
    """``legend`` names subsets in words; a wide plot takes the page's width."""
    svg = plots.as_svg(figure, alt)
    keys = "".join(
        f'<span><i style="background:{plots.COLOURS[subset]}"></i>{escape(words)}</span>'
        for subset, words in legend
    )
    rows = f'<div class="legend">{keys}</div>' if keys else ""
    attribute = ' class="full"' if wide else ""
    return f"<figure{attribute}>{rows}{svg}<figcaption>{escape(caption)}</figcaption></figure>"


def _table(
    head: Sequence[str], rows: Sequence[Sequence[str]], alignment: str, *, fold: bool = True
) -> str:
    """``kinds`` has an ``n`` for every column of numbers."""

    def cells(tag: str, texts: Iterable[str]) -> str:
        return "".join(
            f"<{tag}{' class=n' if alignment[i : i + 1] == 'n' else ''}>{escape(text)}</{tag}>"
            for i, text in enumerate(texts)
        )

    def table(body: Sequence[Sequence[str]]) -> str:
        lines = "".join(f"<tr>{cells('td', row)}</tr>" for row in body)
        return (
            f'<div class="wide"><table><thead><tr>{cells("th", head)}</tr></thead>'
            f"<tbody>{lines}</tbody></table></div>"
        )

    if not fold or len(rows) <= _MAX_TABLE:
        return table(rows)
    rest = f"<details><summary>{len(rows) - _MAX_TABLE} more</summary>{table(rows[_MAX_TABLE:])}"
    return f"{table(rows[:_MAX_TABLE])}{rest}</details>"


def _hours(hours: float) -> str:
    if hours >= 1:
        return f"{hours:,.1f} h"
    return f"{hours * 60:.1f} min"


def _number(value: float) -> str:
    return f"{value:.4g}"


def _span(values: Sequence[float]) -> str:
    return f"{values[0]:g}" if len(values) == 1 else f"{values[0]:g} to {values[-1]:g}"


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")

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
from gustbed_training.data import pictures
from gustbed_training.data.dataset import Dataset, open_dataset
from gustbed_training.data.shares import Label
from gustbed_training.data.survey import FAULTY, Survey, survey_of

_MAX_TABLE = 12
"""Rows that are shown before the rest is folded away."""
_SAMPLES = (("train", "training"), ("test", "tests, normal"), (FAULTY, "tests, faulty"))


def write_report(dataset_dir: Path, out: Path) -> Path:
    """Write the report of a dataset to ``out``, a file or a folder; return the file.

    Raises ``GustbedError``.
    """
    dataset = open_dataset(dataset_dir)
    survey = survey_of(dataset)
    with pictures.styled():
        page = render(dataset, survey)
    path = out if out.suffix == ".html" else out / "report.html"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        part.write_text(page, encoding="utf-8")
        part.rename(path)
    except OSError as error:
        raise GustbedError(f"{path}: {error.strerror}", "name a file to write to") from error
    return path


def render(dataset: Dataset, survey: Survey) -> str:
    """The whole page."""
    title = f"Dataset {dataset.folder.resolve().name}"
    style = (files("gustbed_training.data") / "report.css").read_text(encoding="utf-8")
    body = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="sub">{_headline(dataset, survey)}</p>',
        _tiles(survey),
        _card(dataset),
        _shares(survey),
        _channels(survey),
        _labels(survey),
        _pictures(survey),
        _recordings(survey),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style></head>\n"
        f"<body><main>\n{''.join(body)}\n</main></body></html>\n"
    )


def _headline(dataset: Dataset, survey: Survey) -> str:
    schema = dataset.schema
    said = "labelled" if survey.labelled else "without labels: nobody said what is a fault"
    return escape(
        f"Turbine type {schema.turbine_type}, sampled at {schema.sample_rate_hz:g} Hz, {said}. "
        f"Windows of {schema.window} samples ({schema.window / schema.sample_rate_hz:g} s), one "
        f"every {schema.step / schema.sample_rate_hz:g} s."
    )


def _tiles(survey: Survey) -> str:
    rate = survey.schema.sample_rate_hz
    hours = sum(stretch.samples for stretch in survey.stretches) / rate / 3600
    gaps = [stretch.gap for stretch in survey.stretches if stretch.gap > 0]
    told = [
        (f"{len({stretch.file for stretch in survey.stretches})}", "recordings"),
        (_hours(hours), "turbine-hours" if hours >= 1 else "of samples"),
        (f"{len(survey.schema.channels)}", "channels"),
        (f"{len(survey.schema.features)}", "features"),
        (f"{len(survey.labels)}", "labelled faults"),
        (f"{len(gaps)}", "gaps" + (f", {sum(gaps):,.0f} s missing" if gaps else "")),
    ]
    cells = "".join(f'<div class="tile"><b>{b}</b><span>{s}</span></div>' for b, s in told)
    return f'<div class="tiles">{cells}</div>'


def _card(dataset: Dataset) -> str:
    card = dataset.card
    told: list[tuple[str, str]] = [("folder", str(dataset.folder.resolve()))]
    told += [("content", dataset.digest()[:16])]
    told += [(name, str(card[name])) for name in ("seed", "hours", "begins") if name in card]
    if "profile" in card:
        told.append(("made by the twin", f"profile {card['profile']['name']}"))
    if "source" in card:
        told.append(("from", f"{len(card['source'])} files"))
    told += [("split", _split(dataset))]
    counts = _import_counts(card)
    if counts:
        told.append(("rows", counts))
    if "captures" in card:
        counted = ", ".join(f"{n} {what}" for what, n in card["captures"].items())
        told.append(("captures", counted))
    versions = ", ".join(f"{name} {number}" for name, number in card.get("versions", {}).items())
    told += [("written with", versions)] if versions else []
    rows = "".join(f"<dt>{escape(key)}</dt><dd>{escape(text)}</dd>" for key, text in told)
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


def _shares(survey: Survey) -> str:
    rate = survey.schema.sample_rate_hz
    rows = []
    for share in ("train", "calibrate", "test"):
        spans = [
            stop - start
            for stretch in survey.stretches
            for name, start, stop in stretch.shares
            if name == share
        ]
        windows = sum((n - survey.schema.window) // survey.schema.step + 1 for n in spans)
        rows.append([share, str(len(spans)), _hours(sum(spans) / rate / 3600), f"{windows:,}"])
    table = _table(["share", "parts", "time", "windows"], rows, " nnn")
    none = sum(1 for stretch in survey.stretches if not stretch.shares)
    words = f" {none} recordings are too short or not to be used." if none else ""
    picture = _figure(
        pictures.shares_picture(survey),
        "Samples of each recording by share",
        "Between two parts lies the length of a window at least, unless the dataset itself says "
        f"where tests begin.{words}",
        [("train", "train"), ("calibrate", "calibrate"), ("test", "test")],
    )
    return (
        "<h2>Who sees what</h2><p>Training and statistics see the first share alone, thresholds "
        f"the second, and tests share no sample with either.</p>{table}{picture}"
    )


def _channels(survey: Survey) -> str:
    train, test = survey.channels.get("train"), survey.channels.get("test")
    seen = train or test or survey.channels.get("calibrate")
    if seen is None:
        return ""
    rows = []
    outside = 0
    for i, channel in enumerate(survey.schema.channels):
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


def _labels(survey: Survey) -> str:
    if not survey.labels:
        return ""
    by_fault: dict[str, list[Label]] = defaultdict(list)
    for _, label in survey.labels:
        by_fault[label.fault].append(label)
    rate = survey.schema.sample_rate_hz
    rows = []
    for fault, labels in sorted(by_fault.items()):
        lengths = [(label.stop - label.start) / rate for label in labels]
        severities = sorted({round(label.severity, 2) for label in labels})
        kinds = sorted({label.violation.value for label in labels if label.violation})
        signals = list(dict.fromkeys(s for label in labels for s in label.signals))
        rows.append([
            fault, str(len(labels)), f"{np.median(lengths):,.0f} s", f"{sum(lengths):,.0f} s",
            _span(severities), ", ".join(kinds) or "any", _few(signals),
        ])  # fmt: skip
    head = ["fault", "times", "median", "in all", "severity", "violation", "signals"]
    return f"<h2>Labels</h2>{_table(head, rows, ' nnnn', fold=False)}"


def _pictures(survey: Survey) -> str:
    if survey.example is None or not survey.features:
        return ""
    example = survey.example
    where = example.recording.turbine
    of = f"Around {example.label.fault} in {where}" if example.label else f"The start of {where}"
    shaded = " The fault is shaded." if example.label else ""
    figures = [
        "<h2>Signals</h2>",
        _figure(
            pictures.signals_picture(survey, example),
            f"{of}: channels as they were recorded",
            f"{of}, as recorded.{shaded}",
        ),
        _figure(
            pictures.prepared_picture(survey, example),
            f"{of}: features, standardised and denoised",
            "What is made of them: features in standard deviations of the training part, and the "
            "same without the noise of their finest wavelets (dark).",
        ),
    ]
    if "train" in survey.features:
        figures += [
            "<h2>Features</h2>",
            _figure(
                pictures.histograms_picture(survey),
                "Distribution of each feature by share",
                "Features in training and in tests. Normal samples of tests should lie where those "
                "of training do; where they do not, the turbine or the weather has changed.",
                [(name, words) for name, words in _SAMPLES if len(survey.features.get(name, ()))],
            ),
            _figure(
                pictures.correlation_picture(survey),
                "Correlation of every two features",
                "Correlation in the training part.",
                wide=False,
            ),
        ]
    return "".join(figures)


def _recordings(survey: Survey) -> str:
    rate = survey.schema.sample_rate_hz
    rows = [
        [
            stretch.file, stretch.role, _hours(stretch.samples / rate / 3600),
            f"{stretch.gap:,.1f} s" if stretch.gap else "", str(stretch.labels or ""),
            ", ".join(dict.fromkeys(share for share, _, _ in stretch.shares)) or "unused",
        ]
        for stretch in survey.stretches
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
    """``legend`` names shares in words; a wide picture takes the page's width."""
    svg = pictures.as_svg(figure, alt)
    keys = "".join(
        f'<span><i style="background:{pictures.COLOURS[share]}"></i>{escape(words)}</span>'
        for share, words in legend
    )
    told = f'<div class="legend">{keys}</div>' if keys else ""
    kind = ' class="full"' if wide else ""
    return f"<figure{kind}>{told}{svg}<figcaption>{escape(caption)}</figcaption></figure>"


def _table(
    head: Sequence[str], rows: Sequence[Sequence[str]], kinds: str, *, fold: bool = True
) -> str:
    """``kinds`` has an ``n`` for every column of numbers."""

    def cells(tag: str, texts: Iterable[str]) -> str:
        return "".join(
            f"<{tag}{' class=n' if kinds[i : i + 1] == 'n' else ''}>{escape(text)}</{tag}>"
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

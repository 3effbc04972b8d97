"""The plots of a dataset's report, as SVG."""

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from html import escape
from typing import Any
from zlib import crc32

import matplotlib as mpl
import numpy as np
import pywt
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gustbed_core.features import Engineer
from gustbed_training.data.dataset_summary import FAULTY, DatasetSummary, Example

INK, MUTED, LINE = "#1d2733", "#66727f", "#d9dfe5"
COLOURS = {"train": "#1f7a8c", "calibrate": "#d08c1d", "test": "#6b5bbd", FAULTY: "#c8402f"}
"""By share; ``faulty`` are the samples of tests that a label covers."""
_POINTS = 1200
"""Of a line: more cannot be seen."""
_MAX_SIGNALS = 8
_MAX_BARS = 60
_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "gustbed",
    "font.family": "sans-serif",
    "font.sans-serif": ["Inter", "Segoe UI", "Helvetica Neue", "Arial", "DejaVu Sans"],
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": LINE,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "axes.grid": True,
    "grid.color": "#eef1f4",
    "axes.axisbelow": True,
    "lines.linewidth": 1.0,
    "legend.frameon": False,
}
_WAVELET, _LEVEL, _MAD = "db6", 2, 0.6745


@contextmanager
def styled() -> Iterator[None]:
    """Our look for the figures made inside, whatever else the process draws."""
    with mpl.rc_context(_STYLE):
        yield


def as_svg(figure: Figure, alt: str) -> str:
    """An ``svg`` element to put into HTML, with words for those who cannot see it."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    # Names within one page must differ from plot to plot.
    text = re.sub(r'(id="|xlink:href="#|url\(#)', rf"\g<1>{crc32(alt.encode()):x}-", text)
    return text.replace("<svg", f'<svg role="img" aria-label="{escape(alt)}"', 1)


def partition_plot(summary: DatasetSummary) -> Figure:
    """A bar per recording: which of its samples teach, set thresholds and test."""
    shown = summary.recordings[:_MAX_BARS]
    figure = Figure(figsize=(9.2, 0.7 + 0.17 * len(shown)))
    axes = figure.subplots()
    axes.grid(visible=False, axis="y")
    for row, recording in enumerate(shown):
        hours = 1 / summary.schema.sample_rate_hz / 3600
        axes.barh(row, recording.samples * hours, height=0.62, color="#e8ecf0")
        for subset, start, stop in recording.subsets:
            axes.barh(
                row, (stop - start) * hours, left=start * hours, height=0.62, color=COLOURS[subset]
            )
    axes.set_yticks(range(len(shown)), [_short(recording.file) for recording in shown], fontsize=7)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_xlabel("h")
    return figure


def channels_plot(summary: DatasetSummary, example: Example) -> Figure:
    """Channels as they were recorded."""
    names, units = summary.schema.channel_names, [c.unit for c in summary.schema.channels]
    values = example.recording.values
    chosen = _chosen(example, values, [(name,) for name in names])
    return _rows(summary, example, [(names[i], units[i], values[i], None) for i in chosen])


def features_plot(summary: DatasetSummary, example: Example) -> Figure:
    """Features in standard deviations of the training part, and the same denoised."""
    engineer = Engineer(summary.schema.features, summary.schema.channel_names)
    mean, std = _scale(summary)
    raw = _features(engineer, example, summary.schema.window)
    values = (raw - mean[:, None]) / std[:, None]
    channels = [feature.channels for feature in summary.schema.features]
    rows = [
        (summary.schema.feature_names[i], "σ", values[i], denoised(values[i]))
        for i in _chosen(example, values, channels)
    ]
    return _rows(summary, example, rows)


def correlation_plot(summary: DatasetSummary) -> Figure:
    """Pearson's coefficient of every two features, of the training part."""
    rows = summary.features["train"].astype(np.float64)
    names = summary.schema.feature_names
    centred = rows - rows.mean(axis=0)
    scale = np.sqrt(np.square(centred).mean(axis=0))
    scale[scale == 0] = np.inf
    matrix = (centred / scale).T @ (centred / scale) / len(rows)
    size = 1.8 + 0.24 * len(names)
    figure = Figure(figsize=(size + 1, size))
    axes = figure.subplots()
    axes.grid(visible=False)
    image = axes.imshow(matrix, cmap="RdBu_r", vmin=-1, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
    axes.set_yticks(range(len(names)), names, fontsize=7)
    if len(names) <= 12:
        for (row, column), value in np.ndenumerate(matrix):
            tone = "white" if abs(value) > 0.6 else INK
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=7, color=tone)
    bar = figure.colorbar(image, ax=axes, shrink=0.6, ticks=[-1, 0, 1])
    bar.outline.set_visible(False)
    return figure


def histograms_plot(summary: DatasetSummary) -> Figure:
    """How each feature is distributed, by share."""
    names, units = summary.schema.feature_names, [f.unit for f in summary.schema.features]
    subsets = [s for s in ("train", "test", FAULTY) if len(summary.features.get(s, ()))]
    columns = min(4 if max(map(len, names)) <= 22 else 3, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(9.2, 1.4 * rows))
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat[len(names) :]:
        axes.set_visible(False)
    for index, name in enumerate(names):
        axes = grid.flat[index]
        found = {subset: summary.features[subset][:, index] for subset in subsets}
        low, high = np.quantile(np.concatenate(list(found.values())), (0.002, 0.998))
        if high <= low:
            low, high = low - 0.5, low + 0.5
        edges = np.linspace(low, high, 41)
        for subset, values in found.items():
            counts = np.histogram(np.clip(values, low, high), edges)[0] / len(values)
            fill = subset == "train"
            axes.stairs(counts, edges, color=COLOURS[subset], fill=fill, alpha=0.35 if fill else 1)
        axes.set_title(f"{name}, {units[index]}", fontsize=8)
        axes.set_yticks([])
        axes.tick_params(labelsize=7)
    figure.subplots_adjust(hspace=0.85, wspace=0.12)
    return figure


def denoised(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Soft-thresholded wavelets with Donoho's threshold, of one signal."""
    if len(values) < 2 * pywt.Wavelet(_WAVELET).dec_len:
        return np.asarray(values, dtype=np.float64)
    parts = pywt.wavedec(values, _WAVELET, mode="periodization", level=_LEVEL)
    sigma = np.median(np.abs(parts[-1])) / _MAD
    cut = sigma * np.sqrt(2 * np.log(len(values)))
    details = [pywt.threshold(part, cut, mode="soft") if cut else part for part in parts[1:]]
    clean: NDArray[np.float64] = pywt.waverec([parts[0], *details], _WAVELET, mode="periodization")
    return clean[: len(values)]


def _rows(
    summary: DatasetSummary,
    example: Example,
    signals: Sequence[tuple[str, str, NDArray[np.floating], NDArray[np.floating] | None]],
) -> Figure:
    """One signal under the other over the example's time, its label shaded."""
    rate = summary.schema.sample_rate_hz
    figure = Figure(figsize=(9.2, 1.05 * len(signals) + 0.5))
    grid = figure.subplots(len(signals), 1, sharex=True, squeeze=False)[:, 0]
    kept = _thinned(example.stop - example.start)
    times = (example.start + kept) / rate
    for axes, (name, unit, values, clean) in zip(grid, signals, strict=True):
        own = values[example.start : example.stop][kept]
        axes.plot(times, own, color=COLOURS["train"] if clean is None else "#a9c6cd", lw=0.9)
        if clean is not None:
            axes.plot(times, clean[example.start : example.stop][kept], color=INK, lw=0.9)
        axes.set_title(f"{name}, {unit}", pad=2, fontsize=8.5)
        axes.tick_params(labelsize=7)
        axes.locator_params(axis="y", nbins=3)
        for label in example.recording.labels:
            if label.start < example.stop and label.stop > example.start:
                axes.axvspan(
                    label.start / rate, label.stop / rate, color=COLOURS[FAULTY], alpha=0.1, lw=0
                )
    grid[-1].set_xlabel("s of the recording")
    grid[-1].set_xlim(example.start / rate, example.stop / rate)
    figure.subplots_adjust(hspace=0.55)
    return figure


def _chosen(
    example: Example, values: NDArray[np.floating], made_of: Sequence[tuple[str, ...]]
) -> list[int]:
    """Signals to show: those that the label names first, then those that it moves most."""
    label = example.label
    everything = list(range(len(values)))
    if label is None or label.start == 0:
        return everything[:_MAX_SIGNALS]
    before = values[:, max(example.start, 0) : label.start]
    during = values[:, label.start : label.stop]
    spread = before.std(axis=1) + 1e-3 * (np.abs(before).mean(axis=1) + 1e-9)
    change = np.abs(during.mean(axis=1) - before.mean(axis=1)) / spread
    change += np.abs(np.log((during.std(axis=1) + 1e-9) / (before.std(axis=1) + 1e-9)))
    named = [bool(set(of) & set(label.signals)) for of in made_of]
    ranked = sorted(everything, key=lambda i: (not named[i], -float(change[i])))
    return sorted(ranked[:_MAX_SIGNALS])


def _features(engineer: Engineer, example: Example, window: int) -> NDArray[np.float64]:
    """Features over a whole recording, window by window as a model sees them."""
    values = example.recording.values
    count = -(-values.shape[1] // window)
    padded = np.pad(values, ((0, 0), (0, count * window - values.shape[1])), mode="edge")
    windows = padded.reshape(len(values), count, window).transpose(1, 0, 2)
    flat = engineer(windows).transpose(1, 0, 2).reshape(len(engineer.features), -1)
    return flat[:, : values.shape[1]].astype(np.float64)


def _scale(summary: DatasetSummary) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rows = summary.features.get("train")
    if rows is None or not len(rows):
        rows = np.concatenate(list(summary.features.values()))
    std = rows.std(axis=0, dtype=np.float64)
    return rows.mean(axis=0, dtype=np.float64), np.where(std > 0, std, 1.0)


def _thinned(count: int) -> NDArray[np.int64]:
    return np.unique(np.linspace(0, count - 1, min(count, _POINTS)).astype(np.int64))


def _short(text: str) -> str:
    return text if len(text) <= 44 else f"…{text[-43:]}"

"""A picture of a fit: what was measured and held out, what the twin expects, and the difference."""

from pathlib import Path

import numpy as np

from gustbed_twin.fitting.report import Report
from gustbed_twin.validation.pictures import OURS, THEIRS, make_figure, save_figure

_SHOWN = 600
"""Readings of a channel that are drawn: more would not be told apart."""


def draw_fit(path: Path, report: Report) -> None:
    """A row for each channel: a stretch of time, and the errors before and after."""
    figure, axes = make_figure(len(report.traces), 2)
    for (over_time, errors), trace in zip(np.atleast_2d(axes), report.traces, strict=True):
        shown = slice(0, _SHOWN)
        over_time.plot(trace.times[shown], trace.measured[shown], ".", ms=2, color=THEIRS)
        over_time.plot(trace.times[shown], trace.expected[shown], color=OURS, lw=1)
        over_time.set_title(
            f"{trace.channel}, {trace.unit}: measured (dots), twin (line)", fontsize=9
        )
        over_time.set_xlabel(f"{report.unit_of_time}, held out")
        for values, colour, label in (
            (trace.before, "#999999", "type as it was"),
            (trace.expected, OURS, "fitted"),
        ):
            errors.hist(trace.measured - values, bins=60, color=colour, alpha=0.6, label=label)
        errors.set_title(f"{trace.channel}: measured - expected, {trace.unit}", fontsize=9)
        errors.legend(loc="upper right")
    save_figure(figure, path)

"""Counters in Prometheus' text format."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Sample(NamedTuple):
    """One value of a metric."""

    name: str
    labels: Mapping[str, str]
    value: float


class Metric(NamedTuple):
    """A metric's name, type (``counter`` or ``gauge``) and help line."""

    name: str
    kind: str
    help: str


def render(metrics: Iterable[Metric], samples: Iterable[Sample]) -> str:
    """Write samples under their metrics; metrics without samples are left out."""
    by_name: dict[str, list[Sample]] = {}
    for sample in samples:
        by_name.setdefault(sample.name, []).append(sample)
    lines: list[str] = []
    for metric in metrics:
        if metric.name not in by_name:
            continue
        lines += [f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} {metric.kind}"]
        lines += [_line(sample) for sample in by_name[metric.name]]
    return "\n".join(lines) + "\n"


def _line(sample: Sample) -> str:
    labels = ",".join(f'{key}="{_escape(value)}"' for key, value in sample.labels.items())
    return (
        f"{sample.name}{{{labels}}} {sample.value:.10g}"
        if labels
        else (f"{sample.name} {sample.value:.10g}")
    )


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")

"""The model card that travels in a package: what a person should know before trusting it."""

from collections.abc import Sequence

from gustbed_core.package import Manifest
from gustbed_training.evaluation.detection_page import fault_lines
from gustbed_training.evaluation.evaluate import Evaluation
from gustbed_training.evaluation.report import (
    false_events_line,
    median,
    number,
    percent,
    percentile_90,
    strong_line,
)


def model_card(
    manifest: Manifest, result: Evaluation | None, gate: str, limits: Sequence[str] = ()
) -> str:
    """Markdown. ``gate`` says what the quality gate found; without a result nothing was tested."""
    lines = [
        f"# {manifest.name} {manifest.version}",
        "",
        f"Finds faults of turbines of type {manifest.turbine_type} in windows of "
        f"{manifest.window / manifest.sample_rate_hz:g} s, every "
        f"{manifest.step / manifest.sample_rate_hz:g} s. Detector: {manifest.detector}. "
        f"Made {manifest.created}.",
        "",
        "## Intended use",
        "",
        f"Beside a turbine of this type that samples at {manifest.sample_rate_hz:g} Hz, to call a "
        "person to look. It neither stops a turbine nor foretells when a part will fail.",
        "",
        *_signals(manifest),
        *_training(manifest),
        *_results(result),
        "## Quality gate",
        "",
        gate,
        "",
        *_limits(result, limits),
    ]
    return "\n".join(lines)


def _signals(manifest: Manifest) -> list[str]:
    speaks = {
        name: ", ".join(sorted(str(kind) for kind, of in manifest.violations.items() if name in of))
        for name in manifest.feature_names
    }
    decision = manifest.decision
    return [
        "## Signals and thresholds",
        "",
        "| signal | unit | speaks for | threshold of the score |",
        "| --- | --- | --- | ---: |",
        *(
            f"| {f.name} | {f.unit} | {speaks[f.name]} | {manifest.thresholds[f.name]:.4g} |"
            for f in manifest.features
        ),
        "",
        f"Channels: {', '.join(f'{c.name} ({c.unit})' for c in manifest.channels)}. "
        f"Ratios of score to threshold are averaged over {decision.smooth} verdict(s); "
        f"{decision.open_after} above 1 in a row open an event, {decision.close_after} others "
        "close it.",
        "",
    ]


def _training(manifest: Manifest) -> list[str]:
    if not manifest.training:
        return []
    facts = [f"- {name.replace('_', ' ')}: {value}" for name, value in manifest.training.items()]
    return ["## Training", "", *facts, ""]


def _results(result: Evaluation | None) -> list[str]:
    lines = ["## Test results", ""]
    if result is None:
        return [*lines, "Not tested.", ""]
    pointwise, events = result.pointwise, result.eventwise
    lines += [
        f"{result.verdicts} verdicts on {result.recordings} recordings that it did not learn from.",
        "",
        f"- False events: {false_events_line(events)}.",
        f"- False alarm rate by verdict: {percent(pointwise.false_alarm_rate)}.",
    ]
    if result.labelled:
        lines += [
            f"- By verdict: precision {number(pointwise.precision)}, recall "
            f"{number(pointwise.recall)}, F1 {number(pointwise.f1)}.",
            f"- By event: precision {number(events.precision)}, recall {number(events.recall)}, "
            f"F1 {number(events.f1)}; right kind {percent(events.right_kind)}.",
            f"- Strong faults: {strong_line(events)}.",
            f"- Delay: median {number(median(events.delays), 1)} s, 90 % within "
            f"{number(percentile_90(events.delays), 1)} s.",
            f"- VUS-PR {number(result.vus_pr)}, CARE "
            f"{number(result.care.score if result.care else None)}.",
        ]
    else:
        lines.append("- The recordings have no labels: whether faults are found was not tested.")
    if result.microseconds_per_window is not None:
        lines.append(
            f"- Cost: {result.microseconds_per_window:.1f} µs per window on one thread of the "
            "machine that trained it."
        )
    if result.by_fault:
        lines += ["", *fault_lines(result.by_fault)]
    return [*lines, ""]


def _limits(result: Evaluation | None, limits: Sequence[str]) -> list[str]:
    missed = [f for f in result.by_fault if f.detected < f.injected] if result else []
    lines = [
        "## Limits",
        "",
        *(f"- {limit}" for limit in limits),
        *(
            f"- It found {row.detected} of {row.injected} faults '{row.fault}' of severity "
            f"{row.severity:g}."
            for row in missed
        ),
    ]
    lines.append("- Faults and operating conditions unlike those it was tested on are unknown.")
    return [*lines, ""]

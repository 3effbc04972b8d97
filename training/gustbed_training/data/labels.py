"""Labels: from columns of severities to faults with a beginning, an end and what they move."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gustbed_core.event_kinds import KNOWN, EventKind
from gustbed_core.signals import Schema
from gustbed_training.data.partition import Label

PREFIX = "fault_"
"""What label columns begin with; they hold the severity, 0 for none."""


@dataclass(frozen=True, slots=True)
class Injection:
    """A sensor's fault as a card lists it: on which signal, from when (s), on which turbine."""

    fault: str
    turbine: str
    at: float
    signal: str


@dataclass(frozen=True)
class LabelRules:
    """What a dataset's card knows of its faults.

    ``signals`` are the channels that a fault moves, ``violations`` what it should be accused of.
    """

    signals: Mapping[str, Sequence[str]] = field(default_factory=dict)
    violations: Mapping[str, EventKind] = field(default_factory=dict)
    injections: Sequence[Injection] = ()


def runs(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
    """First and last-plus-one index (k, 2) of each stretch of true flags."""
    return np.flatnonzero(np.diff(flags, prepend=False, append=False)).reshape(-1, 2)


def labels_of(
    turbine: str,
    times: NDArray[np.float64],
    columns: Mapping[str, NDArray[np.float64]],
    rules: LabelRules,
    schema: Schema,
) -> tuple[Label, ...]:
    """Labels of a recording's ``fault_`` columns, in order of time. ``times`` in s."""
    labels = []
    for name, severity in columns.items():
        fault = name.removeprefix(PREFIX)
        for start, stop in runs(severity > 0).tolist():
            until = float(times[start]) + (stop - start) / schema.sample_rate_hz
            signals = _signals(fault, turbine, (float(times[start]), until), rules, schema)
            violation = _violation(fault, signals, rules, schema)
            worst = float(severity[start:stop].max())
            labels.append(Label(fault, start, stop, worst, violation, signals))
    return tuple(sorted(labels, key=lambda label: (label.start, label.fault)))


def _signals(
    fault: str, turbine: str, period: tuple[float, float], rules: LabelRules, schema: Schema
) -> tuple[str, ...]:
    # A ramp's first sample has no severity yet: its column begins a sample late.
    early = period[0] - 2 / schema.sample_rate_hz
    named = [
        each.signal
        for each in rules.injections
        if (each.fault, each.turbine) == (fault, turbine) and early <= each.at < period[1]
    ]
    return tuple(dict.fromkeys(named)) or tuple(rules.signals.get(fault, ()))


def _violation(
    fault: str, signals: tuple[str, ...], rules: LabelRules, schema: Schema
) -> EventKind | None:
    if fault in rules.violations:
        return rules.violations[fault]
    if fault in KNOWN or fault in schema.violations:
        return fault
    features = {f.name for f in schema.features if set(f.channels) & set(signals)}
    kinds = [kind for kind, names in schema.violations.items() if features & set(names)]
    return kinds[0] if len(kinds) == 1 else None

"""A made-up turbine type and hand-made scores, so that tests can reckon every figure by hand."""

from collections.abc import Sequence

import numpy as np

from gustbed_core.event_kinds import ELECTRICAL, THERMAL
from gustbed_core.features import Feature
from gustbed_core.package import Manifest
from gustbed_core.signals import ChannelSpec, Decision, Schema
from gustbed_training.data.partition import Label, Part, Recording
from gustbed_training.detectors.scoring import Scorer, Scores
from gustbed_training.evaluation.verdicts import Verdicts, judge

ONE_BY_ONE = Decision(open_after=2, close_after=3)


def schema(
    decision: Decision = ONE_BY_ONE, settle_s: float = 0.0, window: int = 1, step: int = 1
) -> Schema:
    """Two signals at 1 Hz, ``hot`` for thermal and ``amps`` for electrical violations."""
    return Schema(
        turbine_type="toy",
        sample_rate_hz=1.0,
        channels=(ChannelSpec("hot", "K"), ChannelSpec("amps", "A")),
        features=(Feature("hot", "K"), Feature("amps", "A")),
        violations={THERMAL: ("hot",), ELECTRICAL: ("amps",)},
        window=window,
        step=step,
        decision=decision,
        settle_s=settle_s,
    )


def part(
    hot: str, amps: str = "", labels: Sequence[Label] = (), labelled: bool = True, name: str = "r"
) -> Part:
    """A recording whose samples are their own ratios: ``x`` violates (2), ``.`` does not (0.5)."""
    rows = [hot, amps or "." * len(hot)]
    values = np.array([[2.0 if letter == "x" else 0.5 for letter in row] for row in rows])
    recording = Recording(name, "t1", 0.0, values.astype(np.float32), tuple(labels), labelled)
    return Part(recording, 0, len(hot))


def thermal(start: int, stop: int, severity: float = 1.0) -> Label:
    """A fault that ``hot`` speaks for."""
    return Label("overheating", start, stop, severity, THERMAL, ("hot",))


def electrical(start: int, stop: int) -> Label:
    """A fault that ``amps`` speaks for."""
    return Label("short", start, stop, 1.0, ELECTRICAL, ("amps",))


def last_sample(windows: np.ndarray) -> Scores:
    """Ratios are what the window ends with."""
    return windows[:, :, -1], windows[:, :, -1]


def judged(one: Part, of: Schema | None = None, score: Scorer = last_sample) -> Verdicts:
    """The verdicts on a part."""
    return judge(of or schema(), one, score)


def manifest() -> Manifest:
    """Of a model for this type, though at 2 Hz."""
    return Manifest(
        name="toy",
        version="1.2.3",
        created="2026-01-01T00:00:00Z",
        turbine_type="toy",
        detector="compact",
        channels=(ChannelSpec("hot", "K"), ChannelSpec("amps", "A")),
        features=(Feature("hot", "K"), Feature("amps", "A")),
        sample_rate_hz=2.0,
        window=20,
        step=1,
        thresholds={"hot": 0.123456, "amps": 2.0},
        violations={THERMAL: ("hot",), ELECTRICAL: ("amps",)},
        decision=Decision(4, 10, 3),
        training={"dataset": "toy-1", "turbine_hours": "12.5"},
    )

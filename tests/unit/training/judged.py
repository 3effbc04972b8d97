"""A made-up turbine type and hand-made scores, so that tests can reckon every figure by hand."""

from collections.abc import Sequence

import numpy as np

from gustbed_protocol.features import Feature
from gustbed_protocol.package import ChannelSpec, Decision
from gustbed_protocol.violations import Violation
from gustbed_training.data.schema import Schema
from gustbed_training.data.shares import Label, Part, Recording
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
        violations={Violation.THERMAL: ("hot",), Violation.ELECTRICAL: ("amps",)},
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
    return Label("overheating", start, stop, severity, Violation.THERMAL, ("hot",))


def electrical(start: int, stop: int) -> Label:
    """A fault that ``amps`` speaks for."""
    return Label("short", start, stop, 1.0, Violation.ELECTRICAL, ("amps",))


def last_sample(windows: np.ndarray) -> Scores:
    """Ratios are what the window ends with."""
    return windows[:, :, -1], windows[:, :, -1]


def judged(one: Part, of: Schema | None = None, score: Scorer = last_sample) -> Verdicts:
    """The verdicts on a part."""
    return judge(of or schema(), one, score)

"""What is known of a round's turbines after a model has looked at them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gustbed_core import decisions
from gustbed_core.event_kinds import EventKind
from gustbed_core.events import Verdict, VerdictState
from gustbed_core.telemetry import Samples
from gustbed_edge.events.judge import Judge

RATIO_DECIMALS = 5


@dataclass(frozen=True, slots=True)
class Round:
    """At most one block of each turbine, all of one type, layout and length, in order of arrival.

    ``values`` are the blocks' (k, channels, n), channels as ``names`` has them. ``ends`` are their
    last samples in Unix seconds, ``arrived`` seconds of a monotonic clock. ``restarted`` are the
    rows whose block is not adjacent to the one before.
    """

    type: str
    rows: NDArray[np.intp]
    samples: tuple[Samples, ...]
    names: tuple[str, ...]
    values: NDArray[np.float64]
    ends: tuple[float, ...]
    arrived: tuple[float, ...]
    restarted: NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a model says of a round. ``ready`` (turbines): whose window is full; the others'
    arrays are of these alone. ``scored``: whom the model could judge. ``versions`` (turbines) say
    which correction counted, None where none of them is judged by any.
    """

    judge: Judge
    ready: NDArray[np.bool_]
    scored: NDArray[np.bool_]
    ratios: NDArray[np.float32]
    by_kind: NDArray[np.floating]
    versions: list[str] | None = None


def verdicts(part: Round, judgement: Judgement) -> list[Verdict]:
    """One verdict for each of the round's blocks."""
    judge = judgement.judge
    scored = judgement.scored.tolist()
    rounded = judgement.ratios.astype(np.float64).round(RATIO_DECIMALS).tolist()
    violated = decisions.violating(judgement.by_kind).tolist()
    told: list[Verdict] = []
    position = 0
    blocks = zip(part.samples, part.ends, judgement.ready.tolist(), strict=True)
    versions = judgement.versions or [""] * len(part.samples)
    for (samples, end, ready), version in zip(blocks, versions, strict=True):
        state: VerdictState = "warming"
        ratios: Sequence[float] = ()
        kinds: list[EventKind] = []
        if ready:
            state = "unknown"
            if scored[position]:
                ratios = rounded[position]
                kinds = [
                    kind for kind, hit in zip(judge.kinds, violated[position], strict=True) if hit
                ]
                state = "anomaly" if kinds else "ok"
            position += 1
        told.append(
            Verdict(
                turbine=samples.turbine,
                boot=samples.boot,
                seq=samples.seq,
                t=end,
                state=state,
                score=max(ratios) if ratios else None,
                ratios=dict(zip(judge.features, ratios, strict=True)) if ratios else {},
                violations=kinds,
                model=judge.model,
                commissioning=version if ratios else "",
            )
        )
    return told

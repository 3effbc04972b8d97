"""The whole fit of a miniature: recordings in, a report and a type's file out."""

from typing import Any

import msgspec
import numpy as np

from gustbed_core.errors import GustbedError
from gustbed_twin.faults.kinds import quantity_of
from gustbed_twin.fitting import miniature as fitted
from gustbed_twin.fitting.estimate import Progress, estimate
from gustbed_twin.fitting.follow import followed
from gustbed_twin.fitting.recorded import Recorded
from gustbed_twin.fitting.report import Report, Trace
from gustbed_twin.fitting.write_type import Change
from gustbed_twin.turbine.miniature_type import MiniatureType

HELD_OUT = 5
"""Every so many-th minute is not fitted to, but held out to tell how well the twin follows."""
FEWEST = 12
"""Minutes that a fit needs at least."""
SYMMETRY = (
    "The anemometer's gain is held: with another, all constants but volts_per_rps would scale and"
    " fit as well."
)


def fit_miniature(
    recorded: list[Recorded], kind: MiniatureType, progress: Progress
) -> tuple[Report, Change]:
    """Fit, and judge by what was held out. Raises ``GustbedError``."""
    segments = fitted.segments_of(recorded, kind)
    if segments.count < FEWEST:
        raise GustbedError(
            f"--data: {segments.count} whole minutes", f"give {FEWEST} at least; better 60"
        )
    numbers = np.arange(segments.count)
    held_out = numbers[numbers % HELD_OUT == HELD_OUT - 1]
    known = np.setdiff1d(numbers, held_out)
    result = estimate(fitted.problem_of(segments.some(known), kind), progress)
    twin = fitted.fitted_twin(fitted.twin_of(kind), result.fitted)
    report = Report(
        result.constants,
        *_judge(segments.some(known), segments.some(held_out), twin, kind),
        (SYMMETRY,),
        len(known),
        len(held_out),
    )
    return report, _change(twin, kind, segments)


def _judge(
    known: fitted.Segments, held_out: fitted.Segments, twin: fitted.Twin, kind: MiniatureType
) -> tuple[tuple[Any, ...], tuple[Trace, ...]]:
    usual = fitted.twin_of(kind)
    measured = fitted.measured(held_out)
    now, before = fitted.expected(twin, held_out), fitted.expected(usual, held_out)
    in_fit = fitted.measured(known) - fitted.expected(twin, known)
    said, traces = [], []
    for row, name in enumerate(fitted.CHANNELS):
        channel = channel_name(kind, name)
        unit = kind.turbine_type.unit(channel)
        errors = measured[row] - now[row]
        said.append(followed(channel, unit, in_fit[row], errors, measured[row] - before[row]))
        flat = [part[row].T.ravel() for part in (measured, now, before)]
        traces.append(Trace(channel, unit, np.arange(len(flat[0])) / 60.0, *flat))
    return tuple(said), tuple(traces)


def channel_name(kind: MiniatureType, quantity: str) -> str:
    """What the type calls the channel of a quantity."""
    return next(c.name for c in kind.turbine_type.channels if quantity_of(c) == quantity)


def _change(twin: fitted.Twin, kind: MiniatureType, segments: fitted.Segments) -> Change:
    volts = channel_name(kind, "voltage")
    measured, expected = fitted.minutes(twin, segments)
    spread = np.sqrt(np.mean(np.square(measured - expected), axis=1))

    def change(physics: dict[str, Any]) -> None:
        machine = msgspec.structs.asdict(twin.machine)
        physics["machine"] = {name: float(f"{value:.6g}") for name, value in machine.items()}
        corrections = dict(physics.get("corrections", {}))
        corrections[volts] = {"gain": twin.volts_gain, "offset": round(twin.volts_offset, 4)}
        physics["corrections"] = corrections
        physics["follows"] = {
            channel_name(kind, name): float(f"{each:.3g}")
            for name, each in zip(fitted.CHANNELS, spread, strict=True)
        }

    return change

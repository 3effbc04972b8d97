"""Fits the parts that warm up: what they rise at rest and at full load, and how slowly.

The twin's own equation (``turbine.supervision.warm``), second by second, driven by what was
measured: the temperature around, power and speed. A part needs two loads to tell the two rises.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from gustbed_twin.filters import Floats
from gustbed_twin.fitting.dynamics import minutes_of
from gustbed_twin.fitting.estimate import Parameter, Problem
from gustbed_twin.fitting.utility import Run
from gustbed_twin.records import NODES, Integers
from gustbed_twin.turbine.variable_speed import Node, VariableSpeedPhysics

STARTS = 8
SPREAD_K = 0.1
_AT_REST, _BY_SPEED = 0.3, 0.7
"""Shares of the rise at rest that a standing machine has, and that comes with speed."""
_SETTLE_S = 10


@dataclass(frozen=True, slots=True)
class Warming:
    """What drives one part over one recording, by second: (seconds,)."""

    around: Floats
    speed: Floats
    load: Floats
    measured: Floats


def measured_parts(runs: Sequence[Run], physics: VariableSpeedPhysics) -> list[str]:
    """The parts that can be fitted: they and what is around them are measured."""
    has = runs[0].means
    return [
        name
        for name in NODES
        if name in has and (getattr(physics.thermal, name).around == "ambient" or "nacelle" in has)
    ]


def warming_of(run: Run, part: str, physics: VariableSpeedPhysics) -> Warming:
    """What drives a part; ``physics`` has the efficiency that was fitted."""
    node: Node = getattr(physics.thermal, part)
    full = physics.limits.rated_power_kw * physics.drivetrain.efficiency
    fastest = physics.pitch_control.reference_rad_s * 30.0 / np.pi
    return Warming(
        run.means["nacelle" if node.around == "nacelle" else "ambient"],
        np.minimum(run.means["generator_speed"] / fastest, 1.0),
        np.maximum(run.means["active_power"], 0.0) / full,
        run.means[part],
    )


def expected(node: Node, start: float, by: Warming) -> Floats:
    """A part's temperature by second, which began at ``start``."""
    gain = 1.0 - np.exp(-1.0 / node.time_s)
    rise = node.idle_k * (_AT_REST + _BY_SPEED * by.speed) + node.load_k * by.load
    kept = 1.0 - gain
    warmed, _ = lfilter([gain], [1.0, -kept], by.around + rise, zi=[kept * start])
    return np.asarray(warmed)


def problem_of(part: str, node: Node, parts: Sequence[Warming], known: Integers) -> Problem:
    """The fit of a part to those minutes; where each recording began is fitted too."""
    starts = [float(each.measured[:_SETTLE_S].mean()) for each in parts]
    parameters = (
        Parameter(f"{part}.idle_k", node.idle_k, 0.3),
        Parameter(f"{part}.load_k", node.load_k, 0.3),
        Parameter(f"{part}.time_s", node.time_s, 0.3),
        *(Parameter(f"start {n}", at, 0.5, log=False, nuisance=True)
          for n, at in enumerate(starts)),
    )  # fmt: skip
    seen = by_minute([each.measured for each in parts])

    def errors(at: Floats, rows: Integers) -> Floats:
        found = node_at(node, at)
        warm = [expected(found, float(t), each) for t, each in zip(at[3:], parts, strict=True)]
        return np.asarray((seen - by_minute(warm))[:, :, known[rows]] / SPREAD_K)

    return Problem(parameters, errors, len(known), starts=STARTS)


def node_at(node: Node, at: Floats) -> Node:
    """A part with the constants that a fit's parameters describe."""
    idle, load, time = map(float, np.exp(at[:3]))
    return Node(around=node.around, idle_k=idle, load_k=load, time_s=time)


def by_minute(seconds: Sequence[Floats]) -> Floats:
    """Recordings' seconds as (1, 60, minutes), burn-in left out."""
    return np.concatenate([minutes_of(each[None]) for each in seconds], axis=2)

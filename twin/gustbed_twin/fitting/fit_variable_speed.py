"""The whole fit of a variable-speed machine: recordings in, a report and a type's file out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np

from gustbed_core.errors import GustbedError
from gustbed_twin.filters import Floats
from gustbed_twin.fitting import dynamics, thermal
from gustbed_twin.fitting.estimate import FLOOR, Constant, Progress, estimate
from gustbed_twin.fitting.follow import Followed, followed
from gustbed_twin.fitting.recorded import Recorded
from gustbed_twin.fitting.report import Report, Trace
from gustbed_twin.fitting.utility import FOLLOWED, Run, read_run
from gustbed_twin.fitting.write_type import Change
from gustbed_twin.records import Integers
from gustbed_twin.turbine.variable_speed import Node, VariableSpeedPhysics, VariableSpeedType

NACELLE = "nacelle"
HELD_OUT = 5
FEWEST = 16
UNITS = {"active_power": "kW", "rotor_speed": "rpm", "pitch": "deg"}
NOTES = (
    "The anemometer's gain is held: air density would make up for another.",
    "Losses are 1 - drivetrain.efficiency.",
    "Tower, yaw, brake and control are the type's: they are not fitted.",
)


def fit_variable_speed(
    recorded: list[Recorded], kind: VariableSpeedType, progress: Progress
) -> tuple[Report, Change]:
    """Fit, and judge by minutes that were held out. Raises ``GustbedError``."""
    runs = [read_run(each, kind) for each in recorded]
    bench = dynamics.bench_of(kind)
    seen = dynamics.measured(runs)
    if seen.shape[2] < FEWEST:
        raise GustbedError(f"--data: {seen.shape[2]} minutes", f"give {FEWEST} at least; better 60")
    numbers = np.arange(seen.shape[2])
    held_out = numbers[numbers % HELD_OUT == HELD_OUT - 1]
    known = np.setdiff1d(numbers, held_out)
    progress("power, rotor speed and pitch")
    result = estimate(dynamics.problem_of(bench, runs, known), progress)
    found = dynamics.fitted_dynamics(result.fitted)
    physics = dynamics.with_dynamics(kind.physics, found)
    now = bench.expected(found, runs)
    before = bench.expected(dynamics.dynamics_of(kind.physics, runs), runs)
    said, traces = _judge(seen, now, before, known, held_out)
    constants = [*result.constants, _voltage(runs, kind.physics)]
    nodes: dict[str, Node] = {}
    for part in thermal.measured_parts(runs, physics):
        progress(f"{part}: temperatures")
        warmed = _warm(part, runs, physics, known, held_out)
        nodes[part] = warmed.node
        constants += warmed.constants
        said.append(warmed.followed)
        if part == NACELLE:
            # What is measured of it is noisy, and the parts within it would be fitted to that.
            runs = [
                replace(run, means={**run.means, NACELLE: smooth})
                for run, smooth in zip(runs, warmed.seconds, strict=True)
            ]
    report = Report(tuple(constants), tuple(said), tuple(traces), NOTES, len(known), len(held_out))
    return report, _change(physics, nodes, constants)


def _judge(
    seen: Floats, now: Floats, before: Floats, known: Integers, held_out: Integers
) -> tuple[list[Followed], list[Trace]]:
    said, traces = [], []
    for row, name in enumerate(FOLLOWED):
        errors, unfitted = seen[row] - now[row], seen[row] - before[row]
        said.append(
            followed(name, UNITS[name], errors[:, known], errors[:, held_out],
                     unfitted[:, held_out])
        )  # fmt: skip
        flat = [part[row][:, held_out].T.ravel() for part in (seen, now, before)]
        traces.append(Trace(name, UNITS[name], np.arange(len(flat[0])) / 60.0, *flat))
    return said, traces


@dataclass(frozen=True, slots=True)
class Warmed:
    """A part that was fitted, and its temperature by second in each recording."""

    node: Node
    constants: tuple[Constant, ...]
    followed: Followed
    seconds: list[Floats]


def _warm(
    part: str, runs: Sequence[Run], physics: VariableSpeedPhysics, known: Integers,
    held_out: Integers,
) -> Warmed:  # fmt: skip
    usual: Node = getattr(physics.thermal, part)
    driven = [thermal.warming_of(run, part, physics) for run in runs]
    result = estimate(thermal.problem_of(part, usual, driven, known), lambda _line: None)
    node = thermal.node_at(usual, result.fitted)
    seen = thermal.by_minute([each.measured for each in driven])[0]
    starts = result.fitted[3:]

    def by(of: Node) -> list[Floats]:
        return [thermal.expected(of, float(t), by) for t, by in zip(starts, driven, strict=True)]

    errors, before = (seen - thermal.by_minute(by(each))[0] for each in (node, usual))
    follow = followed(
        f"{part} temperature", "degC", errors[:, known], errors[:, held_out], before[:, held_out]
    )
    return Warmed(node, result.constants, follow, by(node))


def _voltage(runs: Sequence[Run], physics: VariableSpeedPhysics) -> Constant:
    """The line voltage is what is measured; its interval is by the recordings' minutes."""
    minutes = dynamics.minutes_of(np.concatenate([run.means["voltage"] for run in runs])[None])[0]
    means = minutes.mean(axis=0)
    value = float(means.mean())
    half = float(np.hypot(1.96 * means.std() / np.sqrt(len(means)), FLOOR * value))
    usual = physics.electrical.line_voltage_v
    return Constant("line_voltage_v", usual, value, value - half, value + half, True)


def _change(
    physics: VariableSpeedPhysics, nodes: dict[str, Node], constants: Sequence[Constant]
) -> Change:
    voltage = next(each.value for each in constants if each.name == "line_voltage_v")
    whole = msgspec.structs.replace(
        physics,
        electrical=msgspec.structs.replace(physics.electrical, line_voltage_v=voltage),
        thermal=msgspec.structs.replace(physics.thermal, **nodes),
    )

    def change(said: dict[str, Any]) -> None:
        fitted = msgspec.to_builtins(whole)
        for section in ("rotor", "drivetrain", "electrical", "thermal"):
            said[section] = fitted[section]

    return change

"""Fits a variable-speed machine to ten-minute means: what they tell is its size.

Power and rotor speed over the wind, each the twin's own steady states blurred by the wind's
turbulence within ten minutes. Efficiency cannot be told from air density, which stands for all that
multiplies power; nothing that is over within ten minutes can be told at all.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from gustbed_core.errors import GustbedError
from gustbed_twin.farms.steady import settled_at
from gustbed_twin.filters import Floats
from gustbed_twin.fitting.estimate import Parameter, Problem, Progress, estimate
from gustbed_twin.fitting.follow import followed
from gustbed_twin.fitting.report import Report, Trace
from gustbed_twin.fitting.scaled import Size, scaled, size_of
from gustbed_twin.fitting.ten_minutes import TenMinutes
from gustbed_twin.fitting.write_type import Change
from gustbed_twin.records import Integers
from gustbed_twin.turbine.model import prepare_model
from gustbed_twin.turbine.rotor_table import Surface, read_surface
from gustbed_twin.turbine.variable_speed import VariableSpeedType

WINDS = np.concatenate((np.arange(3.0, 15.0, 0.5), np.arange(15.0, 26.0, 2.0)))
"""Where the steady states are computed."""
HELD_OUT = 5
FEWEST_DAYS = 12
BLUR = np.polynomial.hermite_e.hermegauss(7)
"""Nodes and weights of a normal distribution: the wind within ten minutes."""
TURBULENCE = 0.1
CHANNELS = ("active_power", "rotor_speed")
UNITS = {"active_power": "kW", "rotor_speed": "rpm"}
SETTLE_S, MEASURE_S = 180, 20
STARTS = 16
"""What was measured says where to begin."""
NOTES = (
    "Air density stands for all that multiplies power: density, efficiency, the anemometer's gain.",
    "Inertia, stiffness, tower and control follow from the size by similarity; ten-minute means do"
    " not tell them.",
)


@dataclass(frozen=True, slots=True)
class Curve:
    """Steady states over ``WINDS``: rows are ``CHANNELS``."""

    values: Floats

    def means(self, wind: Floats, turbulence: float) -> Floats:
        """Ten-minute means at mean winds: (channels, *wind.shape)."""
        nodes, weights = BLUR
        gusty = wind[..., None] * (1.0 + turbulence * nodes)
        shares = weights / weights.sum()
        return np.stack([(np.interp(gusty, WINDS, row) * shares).sum(axis=-1)
                         for row in self.values])  # fmt: skip


def steady_states(kind: VariableSpeedType, size: Size, surface: Surface) -> Curve:
    """The twin's own, control included, of a type's machine at that size."""
    machine = prepare_model(replace(kind, physics=scaled(kind.physics, size)), 10.0, surface)
    return Curve(settled_at(machine, WINDS.tolist(), CHANNELS, SETTLE_S, MEASURE_S))


def fit_scada(
    data: TenMinutes, kind: VariableSpeedType, progress: Progress
) -> tuple[Report, Change]:
    """Fit the size, and judge by days that were held out. Raises ``GustbedError``."""
    days = data.wind.shape[1]
    if days < FEWEST_DAYS:
        raise GustbedError(f"--data: {days} days", f"give {FEWEST_DAYS} at least; better 60")
    numbers = np.arange(days)
    held_out = numbers[numbers % HELD_OUT == HELD_OUT - 1]
    known = np.setdiff1d(numbers, held_out)
    surface = read_surface(Path(kind.folder), kind)
    start = _first_guess(data.some(known), kind)
    usual = steady_states(kind, start, surface)
    problem = _problem(data.some(known), kind, start, surface)
    result = estimate(problem, progress)
    size, turbulence = _fitted(result.fitted)
    curve = steady_states(kind, size, surface)
    notes = (*NOTES, _against_bins(data.some(known), data.some(held_out), curve, turbulence))
    said, traces = [], []
    for row, name in enumerate(data.channels):
        errors = [
            _errors(data.some(rows), each, turbulence)[row][data.some(rows).known[row]]
            for rows, each in ((known, curve), (held_out, curve), (held_out, usual))
        ]
        said.append(followed(name, UNITS[name], *errors))
        traces.append(_trace(data.some(held_out), row, curve, usual, turbulence))
    report = Report(
        result.constants, tuple(said), tuple(traces), notes, len(known), len(held_out), "days", "d"
    )
    return report, _change(kind, size)


def _problem(data: TenMinutes, kind: VariableSpeedType, start: Size, surface: Surface) -> Problem:
    parameters = (
        Parameter("rated_power_kw", start.rated_power_kw, 0.1),
        Parameter("swept_radius_m", start.swept_radius_m, 0.2),
        Parameter("air_density_kg_m3", start.air_density_kg_m3, 0.3),
        Parameter("rated_rpm", start.rated_rpm, 0.1),
        Parameter("lowest_rpm", start.lowest_rpm, 0.2),
        Parameter("turbulence", TURBULENCE, 0.4, prior=0.4, nuisance=True),
    )
    scale = np.array([0.03 * start.rated_power_kw, 0.03 * start.rated_rpm])[: len(data.channels)]

    def errors(at: Floats, rows: Integers) -> Floats:
        size, turbulence = _fitted(at)
        curve = steady_states(kind, size, surface)
        some = data.some(rows)
        left = np.where(some.known, _errors(some, curve, turbulence), 0.0)
        return np.asarray(left / scale[:, None, None])

    return Problem(parameters, errors, data.wind.shape[1], whiten=False, starts=STARTS)


def _fitted(at: Floats) -> tuple[Size, float]:
    *sizes, turbulence = map(float, np.exp(at))
    return Size(*sizes), turbulence


def _errors(data: TenMinutes, curve: Curve, turbulence: float) -> Floats:
    expected = curve.means(data.wind, turbulence)[: len(data.channels)]
    return np.asarray(data.values - expected)


def _first_guess(data: TenMinutes, kind: VariableSpeedType) -> Size:
    """From the most and the least of what was measured; the radius from power per area."""
    usual = size_of(kind.physics)
    power = float(np.percentile(data.values[0][data.known[0]], 98))
    radius = usual.swept_radius_m * np.sqrt(power / usual.rated_power_kw)
    highest, lowest = usual.rated_rpm, usual.lowest_rpm
    if len(data.channels) > 1:
        speeds = data.values[1][data.known[1]]
        highest, lowest = (float(np.percentile(speeds, each)) for each in (98, 2))
    return Size(power, float(radius), usual.air_density_kg_m3, highest, lowest)


def _against_bins(known: TenMinutes, held_out: TenMinutes, curve: Curve, turbulence: float) -> str:
    """The twin's power beside a curve of means in bins of 0.5 m/s, which knows nothing else."""
    edges = np.arange(0.0, 30.5, 0.5)
    there = known.known[0]
    place = np.digitize(known.wind[there], edges)
    sums = np.bincount(place, known.values[0][there], len(edges) + 1)
    counts = np.bincount(place, minlength=len(edges) + 1)
    means = sums / np.maximum(counts, 1)
    seen = held_out.known[0] & (counts[np.digitize(held_out.wind, edges)] > 0)
    by_bins = held_out.values[0] - means[np.digitize(held_out.wind, edges)]
    by_twin = _errors(held_out, curve, turbulence)[0]
    bins, twin = (float(np.sqrt(np.mean(each[seen] ** 2))) for each in (by_bins, by_twin))
    return (
        f"Power of the days held out: RMSE {twin:.1f} kW by the twin, {bins:.1f} kW by means in"
        " bins of 0.5 m/s."
    )


def _trace(data: TenMinutes, row: int, curve: Curve, usual: Curve, turbulence: float) -> Trace:
    there = data.known[row].T
    name = data.channels[row]
    measured = data.values[row].T[there]
    now, before = (each.means(data.wind, turbulence)[row].T[there] for each in (curve, usual))
    times = np.arange(there.size)[there.ravel()] / there.shape[1]
    return Trace(name, UNITS[name], times, measured, now, before)


def _change(kind: VariableSpeedType, size: Size) -> Change:
    def change(physics: dict[str, Any]) -> None:
        said = msgspec.to_builtins(scaled(kind.physics, size))
        physics.clear()
        physics.update(said)

    return change

"""Fits what moves of a variable-speed machine: air density, rotor inertia, drivetrain losses.

The twin's whole machine, control included, in the measured wind; power, rotor speed and pitch are
compared second by second. The anemometer's gain is held at 1: air density would make up for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np

from gustbed_twin.farms.variable_speed import VariableSpeedFarm
from gustbed_twin.filters import Floats
from gustbed_twin.fitting.estimate import Parameter, Problem
from gustbed_twin.fitting.utility import BURN_IN_MINUTES, FOLLOWED, MINUTE_S, Run
from gustbed_twin.records import Integers
from gustbed_twin.turbine.model import prepare_model
from gustbed_twin.turbine.rotor_table import Surface, read_surface
from gustbed_twin.turbine.variable_speed import VariableSpeedPhysics, VariableSpeedType
from gustbed_twin.wind.site import STEADY

STARTS = 16
SPREADS = np.array([20.0, 0.02, 0.1])
"""Of what is expected to be left, kW, rpm and degrees; the fit finds the real ones."""


@dataclass(frozen=True, slots=True)
class Dynamics:
    """What is fitted; losses are 1 - efficiency.

    ``passing`` is by recording the wind (m/s) that carries turbulence past the rotor, which lags
    behind the anemometer the longer, the slower that is; a farm has the one that it began with.
    """

    air_density_kg_m3: float
    inertia_kg_m2: float
    losses: float
    passing: tuple[float, ...]


def dynamics_of(physics: VariableSpeedPhysics, runs: Sequence[Run]) -> Dynamics:
    """Those of a type in the recordings' winds."""
    return Dynamics(
        physics.rotor.air_density_kg_m3,
        physics.rotor.inertia_kg_m2,
        1.0 - physics.drivetrain.efficiency,
        tuple(float(run.air["mean"].mean()) for run in runs),
    )


def fitted_dynamics(at: Floats) -> Dynamics:
    """What a fit's parameters describe."""
    density, inertia, losses, *passing = map(float, np.exp(at))
    return Dynamics(density, inertia, losses, tuple(passing))


def with_dynamics(physics: VariableSpeedPhysics, found: Dynamics) -> VariableSpeedPhysics:
    """A type's physics with those."""
    return msgspec.structs.replace(
        physics,
        rotor=msgspec.structs.replace(
            physics.rotor,
            air_density_kg_m3=found.air_density_kg_m3,
            inertia_kg_m2=found.inertia_kg_m2,
        ),
        drivetrain=msgspec.structs.replace(
            physics.drivetrain, efficiency=1.0 - min(max(found.losses, 1e-4), 0.9)
        ),
    )


@dataclass(frozen=True, slots=True)
class Bench:
    """A type whose sensors read the truth of what is compared, and its rotor's table."""

    kind: VariableSpeedType
    surface: Surface

    def expected(self, found: Dynamics, runs: Sequence[Run]) -> Floats:
        """What it does in those winds: (channels, 60, minutes), burn-in left out."""
        machine = replace(self.kind, physics=with_dynamics(self.kind.physics, found))
        seconds = [
            self._run(machine, run, passing)
            for run, passing in zip(runs, found.passing, strict=True)
        ]
        return np.concatenate([minutes_of(each) for each in seconds], axis=2)

    def _run(self, machine: VariableSpeedType, run: Run, passing: float) -> Floats:
        model = prepare_model(machine, passing, self.surface)
        begin = float(run.air["mean"][: 10 * model.rate_hz].mean())
        farm = VariableSpeedFarm(model, 0, [0], replace(STEADY, mean=begin, direction=0.0))
        values = farm.advance_in(run.air)[0]
        return np.asarray(values.reshape(len(FOLLOWED), -1, model.rate_hz).mean(axis=2))


def bench_of(kind: VariableSpeedType) -> Bench:
    """The bench of a type."""
    channels = tuple(
        msgspec.structs.replace(
            next(channel for channel in kind.channels if channel.of == name),
            rate_hz=float(kind.rate_hz), noise=0.0, step=1e-9, low=-1e9, high=1e9,
        )
        for name in FOLLOWED
    )  # fmt: skip
    exact = replace(kind, turbine_type=replace(kind.turbine_type, channels=channels))
    return Bench(exact, read_surface(Path(kind.folder), kind))


def minutes_of(seconds: Floats) -> Floats:
    """Seconds (channels, seconds) as (channels, 60, minutes), burn-in left out."""
    whole = seconds.reshape(len(seconds), -1, MINUTE_S).transpose(0, 2, 1)
    return np.asarray(whole[:, :, BURN_IN_MINUTES:])


def measured(runs: Sequence[Run]) -> Floats:
    """What was measured, in the shape of ``Bench.expected``."""
    return np.concatenate(
        [minutes_of(np.stack([run.means[name] for name in FOLLOWED])) for run in runs], axis=2
    )


def problem_of(bench: Bench, runs: Sequence[Run], known: Integers) -> Problem:
    """The fit to those minutes of all."""
    usual, seen = dynamics_of(bench.kind.physics, runs), measured(runs)
    parameters = (
        Parameter("air_density_kg_m3", usual.air_density_kg_m3, 0.15),
        Parameter("inertia_kg_m2", usual.inertia_kg_m2, 0.3),
        Parameter("losses", usual.losses, 0.3),
        *(Parameter(f"passing wind {n}", wind, 0.3, prior=0.3, nuisance=True)
          for n, wind in enumerate(usual.passing)),
    )  # fmt: skip

    def errors(at: Floats, rows: Integers) -> Floats:
        left = (seen - bench.expected(fitted_dynamics(at), runs)) / SPREADS[:, None, None]
        return np.asarray(left[:, :, known[rows]])

    return Problem(parameters, errors, len(known), starts=STARTS)

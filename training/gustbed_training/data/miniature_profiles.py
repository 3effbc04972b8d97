"""What miniatures are trained and judged on. Winds count anemometer revolutions, in 1/s."""

from collections.abc import Iterator
from dataclasses import replace

from gustbed_core.event_kinds import INJECTABLE
from gustbed_core.settings import turbine_id
from gustbed_core.turbine_types import TurbineType
from gustbed_training.data.dataset import Role
from gustbed_training.data.twin import Course, Fault, Profile, Run

SEVERITIES = (0.2, 0.3, 0.5, 0.8, 1.0)
FAULT_S = 90.0
"""How long an injected fault lasts."""
PAUSE_S = 60.0
_TURBINES = 6
_USUAL_WIND = 2.15
"""What the winds below were chosen for; those of a type scale with its own usual wind."""
_WINDS = (0.8, 1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.15, 2.3, 2.5, 2.75, 3.0, 3.3, 3.7, 4.2)
_POPULATION_WINDS, _MACHINES = (1.0, 2.0, 3.0, 4.1), 48
_TURBULENCES = (0.15, 0.1, 0.25)
_OTHER_WINDS = ((1.5, 0.12), (2.22, 0.18), (2.85, 0.13), (3.5, 0.2))
"""Means and turbulence between those of training, for tests."""
_OTHER_SEEDS = 1000
"""Seeds of a role differ from every other role's."""


def default(turbine_type: TurbineType) -> Profile:
    """To train the shipped model on."""
    return Profile(
        turbine_type.name,
        (
            *_grid(turbine_type, "train", _OTHER_SEEDS, 0.12, every_turbulence=True),
            *_grid(turbine_type, "calibrate", 2 * _OTHER_SEEDS, 0.5, every_turbulence=False),
            _faulty(turbine_type, 3 * _OTHER_SEEDS, 1.9, _TURBINES, SEVERITIES),
        ),
    )


def tiny(turbine_type: TurbineType) -> Profile:
    """Made in seconds, for tests."""
    return Profile(
        f"{turbine_type.name}-tiny",
        (
            _run(turbine_type, "train", 2, 0.12, 11, 1.8),
            _run(turbine_type, "train", 2, 0.12, 12, 2.5),
            _run(turbine_type, "calibrate", 2, 0.1, 13, 2.15),
            _faulty(turbine_type, 14, 2.15, 2, (1.0,)),
        ),
    )


def evaluation(turbine_type: TurbineType) -> Profile:
    """Seeds, winds and turbulence that no training sees."""
    calm = zip((42, 7, 99, 1234), _OTHER_WINDS, strict=True)
    windy = zip((7001, 7002, 7003), _OTHER_WINDS, strict=False)
    return Profile(
        f"{turbine_type.name}-evaluation",
        (
            *(
                replace(_run(turbine_type, "test", _TURBINES, 1.0, seed, wind), turbulence=rough)
                for seed, (wind, rough) in calm
            ),
            *(
                replace(_faulty(turbine_type, seed, wind, _TURBINES, SEVERITIES), turbulence=rough)
                for seed, (wind, rough) in windy
            ),
        ),
    )


def population(turbine_type: TurbineType) -> Profile:
    """Machines that differ as the type's do, each in several winds."""
    return Profile(
        f"{turbine_type.name}-population",
        tuple(
            replace(
                _run(turbine_type, "train", _MACHINES, 0.2, 4 * _OTHER_SEEDS, wind),
                variation=differing(turbine_type),
            )
            for wind in _POPULATION_WINDS
        ),
    )


def differing(turbine_type: TurbineType) -> float:
    """How much constants of its machines differ, by its file."""
    return turbine_type.individuals.machine if turbine_type.individuals else 0.0


def course(turbine_type: TurbineType, hours: float) -> Course:
    """A period in the usual wind, then other winds and faults, of two machines.

    One seed: the same machines. Winds and turbulence lie between and beyond those of training.
    """

    def run(role: Role, name: str, length: float, wind: float, turbulence: float) -> Run:
        made = _run(turbine_type, role, 2, length, 5 * _OTHER_SEEDS, wind)
        return replace(made, name=name, turbulence=turbulence)

    faults = _faulty(turbine_type, 5 * _OTHER_SEEDS, 1.9, 2, SEVERITIES)
    return Course(
        run("train", "period", 1.0, _USUAL_WIND, 0.15),
        tuple(run("test", f"wind{wind:g}", hours, wind, turbulence)
              for wind, turbulence in ((1.35, 0.12), (1.9, 0.18), (2.6, 0.13))),
        (replace(faults, name="faults", turbulence=0.13),),
    )  # fmt: skip


def _run(
    turbine_type: TurbineType,
    role: Role,
    turbines: int,
    hours: float,
    seed: int,
    wind: float,
    *,
    suffix: str = "",
) -> Run:
    wind = _scaled(turbine_type, wind)
    name = f"wind{wind:g}{suffix}"
    return Run(role, name, turbines, hours, seed, wind, _TURBULENCES[0], type=turbine_type.name)


def _scaled(turbine_type: TurbineType, wind: float) -> float:
    usual = float(turbine_type.physics.get("wind_mean_rps", _USUAL_WIND))
    return round(wind * usual / _USUAL_WIND, 3)


def _grid(
    turbine_type: TurbineType, role: Role, first_seed: int, hours: float, *, every_turbulence: bool
) -> Iterator[Run]:
    seed = first_seed
    for i, usual in enumerate(_WINDS):
        wind = _scaled(turbine_type, usual)
        chosen = _TURBULENCES if every_turbulence else _TURBULENCES[i % 3 : i % 3 + 1]
        for turbulence in chosen:
            name = f"wind{wind:g}-turbulence{turbulence:g}"
            yield Run(role, name, _TURBINES, hours, seed, wind, turbulence, type=turbine_type.name)
            seed += 1


def _faulty(
    turbine_type: TurbineType, seed: int, wind: float, turbines: int, severities: tuple[float, ...]
) -> Run:
    """Every kind and severity on every turbine, one after the other, at times of its own."""
    faults: list[Fault] = []
    pairs = [(kind, severity) for severity in severities for kind in INJECTABLE]
    for index in range(turbines):
        for position, (kind, severity) in enumerate(pairs):
            start = PAUSE_S + position * (FAULT_S + PAUSE_S) + 7.3 * index
            faults.append(Fault(turbine_id(index), kind, severity, round(start, 2), FAULT_S))
    seconds = max(fault.start for fault in faults) + FAULT_S + PAUSE_S
    normal = _run(turbine_type, "fault", turbines, round(seconds / 3600, 4), seed, wind)
    return replace(normal, faults=tuple(faults))

"""What the miniature is trained and judged on."""

from collections.abc import Iterator

from gustbed_core.settings import turbine_id
from gustbed_core.violations import INJECTABLE
from gustbed_training.data.dataset import Role
from gustbed_training.data.twin import Fault, Profile, Run

SEVERITIES = (0.2, 0.3, 0.5, 0.8, 1.0)
FAULT_S = 90.0
"""How long an injected fault lasts."""
PAUSE_S = 60.0
_TURBINES = 6
_WINDS = (0.8, 1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.15, 2.3, 2.5, 2.75, 3.0, 3.3, 3.7)
_TURBULENCES = (0.15, 0.1, 0.25)
_OTHER_SEEDS = 1000
"""Seeds of a role differ from every other role's."""


def default() -> Profile:
    """To train the shipped model on."""
    return Profile(
        "default",
        (
            *_grid("train", _OTHER_SEEDS, 0.12, every_turbulence=True),
            *_grid("calibrate", 2 * _OTHER_SEEDS, 0.5, every_turbulence=False),
            _faulty(3 * _OTHER_SEEDS, 1.9, _TURBINES, SEVERITIES),
        ),
    )


def tiny() -> Profile:
    """Made in seconds, for tests."""
    return Profile(
        "tiny",
        (
            Run("train", "wind1.8", 2, 0.12, 11, 1.8, 0.15),
            Run("train", "wind2.5", 2, 0.12, 12, 2.5, 0.15),
            Run("calibrate", "wind2.15", 2, 0.1, 13, 2.15, 0.15),
            _faulty(14, 2.15, 2, (1.0,)),
        ),
    )


def evaluation() -> Profile:
    """Seeds and winds that no training sees."""
    return Profile(
        "evaluation",
        (
            Run("test", "wind2.15", _TURBINES, 1.0, 42, 2.15, 0.15),
            Run("test", "wind1.6", _TURBINES, 1.0, 7, 1.6, 0.15),
            Run("test", "wind2.15-b", _TURBINES, 1.0, 99, 2.15, 0.15),
            Run("test", "wind2.8", _TURBINES, 1.0, 1234, 2.8, 0.15),
            _faulty(7001, 1.6, _TURBINES, SEVERITIES),
            _faulty(7002, 2.15, _TURBINES, SEVERITIES),
            _faulty(7003, 2.8, _TURBINES, SEVERITIES),
        ),
    )


def _grid(role: Role, first_seed: int, hours: float, *, every_turbulence: bool) -> Iterator[Run]:
    seed = first_seed
    for i, wind in enumerate(_WINDS):
        chosen = _TURBULENCES if every_turbulence else _TURBULENCES[i % 3 : i % 3 + 1]
        for turbulence in chosen:
            name = f"wind{wind:g}-turbulence{turbulence:g}"
            yield Run(role, name, _TURBINES, hours, seed, wind, turbulence)
            seed += 1


def _faulty(seed: int, wind: float, turbines: int, severities: tuple[float, ...]) -> Run:
    """Every kind and severity on every turbine, one after the other, at times of its own."""
    faults: list[Fault] = []
    pairs = [(kind, severity) for severity in severities for kind in INJECTABLE]
    for index in range(turbines):
        for position, (kind, severity) in enumerate(pairs):
            start = PAUSE_S + position * (FAULT_S + PAUSE_S) + 7.3 * index
            faults.append(Fault(turbine_id(index), kind, severity, round(start, 2), FAULT_S))
    seconds = max(fault.start for fault in faults) + FAULT_S + PAUSE_S
    hours = round(seconds / 3600, 4)
    return Run("fault", f"wind{wind:g}", turbines, hours, seed, wind, 0.15, tuple(faults))

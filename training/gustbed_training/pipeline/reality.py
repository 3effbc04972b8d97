"""The reality gap: a package on machines it was not made for, before and after commissioning.

Per condition one machine is recorded for a commissioning period, then at other winds, calm and
with faults; what is judged never overlaps the period. The edge's own arithmetic commissions and
judges.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray

from gustbed_core.commissioning.correction import (
    Correction,
    Corrections,
    corrected_ratios,
    prior,
)
from gustbed_core.commissioning.normality import NotNormalError, Signs
from gustbed_core.commissioning.period import PROVISIONAL_SECONDS, Period
from gustbed_core.commissioning.population import Population
from gustbed_core.errors import GustbedError
from gustbed_core.package import Package
from gustbed_core.signals import Schema
from gustbed_core.turbine_types import TurbineType
from gustbed_training.data import miniature_profiles, variable_speed_profiles
from gustbed_training.data.conditions import Condition, write_type
from gustbed_training.data.dataset import open_dataset
from gustbed_training.data.individuals import sensed
from gustbed_training.data.partition import Part
from gustbed_training.data.reality import CONDITIONS
from gustbed_training.data.split import whole
from gustbed_training.data.twin import Course, Profile, Run, cached
from gustbed_training.data.types import find_type
from gustbed_training.data.windows import windows_of
from gustbed_training.detectors.scoring import Scorer, scorer
from gustbed_training.evaluation.reality_gap import GapRow, Judged, judged_by
from gustbed_training.evaluation.verdicts import judge
from gustbed_training.pipeline.parallel import finished
from gustbed_training.pipeline.population import explainer
from gustbed_training.progress import Log

_CHUNK = 512
_RAMP_S = 600
COURSES: dict[str, Callable[[TurbineType, float], Course]] = {
    "miniature": miniature_profiles.course,
    "variable_speed": variable_speed_profiles.course,
}


@dataclass(frozen=True)
class _Task:
    """A condition's, for a process of its own."""

    condition: Condition
    package: Package
    hours: float
    home: Path


def measure_all(
    package: Package, hours: float, home: Path, log: Log, only: Sequence[str] = ()
) -> list[GapRow]:
    """Every condition of the package's turbine type whose name holds one of ``only``, if any.

    ``hours`` are judged in each calm wind. Raises ``GustbedError``.
    """
    turbine_type = find_type(package.manifest.turbine_type)
    model = str(turbine_type.physics.get("model"))
    chosen = [
        condition for condition in CONDITIONS.get(model, ())
        if not only or any(word in condition.name for word in only)
    ]  # fmt: skip
    if not chosen:
        raise GustbedError(
            f"no condition of type {turbine_type.name}" + (f" named {only[0]!r}" if only else ""),
            "see gustbed_training/data/reality.py",
        )
    if package.population is None:
        raise GustbedError(
            f"{package.manifest.name} {package.manifest.version} cannot be commissioned",
            "make it with a population",
        )
    tasks = [_Task(condition, package, hours, home) for condition in chosen]
    rows: dict[str, GapRow] = {}
    for task, row in finished(_measured, tasks):
        rows[task.condition.name] = row
        log(f"reality {turbine_type.name}: {len(rows)}/{len(chosen)} {task.condition.name}")
    return [rows[condition.name] for condition in chosen]


def _measured(task: _Task) -> GapRow:
    torch.set_num_threads(1)
    turbine_type = find_type(task.package.manifest.turbine_type)
    model = str(turbine_type.physics.get("model"))
    course = COURSES[model](turbine_type, task.hours)
    # Each is small to make, and they are many: no recording outlives its figures.
    with TemporaryDirectory(prefix="reality-", dir=_made(task.home)) as folder:
        try:
            return measure_condition(
                task.condition, turbine_type, course, task.package, Path(folder), lambda _: None
            )
        except GustbedError as error:
            # Its kinds do not all survive the way back from a child process.
            raise GustbedError(f"condition {task.condition.name!r}: {error}") from None


def _made(home: Path) -> Path:
    home.mkdir(parents=True, exist_ok=True)
    return home


def measure_condition(
    condition: Condition, turbine_type: TurbineType, course: Course, package: Package,
    home: Path, log: Log,
) -> GapRow:  # fmt: skip
    """Simulate, commission, judge. Raises ``GustbedError`` for a package without a population."""
    population = package.population
    if population is None:
        raise GustbedError(
            f"{package.manifest.name} {package.manifest.version} cannot be commissioned",
            "make it with a population",
        )
    file = write_type(condition, turbine_type, home / "reality")
    name = f"reality-{turbine_type.name}-{file.parent.name}"
    runs = tuple(_changed(run, condition, file) for run in course.runs)
    folder = cached(Profile(name, runs), log, home / "datasets")
    found = _Recorded(folder, turbine_type, condition)
    explain = explainer(package.model)
    first = list(found.parts(runs[0]))
    own, refused = _learnt(first, lambda part: commission(part, found.schema, explain, population))
    provisional, too_early = _learnt(
        first, lambda part: commission(part, found.schema, explain, population, provisional=True)
    )
    judged = [part for run in runs[1:] for part in found.parts(run)]
    wide = {part.recording.turbine: prior(population) for part in judged}
    plain = scorer(package.model)

    def by(corrections: Mapping[str, Correction]) -> Judged:
        return _judged(found.schema, judged, _scorers(corrections, explain, population))

    return GapRow(
        turbine_type.name,
        condition.name,
        condition.machine_differs,
        _judged(found.schema, judged, dict.fromkeys(wide, plain)),
        by(wide),
        # Whom nothing can be learnt of stays judged as widely as before.
        by(wide | provisional),
        by(own) if not refused else None,
        refused,
        too_early,
    )


def _learnt(
    parts: Sequence[Part], learn: Callable[[Part], Correction]
) -> tuple[dict[str, Correction], tuple[str, ...]]:
    """Corrections by turbine, and why others have none."""
    found: dict[str, Correction] = {}
    refused = []
    for part in parts:
        turbine = part.recording.turbine
        try:
            found[turbine] = learn(part)
        except NotNormalError as error:
            refused.append(f"{turbine}: {error}")
    return found, tuple(refused)


def commission(
    part: Part, schema: Schema, explain: explainer, population: Population,
    *, provisional: bool = False,
) -> Correction:  # fmt: skip
    """What a part that is declared normal tells of its turbine; if ``provisional``, what its first
    minutes do, as the edge learns them unasked. Raises ``NotNormalError``.
    """
    windows = windows_of(part, schema)
    if provisional:
        windows = windows[: round(PROVISIONAL_SECONDS / 3600 * schema.verdicts_per_hour)]
    period = Period.begin(population, len(windows), provisional=provisional)
    signs = Signs(schema.feature_names, schema.decision.open_after)
    for first in range(0, len(windows), _CHUNK):
        period.add(explain(windows[first : first + _CHUNK]), population, signs)
    return period.result()


@dataclass(frozen=True)
class _Recorded:
    """A condition's dataset."""

    folder: Path
    turbine_type: TurbineType
    condition: Condition

    @property
    def schema(self) -> Schema:
        """How its recordings are read."""
        return self.turbine_type.schema

    def parts(self, run: Run) -> Iterator[Part]:
        """Whole recordings of a run, as the condition's sensors wrote them."""
        dataset = open_dataset(self.folder)
        limits = self.turbine_type.individuals
        attitude = limits.tilt.of if limits and limits.tilt else ()
        for source in dataset.sources:
            if source.path.parent.name == run.folder:
                for recording in dataset.read(source):
                    values = sensed(recording.values, self.schema, self.condition.sensing, attitude)
                    yield whole(replace(recording, values=values))


def _changed(run: Run, condition: Condition, file: Path) -> Run:
    """A run of the condition's machine; the weather of the period stays as it is."""
    changed = replace(run, type=str(file))
    if run.role == "train":
        return changed
    wind = run.wind if condition.wind is None else condition.wind
    turbulence = run.turbulence if condition.turbulence is None else condition.turbulence
    changed = replace(changed, wind=wind, turbulence=turbulence)
    if not condition.ramps or run.scenario is None:
        return changed
    starts = range(0, round(run.hours * 3600), _RAMP_S)
    ramps = [
        {"kind": "ramp", "at": float(at), "size": condition.ramps * (1 - 2 * (number % 2)),
         "over": float(_RAMP_S)}
        for number, at in enumerate(starts)
    ]  # fmt: skip
    weather = dict(run.scenario["wind"]) | {"events": ramps}
    return replace(changed, scenario=dict(run.scenario) | {"wind": weather})


def _judged(schema: Schema, parts: Sequence[Part], scorers: Mapping[str, Scorer]) -> Judged:
    found = [judge(schema, part, scorers[part.recording.turbine]) for part in parts]
    return judged_by(schema, found)


def _scorers(
    corrections: Mapping[str, Correction], explain: explainer, population: Population
) -> dict[str, Scorer]:
    return {
        name: _corrected(explain, correction, population)
        for name, correction in corrections.items()
    }


def _corrected(explain: explainer, correction: Correction, population: Population) -> Scorer:
    one = Corrections.of([correction], population)

    def score(windows: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        parts = [
            corrected_ratios(
                explain(windows[i : i + _CHUNK]), one, population.heads, population.explains
            )
            for i in range(0, len(windows), _CHUNK)
        ]
        ratios = np.concatenate(parts)
        return ratios, ratios

    return score

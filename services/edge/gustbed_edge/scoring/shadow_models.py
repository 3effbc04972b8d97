"""Models that run in shadow: they see what the serving model saw, and only their tally counts."""

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gustbed_core.events import Comparison, Verdict
from gustbed_core.package import PackageError
from gustbed_core.turbine_types import TurbineType
from gustbed_edge.scoring.detector import Detector
from gustbed_edge.scoring.scorer import Outcome
from gustbed_edge.scoring.type_scorer import (
    DecisionOverrides,
    RoundWindows,
    TypeScorer,
    detectors_of,
)
from gustbed_edge.scoring.verdicts import Round, verdicts

log = logging.getLogger(__name__)

JUDGED = ("ok", "anomaly")


class _Place(NamedTuple):
    """A round, the shadow model's windows of it, and what the serving model said of it."""

    part: Round
    taken: RoundWindows
    serving: list[Verdict]


@dataclass(slots=True)
class _Tally:
    verdicts: int = 0
    both: int = 0
    neither: int = 0
    only_serving: int = 0
    only_shadow: int = 0

    def add(self, serving: Verdict, shadow: Verdict) -> None:
        if serving.state not in JUDGED or shadow.state not in JUDGED:
            return
        self.verdicts += 1
        accused = serving.state == "anomaly", shadow.state == "anomaly"
        if accused == (True, True):
            self.both += 1
        elif accused == (False, False):
            self.neither += 1
        elif accused[0]:
            self.only_serving += 1
        else:
            self.only_shadow += 1


class ShadowModels:
    """At most one for each turbine type. Used by the scoring thread, once it has told what the
    serving model says; counts may be read by others.

    A shadow model that fails, or takes longer than ``max_scoring_time`` seconds for one window of
    every turbine, is dropped: it must not hold up the model that serves.
    """

    def __init__(
        self,
        turbines: int,
        *,
        overrides: DecisionOverrides,
        max_scoring_time: float,
        types: Mapping[str, TurbineType],
    ) -> None:
        self.dropped: Counter[str] = Counter()
        """Shadow models dropped, by turbine type."""
        self._turbines = turbines
        self._overrides = overrides
        self._known = types
        self._max_scoring_time = max_scoring_time
        self._scorers: dict[str, TypeScorer] = {}
        self._tallies: dict[str, _Tally] = {}

    @property
    def detectors(self) -> dict[str, Detector]:
        """The models in shadow, by turbine type."""
        return detectors_of(self._scorers)

    def comparisons(self) -> dict[str, Comparison]:
        """How each shadow model compares since it began here, by turbine type."""
        found = {}
        for turbine_type, detector in self.detectors.items():
            tally = self._tallies.get(turbine_type)
            if tally is not None:
                found[turbine_type] = Comparison(
                    detector.model,
                    tally.verdicts,
                    tally.both,
                    tally.neither,
                    tally.only_serving,
                    tally.only_shadow,
                )
        return found

    def begin(self, detector: Detector) -> None:
        """Let a model run in shadow of the one that serves its type. Call between batches."""
        turbine_type = detector.manifest.turbine_type
        known = self._known.get(turbine_type)
        scorer = TypeScorer(detector, self._turbines, self._overrides, known)
        self._tallies[turbine_type] = _Tally()
        self._scorers[turbine_type] = scorer

    def end(self, turbine_type: str) -> None:
        """Let a type's shadow model go. Call between batches."""
        self._scorers.pop(turbine_type, None)
        self._tallies.pop(turbine_type, None)

    def compare(self, outcome: Outcome, *, busy: bool) -> list[Verdict]:
        """What the shadow models say of what was just scored. While ``busy`` they only watch."""
        told: list[Verdict] = []
        for turbine_type in list(self._scorers) if self._scorers else ():
            try:
                told.extend(self._compare(turbine_type, outcome, busy=busy))
            except Exception as error:  # noqa: BLE001 - whatever it is, it is the shadow model's
                self._drop(turbine_type, error)
        return told

    def _compare(self, turbine_type: str, outcome: Outcome, *, busy: bool) -> list[Verdict]:
        scorer, tally = self._scorers[turbine_type], self._tallies[turbine_type]
        places: list[_Place] = []
        first = 0
        for part in outcome.rounds:
            last = first + len(part.samples)
            if part.type == turbine_type:
                places.append(_Place(part, scorer.take(part), outcome.verdicts[first:last]))
            first = last
        if busy:
            for place in places:
                scorer.forget(place.part.rows)
        if busy or not places:
            return []
        ratios = self._ratios(scorer, np.concatenate([place.taken.windows for place in places]))
        told: list[Verdict] = []
        used = 0
        for place in places:
            ready = place.taken.ready
            count = int(ready.sum())
            judgement = scorer.conclude(place.part, ready, ratios[used : used + count])
            used += count
            said = verdicts(place.part, judgement)
            for serving, shadow in zip(place.serving, said, strict=True):
                tally.add(serving, shadow)
            told.extend(said)
        return told

    def _ratios(self, scorer: TypeScorer, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        if not len(windows):
            return np.zeros((0, len(scorer.detector.manifest.features)), dtype=np.float32)
        # A backlog is more than one window a turbine.
        limit = self._max_scoring_time * max(1.0, len(windows) / self._turbines)
        ratios, taken = scorer.detector.timed(scorer.features(windows), limit)
        if taken > limit:
            raise PackageError("too_slow", f"{taken:.3f} s for {len(windows)} windows")
        return ratios

    def _drop(self, turbine_type: str, error: Exception) -> None:
        version = self._scorers[turbine_type].detector.model.version
        text = f"no channel {error}" if isinstance(error, KeyError) else str(error)[:200]
        log.warning("shadow model %s of type %s dropped: %s", version, turbine_type, text)
        self.dropped[turbine_type] += 1
        self.end(turbine_type)

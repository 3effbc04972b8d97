"""Models that run in shadow: they see what the serving model saw, and only their tally counts."""

import logging
from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gustbed_core.events import Comparison, Verdict
from gustbed_core.package import PackageError
from gustbed_edge.scoring.detector import Detector
from gustbed_edge.scoring.scorer import Outcome
from gustbed_edge.scoring.type_scorer import Deciding, Group, Taken, detectors_of
from gustbed_edge.scoring.verdicts import Round, verdicts

log = logging.getLogger(__name__)

JUDGED = ("ok", "anomaly")


class _Place(NamedTuple):
    """A round, the challenger's windows of it, and what the serving model said of it."""

    part: Round
    taken: Taken
    serving: list[Verdict]


@dataclass(slots=True)
class _Tally:
    verdicts: int = 0
    both: int = 0
    neither: int = 0
    only_serving: int = 0
    only_challenger: int = 0

    def add(self, serving: Verdict, challenger: Verdict) -> None:
        if serving.state not in JUDGED or challenger.state not in JUDGED:
            return
        self.verdicts += 1
        accused = serving.state == "anomaly", challenger.state == "anomaly"
        if accused == (True, True):
            self.both += 1
        elif accused == (False, False):
            self.neither += 1
        elif accused[0]:
            self.only_serving += 1
        else:
            self.only_challenger += 1


class Challengers:
    """At most one for each turbine type. Used by the scoring thread, once it has told what the
    serving model says; counts may be read by others.

    A challenger that fails, or takes longer than ``max_scoring_time`` seconds for one window of
    every turbine, is dropped: it must not hold up the model that serves.
    """

    def __init__(self, turbines: int, *, deciding: Deciding, max_scoring_time: float) -> None:
        self.dropped: Counter[str] = Counter()
        """Challengers dropped, by turbine type."""
        self._turbines = turbines
        self._deciding = deciding
        self._max_scoring_time = max_scoring_time
        self._groups: dict[str, Group] = {}
        self._tallies: dict[str, _Tally] = {}

    @property
    def detectors(self) -> dict[str, Detector]:
        """The models in shadow, by turbine type."""
        return detectors_of(self._groups)

    def comparisons(self) -> dict[str, Comparison]:
        """How each challenger compares since it began here, by turbine type."""
        found = {}
        for kind, detector in self.detectors.items():
            tally = self._tallies.get(kind)
            if tally is not None:
                found[kind] = Comparison(
                    detector.model,
                    tally.verdicts,
                    tally.both,
                    tally.neither,
                    tally.only_serving,
                    tally.only_challenger,
                )
        return found

    def begin(self, detector: Detector) -> None:
        """Let a model challenge the one that serves its type. Call between batches."""
        kind = detector.manifest.turbine_type
        group = Group(self._turbines, self._deciding)
        group.serve(detector)
        self._tallies[kind] = _Tally()
        self._groups[kind] = group

    def end(self, kind: str) -> None:
        """Let a type's challenger go. Call between batches."""
        self._groups.pop(kind, None)
        self._tallies.pop(kind, None)

    def compare(self, outcome: Outcome, *, busy: bool) -> list[Verdict]:
        """What the challengers say of what was just scored. While ``busy`` they only watch."""
        told: list[Verdict] = []
        for kind in list(self._groups) if self._groups else ():
            try:
                told.extend(self._compare(kind, outcome, busy=busy))
            except Exception as error:  # noqa: BLE001 - whatever it is, it is the challenger's
                self._drop(kind, error)
        return told

    def _compare(self, kind: str, outcome: Outcome, *, busy: bool) -> list[Verdict]:
        group, tally = self._groups[kind], self._tallies[kind]
        places: list[_Place] = []
        first = 0
        for part in outcome.rounds:
            last = first + len(part.samples)
            if part.type == kind:
                places.append(_Place(part, group.take(part), outcome.verdicts[first:last]))
            first = last
        if busy:
            for place in places:
                group.forget(place.part.rows)
        if busy or not places:
            return []
        ratios = self._ratios(group, np.concatenate([place.taken.windows for place in places]))
        told: list[Verdict] = []
        used = 0
        for place in places:
            ready = place.taken.ready
            count = int(ready.sum())
            judgement = group.conclude(place.part, ready, ratios[used : used + count])
            used += count
            said = verdicts(place.part, judgement)
            for serving, challenger in zip(place.serving, said, strict=True):
                tally.add(serving, challenger)
            told.extend(said)
        return told

    def _ratios(self, group: Group, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        assert group.detector is not None  # noqa: S101 - set in ``begin``
        if not len(windows):
            return np.zeros((0, len(group.detector.manifest.features)), dtype=np.float32)
        # A backlog is more than one window a turbine.
        limit = self._max_scoring_time * max(1.0, len(windows) / self._turbines)
        ratios, taken = group.detector.timed(group.features(windows), limit)
        if taken > limit:
            raise PackageError("too_slow", f"{taken:.3f} s for {len(windows)} windows")
        return ratios

    def _drop(self, kind: str, error: Exception) -> None:
        detector = self._groups[kind].detector
        version = detector.model.version if detector else "?"
        text = f"no channel {error}" if isinstance(error, KeyError) else str(error)[:200]
        log.warning("challenger %s of type %s dropped: %s", version, kind, text)
        self.dropped[kind] += 1
        self.end(kind)

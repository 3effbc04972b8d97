"""What the scoring thread and the commissioner hand each other; neither waits for the other."""

from collections import deque
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gustbed_core.commissioning.correction import Corrections
from gustbed_core.commissioning.normality import Signs
from gustbed_core.commissioning.population import Floats, Population, Terms
from gustbed_core.event_kinds import EventKind
from gustbed_core.events import ModelRef

PLAIN = -1
"""The place of a turbine that is judged as the graph itself has it."""
MAX_WAITING_BYTES = 64 * 1024 * 1024
"""Of what was seen and nobody has learnt from yet; what is beyond is left out, and counted."""


@dataclass(frozen=True, slots=True)
class Served:
    """A model that serves a turbine type, as far as its commissioning goes.

    ``fingerprint`` is what corrections belong to; ``smooth`` how many ratios verdicts average.
    """

    turbine_type: str
    model: ModelRef
    fingerprint: str
    population: Population | None
    signs: Signs
    smooth: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How the turbines of a type are judged by one model; never changed, only replaced.

    All by the turbine's row. ``place`` is that of its correction among ``corrections``, or
    ``PLAIN``; the first is that of a turbine that nothing is known of. ``followed``: whether a
    judgement that nobody vouched for is compared with the wide one; ``learning``: whether a period
    of it runs. ``versions`` is what its verdicts say.
    """

    fingerprint: str
    place: NDArray[np.intp]
    followed: NDArray[np.bool_]
    learning: NDArray[np.bool_]
    corrections: Corrections
    versions: tuple[str, ...]
    heads: NDArray[np.intp]
    explains: Floats

    def versions_of(self, rows: NDArray[np.intp]) -> list[str] | None:
        """What verdicts on turbines say; None if they say nothing."""
        if not (self.place[rows] >= 0).any():
            return None
        return [self.versions[row] for row in rows.tolist()]

    def of(self, rows: NDArray[np.intp]) -> Corrections:
        """The corrections of turbines that have one; one for all where they share it."""
        places = self.place[rows]
        if len(places) and (places == places[0]).all():
            places = places[:1]
        return self._at(places)

    @property
    def wide(self) -> Corrections:
        """That of a turbine that nothing is known of, for all."""
        return self._at(np.zeros(1, dtype=np.intp))

    def _at(self, places: NDArray[np.intp]) -> Corrections:
        kept = self.corrections
        return Corrections(kept.shift[places], kept.covariance[places], kept.room[places])


@dataclass(frozen=True, slots=True)
class Observation:
    """What a model said of a batch of windows, as far as somebody learns from it.

    ``restarted`` rows had a gap before. ``ratios`` (k, features) are by the factory's measure, or
    by the correction at work, of ``rows`` (k), whose windows end at ``ends`` (Unix seconds), and
    ``widely`` those of turbines that nothing is known of; ``terms`` are those of ``learners`` (m).
    """

    turbine_type: str
    fingerprint: str
    restarted: NDArray[np.intp]
    rows: NDArray[np.intp]
    ends: NDArray[np.float64]
    ratios: Floats
    widely: Floats
    learners: NDArray[np.intp]
    terms: Terms

    @property
    def size(self) -> int:
        """Bytes, nearly."""
        return self.ratios.nbytes + self.widely.nbytes + self.terms.size


@dataclass(frozen=True, slots=True)
class Presence:
    """A turbine as the scorer knows it. ``span`` is of its last block, in seconds."""

    turbine_type: str
    state: Literal["ok", "anomaly", "warming", "unknown", "silent"]
    span: float


class Desk:
    """One side writes, the other reads, each attribute in one direction.

    The scoring thread puts ``served``, observations and ``opened`` events (row and kind); the
    commissioner puts ``standings`` by turbine type, and then the rows that are ``taken_back``: of
    turbines that are judged widely again, and whose events are to be closed.
    """

    def __init__(self) -> None:
        self.served: dict[str, Served] = {}
        self.standings: dict[str, Standing] = {}
        self.opened: deque[tuple[int, EventKind]] = deque(maxlen=100_000)
        self.taken_back: deque[int] = deque()
        self.left_out = 0
        """Windows that nobody learnt from because too many waited."""
        self._observations: deque[Observation] = deque()
        self._put = 0
        self._taken = 0

    def observe(self, observation: Observation) -> None:
        """Let what was seen wait for the commissioner. Never blocks."""
        if self._put - self._taken > MAX_WAITING_BYTES:
            self.left_out += len(observation.rows) + len(observation.learners)
            return
        self._put += observation.size
        self._observations.append(observation)

    def take(self) -> Observation | None:
        """The oldest that waits."""
        if not self._observations:
            return None
        observation = self._observations.popleft()
        self._taken += observation.size
        return observation

    def version_of(self, turbine_type: str, row: int) -> str:
        """Of the correction that verdicts on a turbine rest on, ``prior``, or empty."""
        standing = self.standings.get(turbine_type)
        return "" if standing is None else standing.versions[row]

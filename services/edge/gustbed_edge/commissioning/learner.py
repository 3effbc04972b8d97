"""One turbine's period while it runs: what waits to be added, and when it was last written."""

from dataclasses import dataclass, field

from gustbed_core.commissioning.normality import Signs
from gustbed_core.commissioning.period import Period
from gustbed_core.commissioning.population import Population, Terms, joined
from gustbed_edge.commissioning.records import Run

CHUNK = 12
"""Verdicts that are added at once: one by one they would cost ten times as much."""
SAVE_SECONDS = 60.0
"""Of verdicts: what a loss of power costs at most."""


@dataclass
class Learner:
    """``saved`` is how many verdicts the file on disk has."""

    run: Run
    period: Period
    saved: int = 0
    _waiting: list[Terms] = field(default_factory=list)
    _count: int = 0

    def take(self, terms: Terms) -> bool:
        """Let verdicts wait; whether there are enough of them to be added."""
        self._waiting.append(terms)
        self._count += len(terms)
        return self._count >= min(CHUNK, self.period.wanted - self.period.count)

    def add(self, population: Population, signs: Signs) -> None:
        """Add what waits. Raises ``NotNormalError``."""
        if self._waiting:
            terms, self._waiting, self._count = joined(self._waiting), [], 0
            self.period.add(terms, population, signs)

    @property
    def due(self) -> bool:
        """Whether it is time to write it."""
        return (self.period.count - self.saved) * self.run.span >= SAVE_SECONDS

    @property
    def progress(self) -> float:
        """Share of the wanted verdicts, 0 to 1."""
        return min(1.0, (self.period.count + self._count) / self.period.wanted)

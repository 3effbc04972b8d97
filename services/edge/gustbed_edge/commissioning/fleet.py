"""The turbines of a type under the model that serves it: who is judged by what."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from gustbed_core.commissioning.correction import Correction, Corrections, prior
from gustbed_core.commissioning.messages import FACTORY, OWN, PRIOR, PROVISIONAL, Basis
from gustbed_core.commissioning.population import Population
from gustbed_edge.commissioning.desk import PLAIN, Served, Standing
from gustbed_edge.commissioning.trust import Patience, Trust


class Fleet:
    """Corrections and trust under one model; a next model has its own.

    ``own`` are corrections at work, with their versions, by row; ``provisional`` those that nobody
    has declared normal.
    """

    def __init__(
        self, served: Served, population: Population, turbines: int, patience: Patience
    ) -> None:
        self.served = served
        self.population = population
        self.own: dict[int, tuple[str, Correction]] = {}
        self.provisional: dict[int, tuple[str, Correction]] = {}
        self._at_work = {OWN: self.own, PROVISIONAL: self.provisional}
        self._turbines = turbines
        self._at_once = patience.calm == 0
        signs = served.signs
        self.trust = Trust(turbines, len(signs.features), served.smooth, signs.open_after, patience)

    def correct(self, row: int, version: str, correction: Correction) -> None:
        """Judge a turbine by its own correction."""
        self.own[row] = version, correction
        self.provisional.pop(row, None)
        self.trust.unwatch(row)

    def learn(self, row: int, version: str, correction: Correction) -> None:
        """Judge a turbine that nobody has commissioned by what it showed."""
        self.provisional[row] = version, correction
        self.trust.unwatch(row)

    def basis(self, row: int, trusted: str) -> Basis:
        """What a turbine is judged by; ``trusted`` is the model that was calm on it."""
        if row in self.own:
            return OWN
        if self._at_once or trusted == self.served.fingerprint:
            return FACTORY
        return PROVISIONAL if row in self.provisional else PRIOR

    def version(self, row: int, basis: Basis) -> str:
        """Of the correction that a turbine is judged by; empty for none."""
        return self._at_work[basis][row][0] if basis in self._at_work else ""

    def versions(self) -> frozenset[tuple[int, str]]:
        """Of all corrections, by row."""
        both = (*self.own.items(), *self.provisional.items())
        return frozenset((row, version) for row, (version, _) in both)

    def standing(
        self, trusted: Mapping[int, str], doubted: Collection[int], learning: Collection[int]
    ) -> Standing:
        """How they are judged now. ``trusted`` by row; ``doubted`` rows cannot win trust again."""
        place = np.zeros(self._turbines, dtype=np.intp)
        versions = [str(PRIOR)] * self._turbines
        corrections = [prior(self.population)]
        for row in range(self._turbines):
            basis = self.basis(row, trusted.get(row, ""))
            if basis == FACTORY:
                place[row], versions[row] = PLAIN, ""
            elif basis in self._at_work:
                version, correction = self._at_work[basis][row]
                versions[row] = version if basis == OWN else PROVISIONAL
                place[row] = len(corrections)
                corrections.append(correction)
        followed = place == 0
        followed[list(doubted)] = False
        # Nobody watches a turbine that somebody declared normal.
        followed |= self.trust.watched
        return _standing(
            self.served, self.population, place, followed, list(learning), corrections, versions
        )


def first_standing(served: Served, turbines: int) -> Standing | None:
    """Before anything is known of a turbine; None for a model that cannot be commissioned."""
    population = served.population
    if population is None:
        return None
    place = np.zeros(turbines, dtype=np.intp)
    return _standing(
        served, population, place, place == 0, [], [prior(population)], [str(PRIOR)] * turbines
    )


def _standing(
    served: Served,
    population: Population,
    place: NDArray[np.intp],
    followed: NDArray[np.bool_],
    learning: list[int],
    corrections: list[Correction],
    versions: Sequence[str],
) -> Standing:
    learns = np.zeros(len(place), dtype=np.bool_)
    learns[learning] = True
    return Standing(
        served.fingerprint,
        place,
        followed,
        learns,
        Corrections.of(corrections, population),
        tuple(versions),
        population.heads,
        population.explains,
    )

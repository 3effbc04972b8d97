"""The turbines of a type under the model that serves it: who is judged by what."""

from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from gustbed_core.commissioning.correction import Correction, Corrections, prior
from gustbed_core.commissioning.messages import FACTORY, OWN, PRIOR, Basis
from gustbed_core.commissioning.population import Population
from gustbed_edge.commissioning.desk import PLAIN, Served, Standing
from gustbed_edge.commissioning.trust import Trust


class Fleet:
    """Corrections and trust under one model; a next model has its own.

    ``own`` are corrections at work, with their versions, by row.
    """

    def __init__(
        self, served: Served, population: Population, turbines: int, trust_after: float
    ) -> None:
        self.served = served
        self.population = population
        self.own: dict[int, tuple[str, Correction]] = {}
        self._turbines = turbines
        self._trust_after = trust_after
        features = len(served.signs.features)
        self.trust = Trust(turbines, features, served.smooth, trust_after)

    def basis(self, row: int, trusted: str) -> Basis:
        """What a turbine is judged by; ``trusted`` is the model that was calm on it."""
        if row in self.own:
            return OWN
        calm = self._trust_after == 0 or trusted == self.served.fingerprint
        return FACTORY if calm else PRIOR

    def standing(self, trusted: Mapping[int, str], learning: Collection[int]) -> Standing:
        """How they are judged now. ``trusted`` by row."""
        place = np.zeros(self._turbines, dtype=np.intp)
        versions = [str(PRIOR)] * self._turbines
        corrections = [prior(self.population)]
        for row in range(self._turbines):
            basis = self.basis(row, trusted.get(row, ""))
            if basis == OWN:
                versions[row], correction = self.own[row]
                place[row] = len(corrections)
                corrections.append(correction)
            elif basis == FACTORY:
                place[row], versions[row] = PLAIN, ""
        return _standing(
            self.served, self.population, place, list(learning), corrections, tuple(versions)
        )


def first_standing(served: Served, turbines: int) -> Standing | None:
    """Before anything is known of a turbine; None for a model that cannot be commissioned."""
    population = served.population
    if population is None:
        return None
    place = np.zeros(turbines, dtype=np.intp)
    return _standing(served, population, place, [], [prior(population)], (str(PRIOR),) * turbines)


def _standing(
    served: Served,
    population: Population,
    place: NDArray[np.intp],
    learning: list[int],
    corrections: list[Correction],
    versions: tuple[str, ...],
) -> Standing:
    learns = np.zeros(len(place), dtype=np.bool_)
    learns[learning] = True
    return Standing(
        served.fingerprint,
        place,
        place == 0,
        learns,
        Corrections.of(corrections, population),
        versions,
        population.heads,
        population.explains,
    )

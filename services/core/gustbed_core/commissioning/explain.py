"""What a correction says of a turbine, in few numbers for people."""

from collections.abc import Sequence

import numpy as np

from gustbed_core.commissioning.correction import Correction, Sums
from gustbed_core.commissioning.population import Population

TOLD = 3
"""Features that are named; the others were corrected by less."""


def largest_shifts(
    population: Population, correction: Correction, seen: Sums, features: Sequence[str]
) -> dict[str, float]:
    """The features whose expectation was corrected most, with the largest of their terms' shifts.

    In usual errors, at the mean of what was seen. A graph does not say what its errors are in, so
    nothing is said in a feature's own unit. What is below a tenth is not worth telling.
    """
    moment = seen.moment
    # The basis begins with 1: the first row of its moments is its mean, weighted by 1 / usual².
    weight = np.maximum(moment[:, :, 0, :1], 1e-30)
    mean = (moment[:, :, 0, :] / weight)[:, population.heads]
    usual = np.sqrt(max(seen.count, 1) / weight[:, :, 0])[:, population.heads]
    errors = np.einsum("ftk,ftk->ft", correction.mean * population.noise[:, :, None], mean)
    shifts = errors / usual
    strongest = np.take_along_axis(shifts, np.abs(shifts).argmax(axis=1)[:, None], axis=1)[:, 0]
    order = np.argsort(-np.abs(strongest))[:TOLD]
    return {
        features[i]: round(float(strongest[i]), 2)
        for i in order.tolist()
        if abs(strongest[i]) >= 0.1
    }


def wider(correction: Correction, features: Sequence[str]) -> dict[str, float]:
    """The features whose limits were widened, by how much."""
    return {
        name: round(float(room), 2)
        for name, room in zip(features, correction.room, strict=True)
        if room > 1
    }

"""In which regimes captures were taken: a bounded histogram, so that what is rare is known."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from gustbed_core.features import Engineer
from gustbed_core.package import QUANTILES, Manifest

BINS = len(QUANTILES) + 1
"""Of a feature's mean: below what training saw, its ten tenths, and beyond."""
SCORE, SCORE_EDGES = "score", (0.5, 0.8, 1.0, 2.0)
"""The row of the verdicts' median, and where its bins part."""
RARE_SHARE = 0.02
"""Of a type's captures: a bin that holds fewer is rare."""
FEWEST = 50
"""Captures of a type before anything is rare: before, all is."""
MOST = 2000
"""Captures of a type after which all counts are halved, so that old ones are forgotten."""

Regime = Mapping[str, int]
"""In which bin a capture lies, by feature, and by ``SCORE``."""
Counts = dict[str, dict[str, list[int]]]
"""Captures by turbine type, feature and bin."""


def regime(
    manifest: Manifest | None, values: NDArray[np.floating], scores: NDArray[np.floating]
) -> Regime:
    """Where samples (channels, n) of the model's channels lie in what it was trained on."""
    found: dict[str, int] = {}
    if len(scores):
        found[SCORE] = int(np.searchsorted(SCORE_EDGES, np.median(scores), side="right"))
    if manifest is None or not manifest.reference:
        return found
    features = Engineer(manifest.features, manifest.channel_names)(values[None])[0]
    for name, mean in zip(manifest.feature_names, features.mean(axis=1).tolist(), strict=True):
        learnt = manifest.reference.get(name)
        if learnt is not None and learnt.std > 0:
            found[name] = min(int(np.searchsorted(learnt.quantiles, mean)), BINS - 1)
    return found


class Regimes:
    """Counts captures by regime. Its size does not depend on how many there are."""

    def __init__(self, counts: Mapping[str, Mapping[str, list[int]]]) -> None:
        # Rows of another length are of another version, and tell nothing.
        self.counts: Counts = {
            kind: {name: list(row) for name, row in rows.items() if len(row) == BINS}
            for kind, rows in counts.items()
        }

    def rare(self, turbine_type: str, found: Regime) -> bool:
        """Whether few captures so far lie where this one does, in any feature."""
        known = self.counts.get(turbine_type, {})
        for name, place in found.items():
            row = known.get(name, [])
            total = sum(row)
            if total >= FEWEST and row[place] < RARE_SHARE * total:
                return True
        return False

    def add(self, turbine_type: str, found: Regime) -> None:
        """Count a capture that was taken."""
        known = self.counts.setdefault(turbine_type, {})
        # A model that is gone takes its features along.
        for name in known.keys() - found.keys():
            del known[name]
        for name, place in found.items():
            row = known.setdefault(name, [0] * BINS)
            row[place] += 1
            if sum(row) > MOST:
                row[:] = [count // 2 for count in row]

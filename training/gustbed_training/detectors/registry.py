"""Every detector by name."""

from collections.abc import Callable

from gustbed_core.errors import GustbedError
from gustbed_training.detectors.base import Detector
from gustbed_training.detectors.compact import Compact
from gustbed_training.detectors.forest import Forest
from gustbed_training.detectors.limits import ENOUGH
from gustbed_training.detectors.pca import Pca
from gustbed_training.detectors.prediction_intervals import PredictionIntervals
from gustbed_training.detectors.reference_autoencoder import ReferenceAutoencoder
from gustbed_training.detectors.ridge import Ridge

SHIPPED, FOR_FEW = "compact", "dynamic"
"""What a package is made of unless another detector is asked for, by how much data there are."""

DETECTORS: dict[str, Callable[[], Detector]] = {
    each.name: each
    for each in (Compact, PredictionIntervals, Pca, Ridge, Forest, ReferenceAutoencoder)
}


def suited(held_verdicts: int) -> tuple[str, ...]:
    """Detectors for as many held-out normal verdicts, the best suited first."""
    return (SHIPPED, FOR_FEW) if held_verdicts >= ENOUGH else (FOR_FEW,)


def detector(name: str) -> Detector:
    """Make a detector. Raises ``GustbedError`` naming those that there are."""
    if name not in DETECTORS:
        raise GustbedError(f"detector {name!r}", f"one of {', '.join(DETECTORS)}")
    return DETECTORS[name]()

"""Every detector by name."""

from collections.abc import Callable

from gustbed_protocol.errors import GustbedError
from gustbed_training.detectors.base import Detector
from gustbed_training.detectors.compact import Compact

SHIPPED = "compact"
"""The one that a package is made of unless another is asked for."""

DETECTORS: dict[str, Callable[[], Detector]] = {"compact": Compact}


def detector(name: str) -> Detector:
    """Make a detector. Raises ``GustbedError`` naming those that there are."""
    if name not in DETECTORS:
        raise GustbedError(f"detector {name!r}", f"one of {', '.join(DETECTORS)}")
    return DETECTORS[name]()

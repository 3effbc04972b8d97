"""Changing models between two batches, asked for by another thread."""

import threading
from collections.abc import Callable

from gustbed_edge.scoring.detector import Detector
from gustbed_edge.scoring.scorer import Scorer
from gustbed_edge.scoring.shadow_models import ShadowModels

SWAP_TIMEOUT = 10.0


class ModelSwap:
    """The models at work, for whoever installs others: blocks that come meanwhile wait.

    The first four raise ``TimeoutError`` if the scoring thread does not get there.
    """

    def __init__(self, scorer: Scorer, shadow_models: ShadowModels) -> None:
        self._scorer = scorer
        self._shadow_models = shadow_models
        self._next: Callable[[], None] | None = None
        self._changed = threading.Event()
        self._changing = threading.Lock()

    def serve(self, detector: Detector) -> None:
        """Let a model serve its type from the next batch on."""
        self._between_batches(lambda: self._scorer.serve(detector))

    def withdraw(self, turbine_type: str) -> None:
        """Let no model serve this turbine type."""
        self._between_batches(lambda: self._scorer.withdraw(turbine_type))

    def start_shadow(self, detector: Detector) -> None:
        """Let a model run in shadow of the one that serves its type."""
        self._between_batches(lambda: self._shadow_models.begin(detector))

    def stop_shadow(self, turbine_type: str) -> None:
        """Let no model run in shadow of this turbine type's."""
        self._between_batches(lambda: self._shadow_models.end(turbine_type))

    def runs_shadow(self, turbine_type: str) -> bool:
        """Whether a shadow model of this turbine type runs."""
        return turbine_type in self._shadow_models.comparisons()

    def take_change(self) -> None:
        """Make the change that waits, if there is one. Called by the scoring thread."""
        # Under the lock, so that a change is either given up or made, never both.
        with self._changing:
            change, self._next = self._next, None
            if change is not None:
                change()
                self._changed.set()

    def _between_batches(self, change: Callable[[], None]) -> None:
        self._changed.clear()
        self._next = change
        if self._changed.wait(SWAP_TIMEOUT):
            return
        with self._changing:
            if self._changed.is_set():
                return
            self._next = None
        raise TimeoutError("the scoring thread did not take the new model")

"""Graphs that tell their errors, so that one turbine's can be corrected for on the edge."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from gustbed_training.detectors.base import Thresholded


@runtime_checkable
class Explaining(Protocol):
    """A scorer whose errors on one turbine are linear in a basis of each window.

    ``terms`` gives what ``gustbed_core.commissioning.population.Terms`` has, for a threshold of 1;
    a score is the largest error over usual and limit, or ``beyond``. ``heads`` says which terms
    share a usual size, ``explains`` which features drive which, one way. ``widen`` shows it windows
    of machines that differ: what they reach is not beyond what the type can do.
    """

    explains: Tensor

    @property
    def heads(self) -> Sequence[int]:
        """By term."""

    def terms(self, window: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Errors, usual errors, basis, limits, beyond."""

    def widen(self, window: Tensor) -> None:
        """Take what these windows reach for possible."""


class Explained(Thresholded):
    """What is exported: windows to scores, ratios and terms, in units of the thresholds."""

    def __init__(self, scorer: nn.Module, thresholds: Sequence[float]) -> None:
        super().__init__(scorer, thresholds)
        if not isinstance(scorer, Explaining):
            raise TypeError(f"{type(scorer).__name__} does not tell its errors")
        self.terms = scorer.terms

    def forward(self, window: Tensor) -> tuple[Tensor, ...]:
        error, usual, basis, limit, beyond = self.terms(window)
        score = torch.maximum(((error / usual).abs() / limit).amax(2), beyond)
        threshold = self.threshold
        return (
            score, self.ratio(score),
            error, usual, basis, limit * threshold[:, None], beyond / threshold,
        )  # fmt: skip

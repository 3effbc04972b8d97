"""Normal behaviour by ridge regression (Hoerl and Kennard, doi:10.1080/00401706.1970.10488634).

Every feature's mean over the newest part of a window, and the logarithm of its variance there, are
expected from the means of all other features. What is left is judged by what is left of windows
that were held back, fold by fold. Nothing of the machine is known: no drivers, no states.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gustbed_training.detectors.base import FitData, Plan
from gustbed_training.detectors.standardization import Standardize, applied
from gustbed_training.detectors.validation import FOLDS, apart, held_back
from gustbed_training.progress import Log

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Of the penalty, over the inputs' variances."""
_SHARE, _SAMPLES = 3, 10
"""The newest part is a third of the window, and ten samples at least."""
_FEWEST = 50
_FLOOR, _TINY = 1e-4, 1e-3
Array = NDArray[np.float64]


class Ridge:
    """Detector by a regression of every feature on all others."""

    name = "ridge"

    def fit(self, data: FitData, plan: Plan, log: Log) -> nn.Module:
        """Nothing is random. Raises ``GustbedError`` for too few windows."""
        data.require(_FEWEST, "ridge regressions")
        statistics = Newest(data.windows)
        found = applied(statistics.eval(), data.windows).astype(np.float64)
        features = data.windows.shape[1]
        fits = [_regression(found, feature, features) for feature in range(features)]
        log(f"{features} features, penalties {sorted({each.strength for each in fits})}")
        return _Scores(statistics, fits).eval()


class Newest(nn.Module):
    """Windows to means and logarithms of variances of their newest part, (n, 2 * features)."""

    def __init__(self, windows: NDArray[np.float32]) -> None:
        super().__init__()
        time = windows.shape[2]
        self.normal = Standardize(windows)
        self.samples = max(time // _SHARE, min(time, _SAMPLES))

    def forward(self, window: Tensor) -> Tensor:
        newest: Tensor = self.normal(window[:, :, -self.samples :])
        mean = newest.mean(-1)
        variance = (newest - mean[:, :, None]).square().mean(-1)
        return torch.cat((mean, torch.log(variance + _FLOOR)), dim=1)


@dataclass(frozen=True)
class _Regression:
    """Of a feature's mean and log-variance: ``weights`` (features, 2), 0 for the feature itself,
    ``constant`` and ``usual`` residual (2,).
    """

    weights: Array
    constant: Array
    usual: Array
    strength: float


def _regression(found: Array, feature: int, features: int) -> _Regression:
    """With the penalty, and the usual residual, that cross-validation finds."""
    others = [i for i in range(features) if i != feature]
    given, target = found[:, others], found[:, [feature, features + feature]]
    least = np.maximum(target.var(axis=0), _TINY)

    def attempt(strength: float) -> tuple[float, float, Array]:
        left = np.concatenate([_left(given, target, strength, fold) for fold in range(FOLDS)])
        usual = np.square(left).mean(axis=0)
        return float((usual / least).sum()), strength, np.sqrt(usual)

    _, strength, usual = min(map(attempt, STRENGTHS), key=lambda one: one[0])
    solved, constant = _solved(given, target, strength)
    weights = np.zeros((features, 2))
    weights[others] = solved
    return _Regression(weights, constant, np.maximum(usual, _TINY), strength)


def _left(given: Array, target: Array, strength: float, fold: int) -> Array:
    """Residuals of what was held back."""
    held, judged = held_back(len(given), fold), apart(len(given), fold)
    weights, constant = _solved(given[~held], target[~held], strength)
    left: Array = target[judged] - given[judged] @ weights - constant
    return left


def _solved(given: Array, target: Array, strength: float) -> tuple[Array, Array]:
    """Weights (inputs, 2) and constant (2,). What never moved gets no weight."""
    centre, middle = given.mean(axis=0), target.mean(axis=0)
    inputs = given - centre
    product = inputs.T @ inputs / len(inputs)
    penalty = strength * np.diag(np.diag(product) + _TINY**2)
    weights = np.linalg.solve(product + penalty, inputs.T @ (target - middle) / len(inputs))
    return weights, middle - centre @ weights


class _Scores(nn.Module):
    """The larger of a feature's two residuals, each over what is usual."""

    def __init__(self, statistics: Newest, fits: list[_Regression]) -> None:
        super().__init__()
        self.statistics = statistics
        self.features = len(fits)
        self.weights: Tensor
        self.constant: Tensor
        self.usual: Tensor
        for name, value in (
            ("weights", np.concatenate([[f.weights[:, i] for f in fits] for i in (0, 1)]).T),
            ("constant", np.concatenate([[f.constant[i] for f in fits] for i in (0, 1)])),
            ("usual", np.concatenate([[f.usual[i] for f in fits] for i in (0, 1)])),
        ):
            self.register_buffer(name, torch.tensor(value, dtype=torch.float32))

    def forward(self, window: Tensor) -> Tensor:
        found = self.statistics(window)
        expected = found[:, : self.features] @ self.weights + self.constant
        residual: Tensor = ((found - expected) / self.usual).abs()
        return residual.reshape(-1, 2, self.features).amax(1)

"""How far a fault moves the signals: whether there was anything to find."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gustbed_training.data.partition import Label

STRONG = 3.0
"""Standard deviations from which a fault ought to be found."""

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """How features vary in normal operation: count, and mean and squared deviations by feature."""

    n: int
    mean: Vector
    squares: Vector

    def __add__(self, other: "Moments") -> "Moments":
        n = self.n + other.n
        if not self.n or not other.n:
            return self if self.n else other
        apart = other.mean - self.mean
        return Moments(
            n,
            self.mean + apart * other.n / n,
            self.squares + other.squares + np.square(apart) * self.n * other.n / n,
        )

    @property
    def std(self) -> Vector:
        """Standard deviation by feature."""
        deviation: Vector = np.sqrt(self.squares / self.n)
        return deviation


def moments(values: NDArray[np.float32]) -> Moments:
    """Of samples (n, features)."""
    if not len(values):
        nothing = np.zeros(values.shape[1])
        return Moments(0, nothing, nothing)
    mean = values.mean(axis=0, dtype=np.float64)
    return Moments(len(values), mean, np.square(values - mean).sum(axis=0))


def excursion(
    values: NDArray[np.float32], on: NDArray[np.bool_], calm: NDArray[np.bool_]
) -> Vector | None:
    """Root mean square distance of each feature, while a fault is on, from its mean just before.

    ``values`` (n, features) are the newest samples of the windows. Just before means as many calm
    verdicts as the fault lasts, or fewer; None without any.
    """
    during = np.flatnonzero(on)
    if not len(during):
        return None
    before = np.flatnonzero(calm[: during[0]])[-len(during) :]
    if not len(before):
        return None
    usual = values[before].mean(axis=0, dtype=np.float64)
    distance: Vector = np.sqrt(np.square(values[during] - usual).mean(axis=0))
    return distance


def effect_size(distance: Vector | None, normal: Moments) -> float | None:
    """How far the feature that moved most has moved, in standard deviations of normal operation.

    What it varies by anyway is taken off: a shift by m deviations gives m, whether or not noise
    stays, and a swing its root mean square. None where it cannot be said.
    """
    varies = normal.std > 0 if normal.n else np.zeros(0, dtype=np.bool_)
    if distance is None or not varies.any():
        return None
    ratio = distance[varies] / normal.std[varies]
    return float(np.sqrt(np.maximum(np.square(ratio) - 1, 0).max()))


def total(each: Iterable[Moments]) -> Moments:
    """Of several recordings together."""
    found = Moments(0, np.zeros(0), np.zeros(0))
    for one in each:
        found += one
    return found


def excursions(
    faults: Sequence[Label],
    ends: NDArray[np.int64],
    values: NDArray[np.float32],
    calm: NDArray[np.bool_],
) -> tuple[Vector | None, ...]:
    """Of each fault of a recording."""
    return tuple(
        excursion(values, (ends >= fault.start) & (ends < fault.stop), calm) for fault in faults
    )

"""The mean of each turbine's last ratios, against verdicts that flicker."""

import numpy as np
from numpy.typing import NDArray


class Smoother:
    """Keeps the last ``length`` ratios of every turbine; a turbine's first means are of fewer."""

    def __init__(self, turbines: int, features: int, length: int) -> None:
        self._length = length
        self._ring = np.zeros((turbines, length, features), dtype=np.float32)
        self._count = np.zeros(turbines, dtype=np.intp)

    def restart(self, rows: NDArray[np.intp]) -> None:
        """Forget these turbines' ratios: what comes next is not adjacent."""
        self._count[rows] = 0
        self._ring[rows] = 0.0

    def mean(self, rows: NDArray[np.intp], ratios: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take ratios (k, features) of k different turbines; return their means."""
        if self._length == 1:
            return ratios
        count = self._count[rows]
        self._ring[rows, count % self._length] = ratios
        self._count[rows] = count + 1
        filled = np.minimum(count + 1, self._length)
        # In double precision, so that the place in the ring does not show in the sum.
        sums = self._ring[rows].sum(axis=1, dtype=np.float64)
        means: NDArray[np.float32] = (sums / filled[:, None]).astype(np.float32)
        return means

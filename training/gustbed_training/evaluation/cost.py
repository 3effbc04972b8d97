"""What a verdict costs where it is made: one thread, as the edge runs a graph."""

import time
from statistics import median

import numpy as np
from numpy.typing import NDArray

from gustbed_core.errors import GustbedError
from gustbed_core.package import INPUT, RATIO, SCORE
from gustbed_training.detectors.scoring import session

BATCH = 128
"""Windows at a time: a site's turbines."""
_WARM_UP = 3


def microseconds_per_window(model: bytes, windows: NDArray[np.float32], repeats: int = 50) -> float:
    """Median time of a batch of ``BATCH`` windows over their number, in microseconds.

    ``windows`` (n, features, time), at least one, are repeated or cut to fill the batch: the cost
    of a tree depends on its input. Raises ``GustbedError`` without any.
    """
    if not len(windows):
        raise GustbedError(
            "no window to time a model with", "give a recording of a window at least"
        )
    batch = np.ascontiguousarray(np.resize(windows, (BATCH, *windows.shape[1:])))
    graph = session(model)
    times: list[float] = []
    for _ in range(_WARM_UP + repeats):
        begin = time.perf_counter()
        graph.run([SCORE, RATIO], {INPUT: batch})
        times.append(time.perf_counter() - begin)
    return median(times[_WARM_UP:]) / BATCH * 1e6

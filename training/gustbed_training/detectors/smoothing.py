"""The mean over the latest verdicts, as the edge takes it before it decides."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray


def smooth(ratios: NDArray[np.floating], over: int) -> NDArray[np.float32]:
    """Mean of each ratio and those before it, ``over`` in all; of fewer at the very beginning.

    ``ratios`` (verdicts, ...) are those of one recording: what came before it counts for nothing.
    """
    if over <= 1 or not len(ratios):
        return ratios.astype(np.float32)
    result = np.empty(ratios.shape, dtype=np.float32)
    first = min(over - 1, len(ratios))
    for i in range(first):
        result[i] = ratios[: i + 1].mean(axis=0, dtype=np.float64)
    if len(ratios) >= over:
        view = sliding_window_view(ratios, over, axis=0)
        result[first:] = view.mean(axis=-1, dtype=np.float64)
    return result

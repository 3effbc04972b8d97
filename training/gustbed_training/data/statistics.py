"""How features are distributed: what drift reports and packages hold of the training part."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gustbed_core.errors import GustbedError
from gustbed_core.package import QUANTILES, Distribution
from gustbed_core.signals import Schema
from gustbed_training.data.partition import Part
from gustbed_training.data.windows import sliding_windows


def reference_of(parts: Sequence[Part], schema: Schema) -> dict[str, Distribution]:
    """Each feature's distribution over windows of the parts that do not overlap."""
    apart = -(-schema.window // schema.step)
    # Copies: a slice would keep all windows that it was taken from.
    chosen = [sliding_windows(part, schema)[::apart].copy() for part in parts]
    return distributions(np.concatenate(chosen), schema)


def distributions(windows: NDArray[np.float32], schema: Schema) -> dict[str, Distribution]:
    """Each feature's distribution in windows (n, features, time), at least one, else raises."""
    if not len(windows):
        raise GustbedError("no window to describe the training data by", "give more training data")
    flat = windows.transpose(1, 0, 2).reshape(windows.shape[1], -1)
    quantiles = np.quantile(flat, QUANTILES, axis=1).T
    return {
        name: Distribution(
            float(row.mean(dtype=np.float64)), float(row.std(dtype=np.float64)), found.tolist()
        )
        for name, row, found in zip(schema.feature_names, flat, quantiles, strict=True)
    }

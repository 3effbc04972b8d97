"""Small recursive filters, vectorised over turbines, exact at any sample rate."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def memory(time_constant_s: Floats | float, dt: float) -> Floats:
    """How much of a first-order process remains after one sample."""
    return np.asarray(np.exp(-dt / np.asarray(time_constant_s, dtype=np.float64)))


def innovation(kept: Floats) -> Floats:
    """The input gain that gives a noise-driven process unit variance."""
    return np.sqrt(1.0 - kept * kept)


def first_order(state: Floats, kept: Floats, inputs: Floats) -> Floats:
    """``x[k] = kept * x[k-1] + inputs[k]`` along the first axis; the last row is the new state."""
    rows = np.empty(np.broadcast_shapes(inputs.shape, (len(inputs), *state.shape)))
    current = state
    for row, term in zip(rows, inputs, strict=True):
        np.multiply(current, kept, out=row)
        row += term
        current = row
    return rows


def accumulate(start: Floats, increments: Floats) -> Floats:
    """Running sum along the first axis from ``start``, the same however time is cut into blocks."""
    return np.cumsum(np.concatenate((start[None], increments)), axis=0)[1:]


def bounded(values: Floats, limit: float) -> Floats:
    """Compress smoothly into (-limit, limit), leaving small values as they are."""
    ratio = values / limit
    return values / np.sqrt(1.0 + ratio * ratio)

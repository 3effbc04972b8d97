"""Unbroken samples of one turbine to windows, without a recording around them."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gustbed_core.signals import Schema
from gustbed_training.data.partition import Part, Recording
from gustbed_training.data.windows import windows_of


def windows_apart(values: NDArray[np.float32], schema: Schema) -> NDArray[np.float32]:
    """Windows (n, features, time) of samples (channels, n) that do not overlap."""
    return windows_at_steps(values, replace(schema, step=schema.window))


def windows_at_steps(values: NDArray[np.float32], schema: Schema) -> NDArray[np.float32]:
    """The same at the schema's own steps, as verdicts come."""
    return windows_of(Part(Recording("", "", 0.0, values), 0, values.shape[1]), schema)

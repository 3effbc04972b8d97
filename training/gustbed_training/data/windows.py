"""Cutting parts of recordings into windows of engineered features."""

from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from gustbed_protocol.features import Engineer
from gustbed_training.data.schema import Schema
from gustbed_training.data.shares import Part


def windows_of(part: Part, schema: Schema) -> NDArray[np.float32]:
    """Engineered windows (n, features, window) that lie wholly within the part."""
    engineer = Engineer(schema.features, schema.channel_names)
    values = part.recording.values[:, part.start : part.stop]
    if values.shape[1] < schema.window:
        return engineer(np.empty((0, values.shape[0], schema.window), dtype=np.float32))
    view = sliding_window_view(values, schema.window, axis=1)[:, :: schema.step]
    return engineer(view.transpose(1, 0, 2))


def windows_of_all(parts: Sequence[Part], schema: Schema) -> NDArray[np.float32]:
    """Windows of all parts, one after the other."""
    return np.concatenate([windows_of(part, schema) for part in parts])


def window_ends(part: Part, schema: Schema) -> NDArray[np.int64]:
    """Index in the recording of the last sample of each of the windows of ``windows_of``."""
    return np.arange(part.start + schema.window - 1, part.stop, schema.step, dtype=np.int64)

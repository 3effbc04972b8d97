"""Cutting parts of recordings into windows of engineered features."""

from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from gustbed_core.decisions import window_ends
from gustbed_core.features import Engineer, Feature
from gustbed_core.signals import Schema
from gustbed_training.data.partition import Part


def windows_of(part: Part, schema: Schema) -> NDArray[np.float32]:
    """Engineered windows (n, features, window) that lie wholly within the part."""
    return np.ascontiguousarray(sliding_windows(part, schema))


def sliding_windows(part: Part, schema: Schema) -> NDArray[np.float32]:
    """What ``windows_of`` gives, but where features allow it a view that takes the memory of the
    part alone, however much windows overlap. Not to be written to.
    """
    engineer = Engineer(schema.features, schema.channel_names)
    values = part.recording.values[:, part.start : part.stop]
    if values.shape[1] < schema.window:
        return engineer(np.empty((0, values.shape[0], schema.window), dtype=np.float32))
    if all(_of_one_sample(feature) for feature in schema.features):
        return _slide(engineer(values[None])[0], schema)
    return engineer(_slide(values, schema))


def windows_of_all(parts: Sequence[Part], schema: Schema) -> NDArray[np.float32]:
    """Windows of all parts, one after the other."""
    return np.concatenate([windows_of(part, schema) for part in parts])


def window_ends_of(part: Part, schema: Schema) -> NDArray[np.int64]:
    """Index in the recording of the last sample of each of the windows of ``windows_of``."""
    return window_ends(part.start, part.stop, schema.window, schema.step)


def hours_of(parts: Sequence[Part], schema: Schema) -> float:
    """Turbine-hours."""
    return sum(part.stop - part.start for part in parts) / schema.sample_rate_hz / 3600


def _slide(rows: NDArray[np.float32], schema: Schema) -> NDArray[np.float32]:
    view = sliding_window_view(rows, schema.window, axis=1, writeable=True)
    return view[:, :: schema.step].transpose(1, 0, 2)


def _of_one_sample(feature: Feature) -> bool:
    """Whether a sample of the feature follows from the same sample of its channels, exactly.

    Attitudes also do, but numpy's trigonometry may round otherwise on arrays of another shape.
    """
    return feature.op in ("value", "difference") or (
        feature.op == "turn" and len(feature.channels) == 2
    )

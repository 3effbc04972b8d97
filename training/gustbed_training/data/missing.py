"""Numbers that stand for no value, as loggers write them: -9999, 32767 and their like."""

from collections.abc import Sequence

import numpy as np

from gustbed_training.data.columns import Floats

_NINES = tuple(10.0**digits - 1 for digits in range(3, 10))
_NO_VALUES = np.array([
    *_NINES, *(-nines for nines in _NINES), 9999.9, -9999.9, 999.9, -999.9, 9999.99, -9999.99,
    -32768.0, 32767.0, 65535.0, -2147483648.0, 2147483647.0, 4294967295.0,
])  # fmt: skip
_ABSURD = 1e20
_CLOSE = 1e-6
"""Relative: a file may hold them with seven digits only."""


def cleared(column: Floats, missing: Sequence[float]) -> Floats:
    """The column with NaN for every value that stands for none."""
    if not missing:
        return column
    return np.where(_is_any(column, np.array(missing)), np.nan, column)


def suspected(column: Floats) -> tuple[float, list[int]] | None:
    """A number that stands for no value, it seems, and where: far from all that is measured."""
    odd = _is_any(column, _NO_VALUES) | (np.abs(column) >= _ABSURD)
    if not odd.any():
        return None
    others = column[~odd & np.isfinite(column)]
    low, high = (float(others.min()), float(others.max())) if len(others) else (0.0, 0.0)
    span = max(high - low, 1.0)
    far = odd & ((column < low - span) | (column > high + span))
    if not far.any():
        return None
    value = float(column[np.flatnonzero(far)[0]])
    return value, np.flatnonzero(column == value).tolist()


def _is_any(column: Floats, numbers: Floats) -> np.typing.NDArray[np.bool_]:
    found = np.zeros(len(column), dtype=bool)
    for number in numbers.tolist():
        found |= np.abs(column - number) <= _CLOSE * abs(number)
    return found

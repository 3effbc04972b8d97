"""From telemetry blocks to what a person watches: thinned, in a person's units."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gustbed_core.aggregates import Aggregator
from gustbed_core.features import Engineer, Feature
from gustbed_core.telemetry import Samples
from gustbed_core.turbine_types import TurbineType

KEPT_HZ = 4.0
_ONE = np.array([0])


@dataclass(frozen=True, slots=True)
class SignalHistory:
    """A turbine's recent signals: ``age`` in seconds (0 is now, older is negative), by name.

    ``live`` is whether the newest are of now. Beside the channels these are the type's features
    and aggregates that are no channel; angles are in degrees.
    """

    turbine_type: TurbineType
    age: NDArray[np.float64]
    values: Mapping[str, NDArray[np.floating]]
    live: bool = True


class Downsampler:
    """Thins the blocks of one turbine to about ``KEPT_HZ``; ``names`` are its columns.

    Every k-th sample is kept as it is, so that a shaking nacelle still looks shaken. The type's
    aggregates that are no channel come to the columns, each of the whole block.
    """

    def __init__(self, turbine_type: TurbineType, columns: tuple[str, ...]) -> None:
        known = set(columns)
        wanted = [
            each
            for each in turbine_type.aggregates
            if each.name not in known and known.issuperset(each.of)
        ]
        self.turbine_type, self.columns = turbine_type, columns
        self.names = (*columns, *(each.name for each in wanted))
        self._aggregator = Aggregator(wanted, columns, turbines=1) if wanted else None

    def __call__(self, samples: Samples) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Times and rows (n, names) of a block with ``columns``."""
        values = samples.values
        stride = max(1, round(1.0 / (samples.dt * KEPT_HZ)))
        picked = np.arange(values.shape[1] - 1, -1, -stride)[::-1]
        rows = np.empty((len(picked), len(self.names)))
        rows[:, : len(values)] = values[:, picked].T
        if self._aggregator is not None:
            self._aggregator.add(_ONE, values[None], np.array([samples.end]))
            (summary,) = self._aggregator.take([samples.turbine], samples.type)
            rows[:, len(values) :] = list(summary.values.values())
        return samples.t0 + samples.dt * picked, rows


def signal_history(
    turbine_type: TurbineType,
    times: NDArray[np.float64],
    columns: Mapping[str, NDArray[np.floating]],
    now: float,
) -> SignalHistory:
    """A table's columns, and the type's features that are made of them.

    A heading is taken from the mean of the shown period.
    """
    derived = derived_features(turbine_type, columns)
    values: dict[str, NDArray[np.floating]] = dict(columns)
    if derived:
        engineered = np.empty((len(derived), 0), dtype=np.float32)
        if len(times):
            engineered = Engineer(derived, list(columns))(np.stack(list(columns.values()))[None])[0]
        for feature, row in zip(derived, engineered, strict=True):
            values[feature.name] = np.degrees(row) if feature.unit == "rad" else row
    return SignalHistory(turbine_type, times - now, values)


def derived_features(turbine_type: TurbineType, columns: Iterable[str]) -> list[Feature]:
    """Features of a type that are no channel and can be made of ``columns``."""
    known = set(columns)
    return [
        feature
        for feature in turbine_type.schema.features
        if feature.op != "value" and feature.name not in known and known.issuperset(feature.of)
    ]

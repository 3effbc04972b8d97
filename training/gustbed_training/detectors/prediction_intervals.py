"""Levels and changes of every feature against how far normal ones wander: for short recordings.

Recordings of a few minutes hold too little for a network, and signals that drift on after them
make false alarms of any model that takes the spread that it has seen for all there is. Here the
level of each feature at a window's end, less what the other levels explain, and the size of its
changes from sample to sample are held against intervals that allow for drift.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gustbed_core.errors import GustbedError
from gustbed_training.detectors.base import FitData, Plan
from gustbed_training.detectors.drift_intervals import (
    Array,
    Interval,
    Prior,
    differences,
    interval,
    longest,
)
from gustbed_training.detectors.limits import FALSE_VERDICTS, too_few
from gustbed_training.durations import duration
from gustbed_training.progress import Log

LEVEL_SAMPLES, LEVEL_SHARE = 10, 3
"""A level is the mean of the last third of a window, of ten samples at least."""
_LATER = 6
"""Changes are taken from one sample to the next, and over a sixth of a window."""
_CLIP = 4.0
"""Changes beyond so many times the usual count no more: a step is the level's business."""
LEVEL_DRIFT = Prior(0.08, 4.0, 2.0)
"""Of a single sample's variance: how far a machine wanders goes by its sensors' noise, and not by
how long a window averages it."""
_CHANGE_DRIFT = Prior(1.0, 20.0)
_CHANGE_BUDGET = 0.1
"""Part of the false verdicts that changes may cause."""
_RIDGE, _SIGNIFICANT = 0.1, 2.0
_FEWEST_LAGS = 4
"""A stretch is as many lags at least: drift is looked for from a quarter of it on."""
_BATCH_NUMBERS = 4_000_000


class PredictionIntervals:
    """Detector for short recordings of any machine. It sets its limits by itself."""

    name = "dynamic"

    def __init__(self, level_drift: Prior = LEVEL_DRIFT) -> None:
        self._level_drift = level_drift

    def fit(self, data: FitData, plan: Plan, log: Log) -> nn.Module:
        """Nothing is random. Raises ``GustbedError`` for less than a handful of windows."""
        window, step = data.windows.shape[2], data.schema.step
        statistics = Statistics(_centre(data.windows), _noise(data.windows), window)
        series = [_series(statistics, part) for part in _stretches(data)]
        lags = Lags(-(-statistics.level // step), -(-window // step))
        count = longest([each.levels for each in series])
        fewest = _FEWEST_LAGS * lags.change
        if count < fewest:
            have, need = (
                duration((windows * step + window) / data.schema.sample_rate_hz)
                for windows in (count - 1, fewest)
            )
            raise GustbedError(
                f"{have} to train on are too short to tell noise from drift",
                f"give {need} without a break, or a shorter window",
            )
        log(f"{len(series)} recordings, of {count} windows at most")
        sample = _sample(data.windows) / _noise(data.windows)
        return Scores(statistics, *_limits(series, lags, sample**2, self._level_drift)).eval()


@dataclass(frozen=True, slots=True)
class Lags:
    """Windows apart from which on levels, and changes, share no sample."""

    level: int
    change: int


@dataclass(frozen=True)
class Series:
    """Statistics of a stretch over time: (time, features), and (time, 2 * features)."""

    levels: Array
    changes: Array


class Statistics(nn.Module):
    """Windows (n, features, time) to levels (n, features) and changes (n, 2, features)."""

    def __init__(self, centre: Array, unit: Array, window: int) -> None:
        super().__init__()
        self.level = min(window, max(LEVEL_SAMPLES, window // LEVEL_SHARE))
        self.later = max(1, window // _LATER)
        self.centre: Tensor
        self.unit: Tensor
        self.register_buffer("centre", torch.tensor(centre, dtype=torch.float32)[:, None])
        self.register_buffer("unit", torch.tensor(unit, dtype=torch.float32)[:, None])

    def forward(self, window: Tensor) -> tuple[Tensor, Tensor]:
        raw = (window - self.centre) / self.unit
        changes = torch.stack((_size(raw, 1), _size(raw, self.later)), dim=1)
        return raw[:, :, -self.level :].mean(-1), changes


class Scores(nn.Module):
    """The larger of a feature's two ratios to the limits; it alarms above ``own_limit``."""

    own_limit = 1.0

    def __init__(
        self, statistics: Statistics, others: Array, level: Interval, change: Interval
    ) -> None:
        super().__init__()
        self.statistics = statistics
        for name, value in (
            ("unexplained", np.eye(len(others)) - others),
            ("expected", level.centre),
            ("limit", level.limit),
            ("usual_change", change.centre.reshape(2, -1)),
            ("change_limit", change.limit.reshape(2, -1)),
        ):
            self.register_buffer(name, torch.tensor(value, dtype=torch.float32))
        self.unexplained: Tensor
        self.expected: Tensor
        self.limit: Tensor
        self.usual_change: Tensor
        self.change_limit: Tensor

    def forward(self, window: Tensor) -> Tensor:
        level, change = self.statistics(window)
        levels = (level @ self.unexplained.T - self.expected).abs() / self.limit
        changes = ((change - self.usual_change).abs() / self.change_limit).amax(1)
        return torch.maximum(levels, changes)


def _limits(
    series: list[Series], lags: Lags, sample: Array, drift: Prior
) -> tuple[Array, Interval, Interval]:
    """``sample`` (features,) is a single sample's variance, in the statistics' units."""
    levels = [each.levels for each in series]
    others = explained(levels, lags.level)
    features = len(others)
    unexplained = [each @ (np.eye(features) - others).T for each in levels]
    share = FALSE_VERDICTS * (1 - _CHANGE_BUDGET) / features
    level = interval(unexplained, lags.level, drift, share, sample)
    changes = [each.changes for each in series]
    share = FALSE_VERDICTS * _CHANGE_BUDGET / changes[0].shape[1]
    return others, level, interval(changes, lags.change, _CHANGE_DRIFT, share)


def explained(levels: list[Array], lag: int) -> Array:
    """What one level says about another, (features, features), 0 on the diagonal.

    Learnt from changes over ``lag``, for in the levels themselves any two drifts look related.
    Correlations that chance explains are left out.
    """
    change = differences(levels, lag)
    scale = np.sqrt(np.square(change).mean(axis=0)) + 1e-9
    change = change / scale
    correlation = change.T @ change / len(change)
    correlation[np.abs(correlation) <= _SIGNIFICANT * np.sqrt(lag / len(change))] = 0
    correlation += _RIDGE * np.eye(len(correlation))
    weights: Array = np.zeros_like(correlation)
    for i in range(len(correlation)):
        rest = np.arange(len(correlation)) != i
        weights[i, rest] = np.linalg.solve(correlation[np.ix_(rest, rest)], correlation[rest, i])
    weights *= scale[:, None] / scale[None, :]
    return weights


def _size(raw: Tensor, apart: int) -> Tensor:
    """Logarithm of the mean square change over ``apart`` samples."""
    change = (raw[:, :, apart:] - raw[:, :, :-apart]).abs() / 2**0.5
    return torch.log(change.clamp(max=_CLIP).square().mean(-1) + 0.05)


def _stretches(data: FitData) -> Iterator[NDArray[np.float32]]:
    """Windows to learn from. Held-out data that are too few for thresholds serve here instead:

    each stretch follows its recording's training part after a gap, filled with windows of NaN.
    """
    if not too_few(data.held) or len(data.train) != len(data.held):
        yield from data.train
        return
    window = data.windows.shape[2]
    missing = 2 * window // data.schema.step - 1
    gap = np.full((missing, *data.windows.shape[1:]), np.nan, dtype=np.float32)
    for trained, held in zip(data.train, data.held, strict=True):
        yield np.concatenate((trained, gap, held))


def _series(statistics: Statistics, windows: NDArray[np.float32]) -> Series:
    levels: list[NDArray[np.float32]] = []
    changes: list[NDArray[np.float32]] = []
    batch = max(1, _BATCH_NUMBERS // int(np.prod(windows.shape[1:])))
    with torch.no_grad():
        for i in range(0, len(windows), batch):
            level, change = statistics(torch.from_numpy(windows[i : i + batch]))
            levels.append(level.numpy())
            changes.append(change.flatten(1).numpy())
    return Series(
        np.concatenate(levels).astype(np.float64), np.concatenate(changes).astype(np.float64)
    )


def _centre(windows: NDArray[np.float32]) -> Array:
    centre: Array = np.median(windows[:, :, -1].astype(np.float64), axis=0)
    return centre


def _noise(windows: NDArray[np.float32]) -> Array:
    """Standard deviation of a sample, from changes; of signals that never change, next to none."""
    change = _last_change(windows)
    robust = 1.4826 * np.median(np.abs(change), axis=0)
    return _floored(np.maximum(robust, 0.5 * change.std(axis=0)), windows)


def _sample(windows: NDArray[np.float32]) -> Array:
    """The same of all changes, bursts and quantised steps included, which a median leaves out."""
    return _floored(_last_change(windows).std(axis=0), windows)


def _last_change(windows: NDArray[np.float32]) -> Array:
    change: Array = np.diff(windows[:, :, -2:].astype(np.float64), axis=2)[:, :, 0]
    return change


def _floored(change: Array, windows: NDArray[np.float32]) -> Array:
    """A sample's standard deviation from that of changes."""
    floor = 1e-4 * np.abs(_centre(windows)) + 1e-6
    floored: Array = np.maximum(change / np.sqrt(2), floor)
    return floored

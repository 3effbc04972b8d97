"""Thresholds from held-out normal data, for a wanted rate of false events."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from gustbed_core.errors import GustbedError
from gustbed_core.signals import Decision
from gustbed_training.detectors.scoring import smoothed

USUAL = Decision()
_BLOCK = 60
"""Verdicts per block: scores this far apart count as independent."""
_TAIL = 0.02
"""Share of the blocks whose peaks the tail is fitted to, if that leaves enough of them."""
_FEWEST_PEAKS = 10
_ROOM, _MOST_MARGIN = 1.1, 1.6
"""Room above the furthest that new recordings went, and the most margin that is worth its price:
one recording in a hundred holds something that only a limit without use would allow."""
_SINGLE = 0.001
"""Share of normal verdicts that may violate by themselves: they keep an event from closing."""


@dataclass(frozen=True, slots=True)
class Target:
    """What to aim at: false events per turbine-hour and feature, and room above the largest seen.

    ``margin`` multiplies the largest sustained score of the held-out data: no threshold is below.
    """

    false_per_hour: float = 3e-4
    margin: float = 1.25


def threshold(
    scores: Sequence[NDArray[np.floating]],
    target: Target,
    verdicts_per_hour: float,
    decision: Decision = USUAL,
) -> float:
    """Threshold of one feature from its normal scores, one array in order of time per stretch.

    An event needs ``open_after`` verdicts in a row, so the statistic is the smallest of that many
    smoothed neighbours. The peaks of its blocks are taken to have an exponential tail.
    """
    means = [smoothed(each[:, None], decision)[:, 0] for each in scores]
    peaks = _block_peaks(means, decision.open_after)
    if len(peaks) < 2 * _FEWEST_PEAKS:
        hours = 2 * _FEWEST_PEAKS * _BLOCK / verdicts_per_hour
        raise GustbedError(
            f"{len(peaks) * _BLOCK / verdicts_per_hour:.2f} turbine-hours of held-out normal data "
            "cannot set a threshold",
            f"give at least {hours:.2f}",
        )
    tail = max(_TAIL, _FEWEST_PEAKS / len(peaks))
    start = float(np.quantile(peaks, 1 - tail))
    excess = float((peaks[peaks > start] - start).mean()) if (peaks > start).any() else 0.0
    blocks_per_hour = verdicts_per_hour / _BLOCK
    by_tail = start + excess * float(np.log(tail * blocks_per_hour / target.false_per_hour))
    single = float(np.quantile(np.concatenate(means), 1 - _SINGLE))
    return max(by_tail, target.margin * float(peaks.max()), single)


def margins(strayed: NDArray[np.floating], target: Target) -> list[float]:
    """Thresholds of scores that are multiples of limits, from how far new recordings went."""
    most = max(_MOST_MARGIN, target.margin)
    return [float(margin) for margin in np.clip(_ROOM * strayed, target.margin, most)]


def sustained(scores: NDArray[np.floating], open_after: int) -> NDArray[np.floating]:
    """The level that ``open_after`` neighbouring scores (verdicts, …) all reach."""
    if len(scores) < open_after:
        return scores[:0]
    lowest: NDArray[np.floating] = sliding_window_view(scores, open_after, axis=0).min(axis=-1)
    return lowest


def _block_peaks(scores: Sequence[NDArray[np.floating]], open_after: int) -> NDArray[np.float64]:
    peaks: list[float] = []
    for stretch in scores:
        level = sustained(stretch, open_after)
        peaks += [float(level[i : i + _BLOCK].max()) for i in range(0, len(level), _BLOCK)]
    return np.array(peaks)

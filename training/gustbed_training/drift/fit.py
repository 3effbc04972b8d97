"""Whether a model still fits the turbines that it judges: what its ratios say, in normal use.

On turbines like those that it learnt, a model's ratios (score over threshold) pass 1 hardly ever
and come near it seldom. Where they do so surely more often, the model is wrong about the turbine,
or the turbine is out of order; either is worth knowing, and neither shows in the inputs alone: a
rotor that turns 5 % faster in the same wind is nowhere outside of what was learnt. Where the inputs
have strayed, a model is expected to be less sure, and more is tolerated.

Windows of one capture tell much the same, so that captures are what counts: a share is its mean
over captures, and as sure as that many independent draws make it (Clopper and Pearson 1934).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

from gustbed_training.drift.levels import Level, largest

NEAR = 0.7
"""Of the threshold: near it, for a feature whose usual ratio is below 0.4; else half way from what
is usual to the threshold.
"""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Shares of windows above the threshold (of any feature), and near it (of one feature)."""

    alarms: float
    near: float


TOLERATED, STRAYED = Tolerance(0.01, 0.05), Tolerance(0.05, 0.3)
"""As usual, and where the inputs have moved far."""
LARGE_ALARMS = 0.1
"""Surely more above 1 than this is a large drift."""
DOUBT = 0.05
"""That a share is below its lower bound after all: of any turbine, and of any feature."""
FEWEST_OF_TURBINE, FEWEST = 3, 6
"""Captures below which nothing is said, of one turbine and of all."""
_ALIKE = 2.0
"""Times the tolerance: others that are found above it, if not surely, may be wrong alike."""


@dataclass(frozen=True)
class Judged:
    """A capture as it was judged: ratios (n, features), None where only the largest is known, as
    of verdicts that heeded a commissioning; ``worst`` the largest (n,).
    """

    turbine: str
    ratios: NDArray[np.floating] | None
    worst: NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class FeatureFit:
    """Shares of windows whose ratio is above 1 and near it, above ``limit``; its median, and what
    that is of the package's normal windows.
    """

    feature: str
    above: float
    near: float
    limit: float
    median: float
    usual: float | None
    level: Level


@dataclass(frozen=True, slots=True)
class TurbineFit:
    """The same of a turbine: ``above`` by the largest ratio, ``near`` of the feature that is so
    most; ``features`` are those that carry the level, the strongest first.
    """

    turbine: str
    captures: int
    above: float
    near: float
    level: Level
    features: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fit:
    """How the model fits all, each feature and each turbine. ``everywhere``: whether those that
    it does not fit are most, or not to be told from the rest.
    """

    captures: int
    verdicts: int
    above: float
    level: Level
    features: tuple[FeatureFit, ...]
    turbines: tuple[TurbineFit, ...]
    everywhere: bool


@dataclass(frozen=True)
class _Bar:
    """What a group of captures is held against."""

    features: tuple[str, ...]
    usual: tuple[float | None, ...]
    tolerance: Tolerance

    def limit(self, place: int) -> float:
        """Above it, a feature's ratio is near its threshold."""
        usual = self.usual[place]
        return NEAR if usual is None else max(NEAR, (1 + usual) / 2)

    def feature(self, judged: Sequence[Judged], place: int, doubt: float) -> FeatureFit | None:
        """How the model fits one feature; None where no ratio of it is known."""
        known = [each.ratios[:, place] for each in judged if each.ratios is not None]
        if not known:
            return None
        above, near = _share(known, 1.0), _share(known, self.limit(place))
        level = self._level(above, near, len(known), doubt, doubt)
        median = float(np.median(np.concatenate(known)))
        return FeatureFit(
            self.features[place], above, near, self.limit(place), median, self.usual[place], level
        )

    def group(
        self, judged: Sequence[Judged], fewest: int, doubt: float
    ) -> tuple[Level, tuple[FeatureFit, ...]]:
        """The level of captures together, and each feature's."""
        each_doubt = doubt / len(self.features)
        found = [self.feature(judged, i, each_doubt) for i in range(len(self.features))]
        features = tuple(one for one in found if one is not None)
        if len(judged) < fewest:
            return Level.UNKNOWN, features
        above = _share([each.worst for each in judged], 1.0)
        overall = self._level(above, 0.0, len(judged), doubt, each_doubt)
        return largest([overall, *(one.level for one in features)]), features

    def _level(
        self, above: float, near: float, captures: int, doubt: float, near_doubt: float
    ) -> Level:
        alarms = surely(above, captures, doubt)
        if alarms > max(LARGE_ALARMS, self.tolerance.alarms):
            return Level.LARGE
        close = surely(near, captures, near_doubt) > self.tolerance.near
        return Level.MODERATE if alarms > self.tolerance.alarms or close else Level.NONE


def usual_of(golden: NDArray[np.floating]) -> tuple[float | None, ...]:
    """Each feature's median of a package's golden ratios (n, features), less the faulty windows
    that are among them; None if all are.
    """
    normal = golden[golden.max(axis=1, initial=0.0) <= 1.0]
    if not len(normal):
        return (None,) * int(golden.shape[1])
    return tuple(float(median) for median in np.median(normal, axis=0))


def fit(
    features: Sequence[str],
    judged: Sequence[Judged],
    usual: Sequence[float | None],
    *,
    strayed: bool = False,
) -> Fit | None:
    """How a model fits captures of normal use, each with a window at least; None without any.

    ``usual`` are the features' median ratios where it fits; ``strayed``: whether the inputs are
    far from what was learnt.
    """
    if not judged:
        return None
    bar = _Bar(tuple(features), tuple(usual), STRAYED if strayed else TOLERATED)
    names = sorted({each.turbine for each in judged})
    turbines = tuple(
        _turbine(name, [each for each in judged if each.turbine == name], bar, DOUBT / len(names))
        for name in names
    )
    together, of_features = bar.group(judged, FEWEST, DOUBT)
    worst = [each.worst for each in judged]
    return Fit(
        captures=len(judged),
        verdicts=sum(map(len, worst)),
        above=_share(worst, 1.0),
        level=largest([together, *(each.level for each in turbines)]),
        features=of_features,
        turbines=turbines,
        everywhere=_everywhere(judged, turbines, bar),
    )


def surely(share: float, captures: int, doubt: float = DOUBT) -> float:
    """The lower bound of a share that was found in so many captures (Clopper and Pearson 1934)."""
    hits = share * captures
    if hits <= 0:
        return 0.0
    return float(betaincinv(hits, captures - hits + 1, doubt))


def _everywhere(judged: Sequence[Judged], turbines: Sequence[TurbineFit], bar: _Bar) -> bool:
    """Whether most turbines do not fit, or the others are not found to: with few captures, what
    is wrong with all is sure of some only.
    """
    if len(turbines) == 1:
        return False
    single = {each.turbine for each in turbines if each.level.changed}
    if 2 * len(single) > len(turbines):
        return True
    rest = [each for each in judged if each.turbine not in single]
    if _share([each.worst for each in rest], 1.0) > _ALIKE * bar.tolerance.alarms:
        return True
    _, features = bar.group(rest, FEWEST, DOUBT)
    return any(one.near > _ALIKE * bar.tolerance.near for one in features)


def _turbine(name: str, judged: Sequence[Judged], bar: _Bar, doubt: float) -> TurbineFit:
    level, features = bar.group(judged, FEWEST_OF_TURBINE, doubt)
    found = sorted(features, key=lambda one: (-one.near, -one.median))
    carry: tuple[str, ...] = ()
    if level.changed:
        most = _ALIKE * bar.tolerance.near
        carry = tuple(one.feature for one in found if one.near > most)
    above = _share([each.worst for each in judged], 1.0)
    near = found[0].near if found else 0.0
    return TurbineFit(name, len(judged), above, near, level, carry)


def _share(ratios: Sequence[NDArray[np.floating]], limit: float) -> float:
    """Of each capture's verdicts that are above a limit; the mean over captures."""
    return float(np.mean([np.mean(each > limit) for each in ratios]))

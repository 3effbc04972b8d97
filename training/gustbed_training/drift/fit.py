"""Whether a model still fits the turbines that it judges: what its ratios say, in normal use.

On turbines like those that it learnt, a model's ratios (score over threshold) pass 1 hardly ever
and ``NEAR`` seldom. Where they do so surely more often, the model is wrong about the turbine, or
the turbine is out of order; either is worth knowing, and neither shows in the inputs alone: a rotor
that turns 5 % faster in the same wind is nowhere outside of what was learnt.

Windows of one capture tell much the same, so that captures are what counts: a share is its mean
over captures, and as sure as that many independent draws make it (Clopper and Pearson 1934).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

from gustbed_training.drift.levels import Level, largest

NEAR = 0.8
"""Of the threshold: on the data that it was calibrated with, a model passes this in a few per
cent of windows at most.
"""
ALARMS_TOLERATED, NEAR_TOLERATED = 0.01, 0.1
"""Shares of windows above 1, and above ``NEAR``, that are no drift; to the second is added what
the package's own normal windows have.
"""
LARGE_ALARMS = 0.1
"""Surely more above 1 than this is a large drift."""
DOUBT = 0.05
"""That a share is below its lower bound after all; where each turbine is looked at, of any."""
FEWEST_OF_TURBINE, FEWEST = 3, 6
"""Captures below which nothing is said, of one turbine and of all."""


@dataclass(frozen=True)
class Usual:
    """What a package's own normal windows give: each feature's median ratio, and the share of
    windows whose largest is above ``NEAR``.
    """

    medians: tuple[float | None, ...]
    near: float = 0.0


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
    """Shares of windows whose ratio is above 1 and above ``NEAR``; its median, and what that is
    of the package's normal windows.
    """

    feature: str
    above: float
    near: float
    median: float
    usual: float | None
    level: Level


@dataclass(frozen=True, slots=True)
class TurbineFit:
    """The same of a turbine, by the largest ratio; ``features`` are those that carry it, the
    strongest first.
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
    near: float
    level: Level
    features: tuple[FeatureFit, ...]
    turbines: tuple[TurbineFit, ...]
    everywhere: bool


def usual_of(golden: NDArray[np.floating]) -> Usual:
    """Of a package's golden ratios (n, features); faulty windows are among them."""
    normal = golden[golden.max(axis=1, initial=0.0) <= 1.0]
    if not len(normal):
        return Usual((None,) * golden.shape[1])
    near = float(np.mean(normal.max(axis=1, initial=0.0) > NEAR))
    return Usual(tuple(np.median(normal, axis=0).tolist()), near)


def fit(features: Sequence[str], judged: Sequence[Judged], usual: Usual) -> Fit | None:
    """How a model fits captures of normal use, each with a window at least; None without any."""
    if not judged:
        return None
    names = sorted({each.turbine for each in judged})
    doubt = DOUBT / len(names)
    turbines = tuple(
        _turbine(name, [each for each in judged if each.turbine == name], features, usual, doubt)
        for name in names
    )
    worst = [each.worst for each in judged]
    above, near = _share(worst, 1.0), _share(worst, NEAR)
    together = _level(worst, usual.near, FEWEST)
    return Fit(
        captures=len(judged),
        verdicts=sum(map(len, worst)),
        above=above,
        near=near,
        level=largest([together, *(each.level for each in turbines)]),
        features=_features(features, judged, usual),
        turbines=turbines,
        everywhere=_everywhere(judged, turbines, usual),
    )


def surely(share: float, captures: int, doubt: float = DOUBT) -> float:
    """The lower bound of a share that was found in so many captures (Clopper and Pearson 1934)."""
    hits = share * captures
    if hits <= 0:
        return 0.0
    return float(betaincinv(hits, captures - hits + 1, doubt))


def _everywhere(judged: Sequence[Judged], turbines: Sequence[TurbineFit], usual: Usual) -> bool:
    """Whether most turbines do not fit, or the others are not found to: with few captures, what
    is wrong with all is sure of some only.
    """
    if len(turbines) == 1:
        return False
    single = {each.turbine for each in turbines if each.level.changed}
    if 2 * len(single) > len(turbines):
        return True
    rest = [each.worst for each in judged if each.turbine not in single]
    near = _share(rest, NEAR) > NEAR_TOLERATED + usual.near
    return near or _share(rest, 1.0) > ALARMS_TOLERATED


def _turbine(
    name: str, judged: Sequence[Judged], features: Sequence[str], usual: Usual, doubt: float
) -> TurbineFit:
    worst = [each.worst for each in judged]
    level = _level(worst, usual.near, FEWEST_OF_TURBINE, doubt)
    carry: tuple[str, ...] = ()
    if level.changed:
        found = sorted(_features(features, judged, usual), key=lambda one: -one.near)
        carry = tuple(one.feature for one in found if one.near > NEAR_TOLERATED)
    return TurbineFit(name, len(judged), _share(worst, 1.0), _share(worst, NEAR), level, carry)


def _features(
    names: Sequence[str], judged: Sequence[Judged], usual: Usual
) -> tuple[FeatureFit, ...]:
    known = [each.ratios for each in judged if each.ratios is not None]
    if not known:
        return ()
    medians = np.median(np.concatenate(known), axis=0)
    return tuple(
        FeatureFit(
            feature=name,
            above=_share([ratios[:, i] for ratios in known], 1.0),
            near=_share([ratios[:, i] for ratios in known], NEAR),
            median=float(medians[i]),
            usual=usual.medians[i],
            level=_level([ratios[:, i] for ratios in known], usual.near, FEWEST_OF_TURBINE),
        )
        for i, name in enumerate(names)
    )


def _level(
    ratios: Sequence[NDArray[np.floating]],
    usually_near: float,
    fewest: int,
    doubt: float = DOUBT,
) -> Level:
    count = len(ratios)
    if count < fewest:
        return Level.UNKNOWN
    alarms = surely(_share(ratios, 1.0), count, doubt)
    if alarms > LARGE_ALARMS:
        return Level.LARGE
    near = surely(_share(ratios, NEAR), count, doubt)
    changed = alarms > ALARMS_TOLERATED or near > NEAR_TOLERATED + usually_near
    return Level.MODERATE if changed else Level.NONE


def _share(ratios: Sequence[NDArray[np.floating]], limit: float) -> float:
    """Of each capture's verdicts that are above a limit; the mean over captures."""
    return float(np.mean([np.mean(each > limit) for each in ratios]))

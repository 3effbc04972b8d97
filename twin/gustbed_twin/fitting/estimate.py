"""Constants from recordings: a global start, a robust fit, and how sure each constant then is.

Output error: what the twin gives for the measured wind against what was measured. Errors of one
minute's segment belong together, those of different segments do not: intervals rest on that.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import solve_toeplitz
from scipy.optimize import OptimizeResult, least_squares
from scipy.stats import qmc
from scipy.stats import t as student

from gustbed_twin.filters import Floats
from gustbed_twin.records import Integers

STARTS, TRIED = 64, 3
"""How many starts are looked at, by a Sobol sequence, and how many of them are fitted."""
SHARE_FOR_STARTS = 6
"""The starts see every so many-th segment."""
ROBUST = 2.0
"""Errors beyond so many standard deviations count by their size, not its square (soft L1)."""
LAGS = 8
"""Errors of so many steps before are taken out of an error before it counts."""
WHITENINGS = 2
CONFIDENCE = 0.95
FLOOR = 0.005
"""Half an interval is never less than this share: what the measured wind itself leaves open."""
WIDEST = 0.025
"""A constant whose half interval is wider is not identified."""
SINGULAR = 1e-4
"""Nor is one that a direction with so small a share of the largest singular value moves."""
HELD = 0.02
"""A constant that is not identified is held this near (standard deviation, log) the type's."""
FARTHEST = 2.0
"""No fit goes further from the type's than so much of a logarithm."""
_STEP = 1e-4

Progress = Callable[[str], None]
Errors = Callable[[Floats, Integers], Floats]
"""Parameters and numbers of segments to errors over their expected spread: (channels, steps,
segments)."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One number that is fitted: its logarithm if ``log``, else itself over ``unit``.

    ``start`` is the type's; ``reach`` how far the search looks around it, in what is fitted;
    ``prior`` a standard deviation about it (infinite: none). A ``nuisance`` is not reported.
    """

    name: str
    start: float
    reach: float
    log: bool = True
    unit: float = 1.0
    prior: float = np.inf
    nuisance: bool = False

    @property
    def origin(self) -> float:
        """Where the search begins."""
        return float(np.log(self.start)) if self.log else self.start / self.unit

    def value(self, fitted: float) -> float:
        """The number itself."""
        return float(np.exp(fitted)) if self.log else float(fitted) * self.unit


@dataclass(frozen=True, slots=True)
class Problem:
    """What is fitted to how many segments; ``errors`` runs the twin.

    ``whiten`` where errors of steps before tell of those after because of what is measured. Not
    where they do so because the twin's shape is not quite the turbine's: then the level counts.
    """

    parameters: tuple[Parameter, ...]
    errors: Errors
    segments: int
    whiten: bool = True
    starts: int = STARTS

    @property
    def origin(self) -> Floats:
        """The type's own parameters."""
        return np.array([each.origin for each in self.parameters])

    @property
    def farthest(self) -> Floats:
        """How far a fit may go from the type's."""
        return np.array([FARTHEST if each.log else np.inf for each in self.parameters])

    def holding(self, names: set[str]) -> "Problem":
        """The same with some parameters held near the type's."""
        kept = tuple(
            replace(each, prior=HELD) if each.name in names else each for each in self.parameters
        )
        return replace(self, parameters=kept)


@dataclass(frozen=True, slots=True)
class Constant:
    """A constant with its 95 % interval, and whether it is identified; ``start`` is the type's."""

    name: str
    start: float
    value: float
    low: float
    high: float
    identified: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class Estimate:
    """``fitted`` are all parameters as the problem has them."""

    constants: tuple[Constant, ...]
    fitted: Floats


Whitener = tuple[Floats, float]
"""Weights of an error and those before it, and the standard deviation of what they give."""


def estimate(problem: Problem, progress: Progress) -> Estimate:
    """Fit, say how sure each constant is, and hold what the recordings do not tell."""
    every = np.arange(problem.segments)
    progress(f"looking for starts: {problem.starts} over {len(every[::SHARE_FOR_STARTS])} segments")
    found = _from_starts(problem, every[::SHARE_FOR_STARTS])
    progress(f"fitting all {problem.segments} segments")
    fitted = _fit(problem, found[0].x, every, None).x
    whiteners: list[Whitener] = []
    for _ in range(WHITENINGS if problem.whiten else 1):
        whiteners = _whiteners(problem.errors(fitted, every), LAGS if problem.whiten else 0)
        fitted = _fit(problem, fitted, every, whiteners).x
    progress("asking how sure each constant is")
    jacobian, residuals = _jacobian(problem, fitted, every, whiteners)
    half = _half_widths(problem, jacobian, residuals)
    doubts = _doubts(problem, half, jacobian, found)
    if doubts:
        held = problem.holding(set(doubts))
        progress(f"not identified, held near the type's: {', '.join(sorted(doubts))}")
        fitted = _fit(held, fitted, every, whiteners).x
    constants = tuple(
        _constant(each, float(at), float(wide), doubts.get(each.name, ""))
        for each, at, wide in zip(problem.parameters, fitted, half, strict=True)
        if not each.nuisance
    )
    return Estimate(constants, fitted)


def _from_starts(problem: Problem, rows: Integers) -> list[OptimizeResult]:
    """The best fits to some segments, the very best first."""
    reach = np.array([each.reach for each in problem.parameters])
    sequence = qmc.Sobol(len(reach), rng=0).random(problem.starts)
    starts = [problem.origin, *(problem.origin + reach * (2.0 * sequence - 1.0))]
    costs = [float(np.square(_residuals(problem, at, rows, None)).sum()) for at in starts]
    best = [starts[number] for number in np.argsort(costs)[:TRIED]]
    return sorted((_fit(problem, at, rows, None) for at in best), key=lambda each: each.cost)


def _fit(
    problem: Problem, start: Floats, rows: Integers, whiteners: list[Whitener] | None
) -> OptimizeResult:
    return least_squares(
        lambda at: _residuals(problem, at, rows, whiteners),
        start,
        loss="soft_l1",
        f_scale=ROBUST,
        x_scale="jac",
        bounds=(problem.origin - problem.farthest, problem.origin + problem.farthest),
        max_nfev=60,
    )


def _residuals(
    problem: Problem, at: Floats, rows: Integers, whiteners: list[Whitener] | None
) -> Floats:
    """All errors, a segment after the other, and last what the priors say."""
    errors = problem.errors(at, rows)
    if whiteners is not None:
        errors = np.stack([_whiten(e, w) for e, w in zip(errors, whiteners, strict=True)])
    # A twin that runs away is wrong, but by no more than can be told from other wrong ones.
    flat = np.clip(np.nan_to_num(errors, nan=1e6), -1e6, 1e6).transpose(2, 0, 1).ravel()
    priors = [
        (value - each.origin) / each.prior
        for each, value in zip(problem.parameters, at, strict=True)
    ]
    return np.concatenate((flat, priors))


def _whiteners(errors: Floats, most: int) -> list[Whitener]:
    """An autoregression for each channel's errors (channels, steps, segments), by Yule-Walker.

    ``most`` is its highest order; 0 leaves the errors as they are, over their spread.
    """
    found = []
    for channel in errors:
        centred = np.clip(channel - np.median(channel), -10.0, 10.0)
        steps = len(centred)
        lags = range(min(most, steps // 4) + 1)
        covariance = np.array([(centred[: steps - k] * centred[k:]).sum() for k in lags])
        covariance = covariance / centred.size
        covariance[0] = max(covariance[0] * (1.0 + 1e-6), 1e-12)
        weights = np.zeros(0)
        if len(covariance) > 1:
            weights = solve_toeplitz(covariance[:-1], covariance[1:])
        left = covariance[0] - weights @ covariance[1:]
        found.append((np.concatenate(([1.0], -weights)), float(np.sqrt(max(left, 1e-12)))))
    return found


def _whiten(errors: Floats, whitener: Whitener) -> Floats:
    weights, spread = whitener
    first, steps = len(weights) - 1, len(errors)
    total = np.zeros((steps - first, *errors.shape[1:]))
    for lag, weight in enumerate(weights):
        total += weight * errors[first - lag : steps - lag]
    return total / spread


def _jacobian(
    problem: Problem, at: Floats, rows: Integers, whiteners: list[Whitener]
) -> tuple[Floats, Floats]:
    """Derivatives of the residuals (residuals, parameters), by central differences, and them."""
    columns = []
    for step in _STEP * np.eye(len(at)):
        after = _residuals(problem, at + step, rows, whiteners)
        columns.append((after - _residuals(problem, at - step, rows, whiteners)) / (2.0 * _STEP))
    return np.stack(columns, axis=1), _residuals(problem, at, rows, whiteners)


def _half_widths(problem: Problem, jacobian: Floats, residuals: Floats) -> Floats:
    """Half a 95 % interval of each parameter: of the two below, the wider.

    By the errors' own spread, and by the sandwich of White (1980) with a segment as a cluster.
    """
    count = len(problem.parameters)
    weight = 1.0 / np.sqrt(1.0 + np.square(residuals / ROBUST))
    bread = np.linalg.pinv((jacobian * weight[:, None]).T @ jacobian, hermitian=True)
    pushes = jacobian * (weight * residuals)[:, None]
    by_segment = pushes[:-count].reshape(problem.segments, -1, count).sum(axis=1)
    priors = np.square(jacobian[-count:]).sum(axis=0)
    # Few clusters make the sandwich look too small (Cameron and Miller, 2015, eq. 12).
    few = problem.segments / max(problem.segments - count, 1)
    meat = few * (by_segment.T @ by_segment) + np.diag(priors)
    sandwich = bread @ meat @ bread
    variance = np.maximum(np.diag(bread), np.diag(sandwich))
    degrees = max(problem.segments - count, 1)
    half = student.ppf(0.5 + CONFIDENCE / 2.0, degrees) * np.sqrt(np.maximum(variance, 0.0))
    return np.asarray(np.hypot(half, FLOOR))


def _doubts(
    problem: Problem, half: Floats, jacobian: Floats, found: list[OptimizeResult]
) -> dict[str, str]:
    """The constants that the recordings do not tell, and why."""
    _, sizes, directions = np.linalg.svd(jacobian, full_matrices=False)
    loose = np.abs(directions[sizes < SINGULAR * sizes[0]]) > 0.1
    doubts: dict[str, str] = {}
    good = [each.x for each in found if each.cost < 1.001 * found[0].cost]
    for number, (each, wide) in enumerate(zip(problem.parameters, half, strict=True)):
        if each.nuisance:
            continue
        if each.log and wide > WIDEST:
            doubts[each.name] = f"±{100.0 * wide:.0f} %: the recordings do not tell it"
        elif loose[:, number].any():
            doubts[each.name] = "the recordings do not depend on it"
        elif each.log and np.ptp([x[number] for x in good]) > WIDEST:
            doubts[each.name] = "different starts end at different values"
    return doubts


def _constant(parameter: Parameter, at: float, half: float, why: str) -> Constant:
    return Constant(
        parameter.name,
        parameter.start,
        parameter.value(at),
        parameter.value(at - half),
        parameter.value(at + half),
        not why,
        why,
    )

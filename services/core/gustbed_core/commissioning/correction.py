"""A turbine's own coefficients from its errors, and ratios that are corrected by them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gustbed_core.commissioning.population import Doubles, Floats, Population, Terms


@dataclass
class Sums:
    """All that a turbine's coefficients follow from, added up verdict by verdict.

    ``moment`` (features, heads, k, k), ``product`` (features, terms, k), ``square`` (features,
    terms), of errors and basis over the usual error of their head; ``count`` verdicts.
    """

    moment: Doubles
    product: Doubles
    square: Doubles
    count: int = 0

    @classmethod
    def empty(cls, shape: tuple[int, int, int], heads: int) -> "Sums":
        """Of no verdict yet; ``shape`` as ``Population.shape``."""
        features, terms, size = shape
        return cls(
            np.zeros((features, heads, size, size)),
            np.zeros((features, terms, size)),
            np.zeros((features, terms)),
        )

    def add(self, terms: Terms, heads: NDArray[np.intp]) -> None:
        """Add verdicts of one turbine."""
        scale = head_scales(terms.usual, heads)
        basis = terms.basis.astype(np.float64)
        for head in range(self.moment.shape[1]):
            scaled = basis / scale[:, :, head, None]
            self.moment[:, head] += np.einsum("nfk,nfl->fkl", scaled, scaled)
            mine = np.flatnonzero(heads == head)
            errors = terms.error[:, :, mine] / scale[:, :, head, None]
            self.product[:, mine] += np.einsum("nft,nfk->ftk", errors, scaled)
            self.square[:, mine] += np.square(errors).sum(axis=0)
        self.count += len(terms)


def added(parts: Sequence[Sums]) -> Sums:
    """Sums of several stretches, at least one, together."""
    return Sums(
        np.sum([part.moment for part in parts], axis=0),
        np.sum([part.product for part in parts], axis=0),
        np.sum([part.square for part in parts], axis=0),
        sum(part.count for part in parts),
    )


@dataclass(frozen=True)
class Correction:
    """What one turbine's errors are, in units of ``noise``: a Gaussian of its coefficients.

    ``mean`` (features, terms, k) and ``covariance`` (features, heads, k, k). ``room`` (features,)
    divides its ratios: 1, or more where the turbine strays further than its model's kind.
    """

    mean: Floats
    covariance: Floats
    room: Floats


def prior(population: Population) -> Correction:
    """Of a turbine that nothing is known of: judged as widely as machines of its type differ."""
    return Correction(
        population.mean.astype(np.float32),
        population.covariance.astype(np.float32),
        np.ones(len(population.mean), dtype=np.float32),
    )


def posterior(population: Population, sums: Sums) -> Correction:
    """What a period tells of a turbine, by Bayes' rule for linear regression."""
    precision = np.linalg.inv(population.covariance)
    alike, heads = population.alike.astype(np.float64), population.heads
    covariance = np.linalg.inv(precision + sums.moment / alike[:, :, None, None])
    told = np.einsum("ftkl,ftl->ftk", precision[:, heads], population.mean)
    told += sums.product / (alike[:, heads] * population.noise)[:, :, None]
    mean = np.einsum("ftkl,ftl->ftk", covariance[:, heads], told)
    return Correction(
        mean.astype(np.float32),
        covariance.astype(np.float32),
        np.ones(len(mean), dtype=np.float32),
    )


@dataclass(frozen=True)
class Corrections:
    """Several turbines' as they are applied: ``shift`` (n, features, terms, k) in usual errors'
    unit, ``covariance`` (n, features, heads, k, k), ``room`` (n, features).
    """

    shift: Floats
    covariance: Floats
    room: Floats

    @classmethod
    def of(cls, corrections: Sequence[Correction], population: Population) -> "Corrections":
        """Stacked, in their order."""
        means = np.stack([each.mean for each in corrections])
        return cls(
            means * population.noise[:, :, None],
            np.stack([each.covariance for each in corrections]),
            np.stack([each.room for each in corrections]),
        )


def corrected_ratios(
    terms: Terms, corrections: Corrections, heads: NDArray[np.intp], explains: Floats
) -> Floats:
    """Ratios (n, features) of windows, one turbine's correction each.

    An error less what the turbine's coefficients explain, over its usual size, widened by how
    uncertain they are: regimes that no period has shown are judged more widely by themselves.
    """
    basis = terms.basis
    expected = np.einsum("nftk,nfk->nft", corrections.shift, basis)
    half = np.einsum("nfhkl,nfl->nfhk", corrections.covariance, basis)
    doubt = np.einsum("nfhk,nfk->nfh", half, basis)[:, :, heads]
    size = np.sqrt(np.square(terms.usual) + np.maximum(doubt, 0))
    worst = (np.abs(terms.error - expected) / (size * terms.limit)).max(axis=2)
    return explained_away(np.maximum(worst, terms.beyond) / corrections.room, explains)


def uncorrected_ratios(terms: Terms, explains: Floats) -> Floats:
    """The same without any correction: what the graph itself gives as its ratios."""
    worst = (np.abs(terms.error) / (terms.usual * terms.limit)).max(axis=2)
    return explained_away(np.maximum(worst, terms.beyond), explains)


def explained_away(ratios: Floats, explains: Floats) -> Floats:
    """Ratios (n, features) less what a driver is accused of: a model that is given a wrong driver
    says nothing of what it drives.
    """
    upstream = (ratios[:, None, :] * explains).max(axis=2)
    explained: Floats = ratios / np.maximum(upstream, 1)
    return explained


def head_scales(usual: Floats, heads: NDArray[np.intp]) -> Doubles:
    """The usual error of each head (n, features, heads): its terms' geometric mean."""
    logs = np.log(np.maximum(usual.astype(np.float64), 1e-30))
    count = int(heads.max()) + 1
    means = [logs[:, :, heads == head].mean(axis=2) for head in range(count)]
    scales: Doubles = np.exp(np.stack(means, axis=2))
    return scales

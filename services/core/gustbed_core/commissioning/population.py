"""What a graph tells of its errors, and how machines of a type differ: what corrections rest on.

A model expects the same of every turbine of a type. What it is wrong by on one turbine is taken to
be linear in a few known terms of the window, the ``basis``: a linear mixed-effects model (Laird and
Ware, Biometrics 38(4), 1982) whose random effects are a turbine's own coefficients. Their Gaussian
prior was fitted to machines that differ as those of the type do.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from gustbed_core.errors import GustbedError

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
ERROR, USUAL, BASIS, LIMIT, BEYOND = "error", "usual", "basis", "limit", "beyond"
TERM_OUTPUTS = (ERROR, USUAL, BASIS, LIMIT, BEYOND)
"""What a graph gives besides scores and ratios, in the order of ``Terms``."""
MAX_TERMS, MAX_BASIS, MAX_HEADS, MAX_TYPICAL = 64, 64, 4, 64


@dataclass(frozen=True, slots=True)
class Terms:
    """A graph's errors of n windows, each feature's by term.

    ``error`` is signed, ``usual`` how large it usually is (n, features, terms), in one unit;
    ``limit`` how many times the usual one is too large, so that a ratio is above 1. ``basis`` (n,
    features, k) is what errors of one turbine are linear in. ``beyond`` (n, features) is above 1
    where a feature is too far from anything that any machine showed.
    """

    error: Floats
    usual: Floats
    basis: Floats
    limit: Floats
    beyond: Floats

    def __len__(self) -> int:
        return len(self.error)

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(getattr(self, field.name).nbytes for field in fields(self))

    def of(self, chosen: slice | NDArray[np.intp] | NDArray[np.bool_]) -> "Terms":
        """Some of the windows."""
        return Terms(*(getattr(self, field.name)[chosen] for field in fields(self)))


def joined(parts: Sequence[Terms]) -> Terms:
    """Windows of several, at least one, in their order."""
    names = [field.name for field in fields(Terms)]
    return Terms(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


@dataclass(frozen=True)
class Population:
    """How machines of a type differ, in units of ``noise``: the prior of a turbine's coefficients.

    ``mean`` (features, terms, k), ``covariance`` (features, heads, k, k) with the ``heads`` of the
    terms (terms,). ``noise`` (features, terms) is how far errors stray once they are corrected, in
    usual errors; ``alike`` (features, heads) how many verdicts count together as one observation,
    since windows overlap, and weather lasts. ``typical`` (n, features, heads, k) is the basis, over
    the usual error of a head, of windows that are typical of all operation: on them, how much a
    period has told is measured. ``explains`` (features, features) is 1 where the second drives the
    first, and not the other way round.

    What machines share and what they differ by are many orders apart, hence doubles.
    """

    mean: Doubles
    covariance: Doubles
    noise: Floats
    alike: Floats
    typical: Floats
    heads: NDArray[np.intp]
    explains: Floats

    @property
    def shape(self) -> tuple[int, int, int]:
        """Numbers of features, terms and coefficients."""
        features, terms, size = self.mean.shape
        return features, terms, size


def term_shapes(population: Population) -> dict[str, tuple[int, ...]]:
    """Shapes of a graph's outputs for one window, by name, in the order of ``Terms``."""
    features, terms, size = population.shape
    by_term = (features, terms)
    return {
        ERROR: by_term, USUAL: by_term, BASIS: (features, size), LIMIT: by_term,
        BEYOND: (features,),
    }  # fmt: skip


POPULATION_ARRAYS = ("mean", "covariance", "noise", "alike", "typical", "heads", "explains")


def population_to_bytes(population: Population) -> bytes:
    """As it lies in a package: arrays one behind the other, none compressed."""
    stream = io.BytesIO()
    arrays = {name: getattr(population, name) for name in POPULATION_ARRAYS}
    np.savez(stream, **arrays | {"heads": population.heads.astype(np.float32)})
    return stream.getvalue()


def population_of(arrays: Mapping[str, NDArray[np.floating]], features: int) -> Population:
    """Check arrays by name. Raises ``GustbedError`` for what cannot be a prior."""
    mean, heads, explains = arrays["mean"], arrays["heads"], arrays["explains"]
    if mean.ndim != 3 or len(mean) != features:
        raise GustbedError(f"mean must be ({features}, terms, k), not {mean.shape}")
    _, terms, size = mean.shape
    count = int(heads.max(initial=0)) + 1
    if not (1 <= terms <= MAX_TERMS and 1 <= size <= MAX_BASIS and 1 <= count <= MAX_HEADS):
        raise GustbedError(f"{terms} terms, {size} coefficients and {count} heads")
    if not 1 <= len(arrays["typical"]) <= MAX_TYPICAL:
        raise GustbedError(f"{len(arrays['typical'])} typical windows")
    wanted = {
        "covariance": (features, count, size, size),
        "noise": (features, terms),
        "alike": (features, count),
        "typical": (len(arrays["typical"]), features, count, size),
        "heads": (terms,),
        "explains": (features, features),
    }
    for name, shape in wanted.items():
        if arrays[name].shape != shape:
            raise GustbedError(f"{name} must be {shape}, not {arrays[name].shape}")
    if heads.min(initial=0) < 0 or (arrays["noise"] <= 0).any() or (arrays["alike"] < 1).any():
        raise GustbedError("heads and noise must be positive, alike 1 or more")
    if not np.isin(explains, (0, 1)).all():
        raise GustbedError("explains must be 0 or 1")
    covariance = arrays["covariance"].astype(np.float64)
    if np.linalg.eigvalsh(covariance).min(initial=1.0) <= 0:
        raise GustbedError("covariance must be positive definite")
    return Population(
        mean.astype(np.float64),
        covariance,
        arrays["noise"].astype(np.float32),
        arrays["alike"].astype(np.float32),
        arrays["typical"].astype(np.float32),
        heads.astype(np.intp),
        explains.astype(np.float32),
    )

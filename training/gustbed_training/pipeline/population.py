"""How machines of a type differ, seen through a model: the prior of every turbine's correction."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from gustbed_core.commissioning.correction import Sums, head_scales
from gustbed_core.commissioning.population import (
    TERM_OUTPUTS,
    Doubles,
    Floats,
    Population,
    Terms,
    joined,
)
from gustbed_core.package import INPUT
from gustbed_core.signals import Schema
from gustbed_core.turbine_types import Individuals
from gustbed_training.data.dataset import Dataset, open_dataset
from gustbed_training.data.individuals import as_individual
from gustbed_training.data.partition import Part, Recording
from gustbed_training.data.types import find_type, type_names
from gustbed_training.data.windows import windows_of
from gustbed_training.detectors.explaining import Explaining
from gustbed_training.detectors.limits import effective_samples
from gustbed_training.detectors.scoring import session
from gustbed_training.progress import Log

_EVERY = 4
"""One verdict in so many is taken, and counts for as many: neighbours are alike."""
_BATCH, _WIDE_BATCH = 64, 1024
_ROUNDS = 8
_APART = 0.1
"""Of a typical usual error, but of no more than ``_LARGE`` standard deviations of the feature: as
far apart any two machines may be in any coefficient, though no two of ours were."""
_LARGE = 0.3
_TYPICAL, _LOOKED_AT = 32, 2000
"""Windows kept to stand for all operation, and those that they are drawn from."""
_STRETCHES, _LONG = 12, 4000
"""How many stretches, and how many windows of each, tell how long errors are alike."""
_LEAST_ALIKE, _MOST_ALIKE = 24.0, 1200.0
"""Verdicts: windows overlap; and of weather that changes more slowly an hour says nothing."""
_OUTLIER = 8.0
_NONE = 1e-6
"""Variance of a coefficient that is held at 0."""
_LEAST_NOISE = 0.05
_FIRST_VARIANCE = 0.1


@dataclass(frozen=True)
class Machines:
    """Recordings of machines that differ, by machine: a dataset's turbines."""

    dataset: Dataset
    individuals: Individuals

    @property
    def names(self) -> list[str]:
        """The machines, sorted."""
        return sorted({source.path.stem for source in self.dataset.sources})

    def windows(self, schema: Schema, machine: str) -> Iterator[NDArray[np.float32]]:
        """Its windows, thinned, one array per recording."""
        thin = replace(schema, step=schema.step * _EVERY)
        for source in self.dataset.sources:
            if source.path.stem == machine:
                for recording in self.dataset.read(source):
                    yield windows_of(self._part(recording, schema, machine), thin)

    def _part(self, recording: Recording, schema: Schema, machine: str) -> Part:
        values = as_individual(recording.values, schema, self.individuals, machine)
        return Part(replace(recording, values=values), 0, values.shape[1])


def machines_of(folder: Path) -> Machines:
    """What a folder has recorded. The type's file says what sensors of its machines may do."""
    dataset = open_dataset(folder)
    name = dataset.schema.turbine_type
    known = find_type(name).individuals if name in type_names() else None
    return Machines(dataset, known or Individuals())


def widen(module: Explaining, machines: Machines, schema: Schema) -> None:
    """Show a module what machines reach."""
    for name in machines.names:
        for windows in machines.windows(schema, name):
            for first in range(0, len(windows), _WIDE_BATCH):
                with torch.no_grad():
                    module.widen(torch.from_numpy(windows[first : first + _WIDE_BATCH]))


def fit_population(
    model: bytes, module: Explaining, schema: Schema, machines: Machines,
    normal: Sequence[NDArray[np.float32]], log: Log,
) -> Population:  # fmt: skip
    """The prior from machines' recordings. ``normal`` windows, one array per stretch, say how often
    which operation occurs. ``model`` is the module's graph.
    """
    places = np.array(module.heads, dtype=np.intp)
    explain = explainer(model)
    typical, usual = _typical(explain, normal, places)
    alike = _alike(explain, normal, places)
    found: list[Sums] = []
    for number, name in enumerate(machines.names, start=1):
        found.append(_sums(explain, machines.windows(schema, name), places))
        if number % 10 == 0 or number == len(machines.names):
            log(f"machines that differ: {number}/{len(machines.names)}")
    apart = _APART * np.minimum(usual, _LARGE)
    mean, covariance, noise = _expectation_maximisation(found, places, alike, apart)
    for row, name in enumerate(schema.feature_names):
        if not schema.drivers.get(name, True):
            # Nothing drives it: its level is the weather's, or a command's, and no machine's.
            mean[row], covariance[row] = 0, _NONE * np.eye(covariance.shape[-1])
    return Population(
        mean, covariance, noise, alike.astype(np.float32), typical, places, module.explains.numpy()
    )


def _typical(
    explain: "explainer", normal: Sequence[NDArray[np.float32]], heads: NDArray[np.intp]
) -> tuple[Floats, Doubles]:
    """Some windows' basis over the usual errors, and the median of these (features, heads)."""
    every = max(1, sum(map(len, normal)) // _LOOKED_AT)
    terms = joined([explain(np.ascontiguousarray(each[::every])) for each in normal if len(each)])
    scales = head_scales(terms.usual, heads)
    few = np.random.default_rng(0).permutation(len(terms))[:_TYPICAL]
    scaled = terms.basis[few][:, :, None, :] / scales[few][:, :, :, None]
    return scaled.astype(np.float32), np.median(scales, axis=0)


def _alike(
    explain: "explainer", normal: Sequence[NDArray[np.float32]], heads: NDArray[np.intp]
) -> Doubles:
    """How many neighbouring errors are worth one (features, heads): twice their correlation time,
    the median of stretches, of the term that is alike longest.
    """
    longest = sorted(range(len(normal)), key=lambda i: -len(normal[i]))[:_STRETCHES]
    found = []
    for windows in (normal[i][:_LONG] for i in longest):
        terms = explain(np.ascontiguousarray(windows))
        relative = np.clip(terms.error / terms.usual, -_OUTLIER, _OUTLIER)
        off = relative - relative.mean(axis=0)
        worth = np.apply_along_axis(effective_samples, 0, off)
        # What is never judged is 0, and tells nothing.
        found.append(off.any(axis=0) * len(off) / worth)
    by_term = np.median(found, axis=0)
    by_head = [by_term[:, heads == head].max(axis=1) for head in range(int(heads.max()) + 1)]
    alike: Doubles = np.clip(np.stack(by_head, axis=1), _LEAST_ALIKE, _MOST_ALIKE)
    return alike


class explainer:  # noqa: N801 - used as a function
    """A graph's terms of windows."""

    def __init__(self, model: bytes) -> None:
        self._session = session(model)

    def __call__(self, windows: NDArray[np.float32]) -> Terms:
        parts = [
            self._session.run(list(TERM_OUTPUTS), {INPUT: windows[i : i + _BATCH]})
            for i in range(0, len(windows), _BATCH)
        ]
        return Terms(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def _sums(
    explain: explainer, stretches: Iterator[NDArray[np.float32]], heads: NDArray[np.intp]
) -> Sums:
    found: Sums | None = None
    for windows in stretches:
        if len(windows):
            terms = explain(windows)
            _, features, count = terms.error.shape
            shape = (features, count, terms.basis.shape[2])
            found = found or Sums.empty(shape, int(heads.max()) + 1)
            found.add(terms, heads)
    if found is None:
        raise ValueError("no window of a machine")
    return found


def _expectation_maximisation(
    machines: Sequence[Sums], heads: NDArray[np.intp], alike: Doubles, apart: Doubles
) -> tuple[Doubles, Doubles, Floats]:
    """Maximum likelihood of the prior, one covariance for the terms of a head: mean, covariance and
    noise. Machines are ``apart`` (features, heads) in every direction, in standard deviations.
    """
    # A thinned verdict stands for several: of these, so many are one observation.
    weight = _EVERY / alike
    by_term = weight[:, heads]
    moments = np.stack([each.moment for each in machines]) * weight[:, :, None, None]
    products = np.stack([each.product for each in machines]) * by_term[:, :, None]
    squares = np.stack([each.square for each in machines]) * by_term
    counts = np.array([each.count for each in machines])[:, None, None] * by_term
    _, features, terms, size = products.shape
    count = int(heads.max()) + 1
    active = squares.sum(axis=0) > 0
    mean: Doubles = np.zeros((features, terms, size))
    covariance: Doubles = np.broadcast_to(
        np.eye(size) * _FIRST_VARIANCE, (features, count, size, size)
    )
    noise: Doubles = np.sqrt(np.maximum(squares.sum(axis=0) / counts.sum(axis=0), _LEAST_NOISE**2))
    for _ in range(_ROUNDS):
        precision = np.linalg.inv(covariance)
        own: Doubles = np.asarray(np.linalg.inv(precision + moments), dtype=np.float64)
        told = np.einsum("ftkl,ftl->ftk", precision[:, heads], mean)
        told = told + products / noise[:, :, None]
        found: Doubles = np.einsum("jftkl,jftl->jftk", own[:, :, heads], told)
        mean = np.asarray(found.mean(axis=0), dtype=np.float64)
        off = (found - mean) * active[:, :, None]
        spread = np.einsum("jftk,jftl->ftkl", off, off) / len(machines)
        by_head = [
            own[:, :, h].mean(axis=0) + _over(spread, active, heads == h) for h in range(count)
        ]
        covariance = np.asarray(np.stack(by_head, 1), dtype=np.float64)
        covariance += (apart**2)[:, :, None, None] * np.eye(size)
        noise = _noise(found, own, moments, products, squares, counts, noise, heads)
    return mean * active[:, :, None], covariance, noise.astype(np.float32)


def _over(spread: Doubles, active: NDArray[np.bool_], chosen: NDArray[np.bool_]) -> Doubles:
    """The mean of a head's terms that are judged (features, k, k)."""
    some = (active & chosen).astype(np.float64)
    share = some / np.maximum(some.sum(axis=1, keepdims=True), 1)
    mean: Doubles = np.einsum("ft,ftkl->fkl", share, spread)
    return mean


def _noise(
    found: Doubles, own: Doubles, moments: Doubles, products: Doubles, squares: Doubles,
    counts: Doubles, before: Doubles, heads: NDArray[np.intp],
) -> Doubles:  # fmt: skip
    """What errors are once they are corrected, in usual ones (features, terms)."""
    whole = found * before[:, :, None]
    left = squares - 2 * np.einsum("jftk,jftk->jft", whole, products)
    left += np.einsum("jftk,jftkl,jftl->jft", whole, moments[:, :, heads], whole)
    doubt = np.einsum("jfhkl,jfhlk->jfh", own, moments)[:, :, heads] * before**2
    total = np.maximum((left + doubt).sum(axis=0), 0) / counts.sum(axis=0)
    noise: Doubles = np.maximum(np.sqrt(total), _LEAST_NOISE)
    return noise

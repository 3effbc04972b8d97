"""Random streams: one for the site, one per turbine, each a function of seed and index alone.

A turbine's numbers therefore do not depend on how many turbines there are, nor on which process
simulates them.
"""

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

_SITE, _TURBINE, _VARIATION = 0, 1, 2


class SiteStream(IntEnum):
    """What the turbines of a site share, each with a stream of its own."""

    TURBULENCE = 0
    GUSTS = 1
    WEATHER = 2
    OVERLAY = 3


def site_stream(seed: int, stream: SiteStream) -> np.random.Generator:
    """A stream that every process of the site draws alike."""
    return _generator(seed, (_SITE, int(stream)))


def turbine_stream(seed: int, index: int) -> np.random.Generator:
    """The stream of the turbine at ``index``, counting from 0."""
    return _generator(seed, (_TURBINE, index))


def variation_stream(seed: int, index: int) -> np.random.Generator:
    """What decides how the turbine at ``index`` differs from its type, before it ever runs."""
    return _generator(seed, (_VARIATION, index))


def normals(
    generators: Sequence[np.random.Generator], samples: int, kinds: int
) -> NDArray[np.float64]:
    """Standard normal numbers, shape (kinds, samples, generators).

    Drawn sample by sample, so that a stream does not depend on how it is cut into blocks.
    """
    drawn = np.empty((len(generators), samples, kinds))
    for generator, row in zip(generators, drawn, strict=True):
        generator.standard_normal(out=row)
    return np.ascontiguousarray(drawn.transpose(2, 1, 0))


def _generator(seed: int, key: tuple[int, int]) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))

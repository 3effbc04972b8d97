"""A declared normal period of one turbine: what it has told so far, and whether it can be believed.

The first two thirds fit the turbine's coefficients, the last one sets its thresholds: split
conformal prediction (Lei et al., JASA 113(523), 2018). Of ``n`` exchangeable blocks of verdicts,
one more exceeds the largest with a probability of 1 / (n + 1) at most; room beyond that largest,
and never less than the factory's own threshold, only lower it.
"""

import io
import zipfile
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gustbed_core.commissioning.correction import (
    Correction,
    Corrections,
    Sums,
    added,
    corrected_ratios,
    posterior,
)
from gustbed_core.commissioning.normality import (
    NotNormalError,
    Signs,
    check_plausible,
    check_seen_enough,
    check_steady,
)
from gustbed_core.commissioning.population import Floats, Population, Terms
from gustbed_core.errors import GustbedError

SEGMENTS = 3
"""Equal parts of a period: two to fit, one to calibrate."""
BLOCK = 60
"""Verdicts per block of the calibration."""
MARGIN = 1.25
"""Room above the largest calm level."""
FAULT = 1.6
"""Level after correction that is no normal operation: the most margin that thresholds are given.
What is between is taken up as room.
"""
FEWEST = 240
"""Verdicts that a period needs at least."""
PROVISIONAL_SECONDS = 900.0
"""Of a period that nobody declared: what a turbine that is not commissioned shows at first."""


@dataclass
class Period:
    """What is kept of a period while it lasts. ``wanted`` verdicts make it whole.

    A ``provisional`` one may have seen little operation: whoever is judged by it was judged more
    widely before.
    """

    wanted: int
    segments: list[Sums]
    provisional: bool = False
    fitted: Correction | None = None
    recent: Floats = field(default_factory=lambda: np.empty((0, 0), dtype=np.float32))
    highest: Floats = field(default_factory=lambda: np.empty(0, dtype=np.float32))

    @classmethod
    def begin(cls, population: Population, wanted: int, *, provisional: bool = False) -> "Period":
        """An empty one. Raises ``GustbedError`` for one that is too short to tell anything."""
        if wanted < FEWEST:
            raise GustbedError(
                f"a period of {wanted} verdicts is too short", f"give {FEWEST} at least"
            )
        heads = population.covariance.shape[1]
        segments = [Sums.empty(population.shape, heads) for _ in range(SEGMENTS)]
        return cls(wanted, segments, provisional)

    @property
    def count(self) -> int:
        """Verdicts so far."""
        return sum(segment.count for segment in self.segments)

    @property
    def done(self) -> bool:
        """Whether it is whole."""
        return self.count >= self.wanted

    def add(self, terms: Terms, population: Population, signs: Signs) -> None:
        """Add verdicts in order of time; what is beyond the whole is left out.

        Raises ``NotNormalError`` as soon as the period shows that it is not.
        """
        while len(terms) and not self.done:
            number = min(self.count * SEGMENTS // self.wanted, SEGMENTS - 1)
            until = -(-self.wanted * (number + 1) // SEGMENTS)
            part, terms = split(terms, until - self.count)
            if number == SEGMENTS - 1:
                self._calibrate(part, population, signs)
            self.segments[number].add(part, population.heads)
            if number == SEGMENTS - 2 and self.count >= until:
                self.fitted = self._fit(population, signs)
                check_steady(population, self.segments[:-1], signs)

    def result(self) -> Correction:
        """The correction of a whole period."""
        if self.fitted is None or not self.done:
            raise GustbedError("the period is not over", "wait until it is whole")
        room = np.clip(MARGIN * self.highest, 1.0, None).astype(np.float32)
        return Correction(self.fitted.mean, self.fitted.covariance, room)

    @property
    def blocks(self) -> int:
        """Blocks of the calibration: the guarantee's n."""
        return self.segments[-1].count // BLOCK

    def _fit(self, population: Population, signs: Signs) -> Correction:
        told = added(self.segments[:-1])
        fitted = posterior(population, told)
        check_plausible(population, fitted, told, signs)
        if not self.provisional:
            check_seen_enough(population, fitted, signs)
        return fitted

    def _calibrate(self, part: Terms, population: Population, signs: Signs) -> None:
        fitted = self.fitted
        if fitted is None:
            raise GustbedError("a period was calibrated before it was fitted")
        stacked = Corrections.of([fitted], population)
        ratios = corrected_ratios(part, stacked, population.heads, population.explains)
        known = ratios if not self.recent.size else np.concatenate([self.recent, ratios])
        level = sustained(known, signs.open_after)
        if len(level):
            now = level.max(axis=0)
            self.highest = now if not self.highest.size else np.maximum(self.highest, now)
            worst = int(self.highest.argmax())
            if not self.highest[worst] <= FAULT:
                raise NotNormalError(
                    "fault",
                    f"{signs.features[worst]} strayed to {self.highest[worst]:.2f} times its limit "
                    "in the last third of the period, against the first two",
                    "look for a fault, then start again",
                )
        self.recent = known[len(known) - min(len(known), signs.open_after - 1) :]


def split(terms: Terms, count: int) -> tuple[Terms, Terms]:
    """The first ``count`` windows, and the rest."""
    return terms.of(slice(count)), terms.of(slice(count, None))


def sustained(ratios: Floats, open_after: int) -> Floats:
    """The level that so many neighbouring verdicts all reach (n - open_after + 1, features)."""
    if len(ratios) < open_after:
        return ratios[:0]
    view = np.lib.stride_tricks.sliding_window_view(ratios, open_after, axis=0)
    lowest: Floats = view.min(axis=-1)
    return lowest


_SUMS = ("moment", "product", "square")


def period_to_bytes(period: Period) -> bytes:
    """For a file: arrays that are not compressed."""
    arrays: dict[str, NDArray[np.generic]] = {
        "wanted": np.array([period.wanted]),
        "provisional": np.array([period.provisional]),
        "counts": np.array([segment.count for segment in period.segments]),
        "recent": period.recent,
        "highest": period.highest,
    }
    for name in _SUMS:
        arrays[name] = np.stack([getattr(segment, name) for segment in period.segments])
    if period.fitted is not None:
        arrays |= {"mean": period.fitted.mean, "covariance": period.fitted.covariance}
    return _packed(arrays)


def period_from_bytes(data: bytes) -> Period:
    """Read it back. Raises ``GustbedError`` for a file that is spoilt."""
    arrays = _unpacked(data)
    try:
        segments = [
            Sums(arrays["moment"][i], arrays["product"][i], arrays["square"][i], int(count))
            for i, count in enumerate(arrays["counts"])
        ]
        fitted = None
        if "mean" in arrays:
            room = np.ones(len(arrays["mean"]), dtype=np.float32)
            fitted = Correction(arrays["mean"], arrays["covariance"], room)
        recent, highest = arrays["recent"], arrays["highest"]
        wanted, provisional = int(arrays["wanted"][0]), bool(arrays["provisional"][0])
        return Period(wanted, segments, provisional, fitted, recent, highest)
    except (KeyError, IndexError, ValueError) as error:
        raise GustbedError(f"a spoilt period: {error}") from error


def correction_to_bytes(correction: Correction) -> bytes:
    """For a file."""
    return _packed({
        "mean": correction.mean, "covariance": correction.covariance, "room": correction.room,
    })  # fmt: skip


def correction_from_bytes(data: bytes, population: Population) -> Correction:
    """Read it back. Raises ``GustbedError`` for one that is spoilt, or of another model."""
    arrays = _unpacked(data)
    shapes = {
        "mean": population.mean.shape,
        "covariance": population.covariance.shape,
        "room": population.mean.shape[:1],
    }
    for name, shape in shapes.items():
        if name not in arrays or arrays[name].shape != shape or not np.isfinite(arrays[name]).all():
            raise GustbedError(f"a spoilt correction, or one of another model: {name}")
    return Correction(*(arrays[name].astype(np.float32) for name in shapes))


def _packed(arrays: dict[str, NDArray[np.generic]]) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)  # type: ignore[arg-type]
    return stream.getvalue()


def _unpacked(data: bytes) -> dict[str, NDArray[Any]]:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise GustbedError(f"not readable: {error}") from error

"""Ratios as each turbine's commissioning has it; who has none costs nothing more."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gustbed_core.commissioning.correction import corrected_ratios
from gustbed_core.commissioning.normality import Signs
from gustbed_core.commissioning.population import Floats, Terms
from gustbed_core.signals import Decision
from gustbed_edge.commissioning.desk import Desk, Observation, Served, Standing
from gustbed_edge.commissioning.fleet import first_standing
from gustbed_edge.scoring.detector import Detector


@dataclass(frozen=True, slots=True)
class Windowed:
    """Whose windows are judged: ``rows`` and ``ends`` (n) in order of time; ``restarted`` rows had
    a gap before.
    """

    rows: NDArray[np.intp]
    ends: NDArray[np.float64]
    restarted: NDArray[np.intp]


class Corrector:
    """Applies the standings that the commissioner made of one type's model.

    Used by the scoring thread alone. ``standing`` is what the latest ratios rest on.
    """

    def __init__(self, desk: Desk, served: Served, turbines: int) -> None:
        self.standing: Standing | None = first_standing(served, turbines)
        self._first = self.standing
        self._desk = desk
        self._type = served.turbine_type
        self._restarted: list[NDArray[np.intp]] = []
        """Rows that had a gap since the last observation; their windows fill only later."""

    def ratios(self, detector: Detector, features: Floats, whose: Windowed) -> Floats:
        """Feature windows (n, features, time) to ratios (n, features); NaN where it failed."""
        standing = self.standing = self._now()
        if standing is None:
            return detector.ratios(features)
        if len(whose.restarted) and standing.followed[whose.restarted].any():
            self._restarted.append(whose.restarted)
        corrected = standing.place[whose.rows] >= 0
        needed = corrected | standing.learning[whose.rows] | standing.followed[whose.rows]
        if not needed.any():
            return detector.ratios(features)
        if needed.all():
            plain, terms = detector.ratios_and_terms(features)
            result = plain.copy()
        else:
            plain, terms = detector.ratios_and_terms(features[needed])
            result = np.empty((len(features), plain.shape[1]), dtype=np.float32)
            result[~needed] = detector.ratios(features[~needed])
            result[needed] = plain
        self._correct(result, terms, whose.rows, corrected, needed, standing)
        rows, ends = whose.rows[needed], whose.ends[needed]
        self._hand_on(plain, result[needed], terms, rows, ends, standing)
        return result

    def _now(self) -> Standing | None:
        """The commissioner's, once it has one of the model that serves."""
        told = self._desk.standings.get(self._type)
        first = self._first
        if first is None or told is None or told.fingerprint != first.fingerprint:
            return first
        return told

    def _correct(
        self,
        result: Floats,
        terms: Terms,
        rows: NDArray[np.intp],
        corrected: NDArray[np.bool_],
        needed: NDArray[np.bool_],
        standing: Standing,
    ) -> None:
        if not corrected.any():
            return
        mine = corrected[needed]
        some = terms if mine.all() else terms.of(mine)
        by = standing.of(rows[corrected])
        result[corrected] = corrected_ratios(some, by, standing.heads, standing.explains)
        result[~np.isfinite(result).all(axis=1)] = np.nan

    def _hand_on(
        self,
        plain: Floats,
        judged: Floats,
        terms: Terms,
        rows: NDArray[np.intp],
        ends: NDArray[np.float64],
        standing: Standing,
    ) -> None:
        scored = ~np.isnan(plain[:, 0])
        followed = standing.followed[rows] & scored
        learning = standing.learning[rows] & scored
        widely = _widely(judged, terms, rows, followed, standing)
        narrowly = np.where((standing.place[rows] > 0)[:, None], judged, plain)
        # What the wide measure fails on speaks neither for a turbine nor against it.
        followed &= np.isfinite(widely).all(axis=1)
        if followed.any() or learning.any():
            restarted, self._restarted = self._restarted, []
            self._desk.observe(
                Observation(
                    self._type,
                    standing.fingerprint,
                    np.concatenate(restarted) if restarted else rows[:0],
                    rows[followed],
                    ends[followed],
                    narrowly[followed],
                    widely[followed],
                    rows[learning],
                    terms.of(learning),
                )
            )


def _widely(
    judged: Floats,
    terms: Terms,
    rows: NDArray[np.intp],
    followed: NDArray[np.bool_],
    standing: Standing,
) -> Floats:
    """Ratios as of turbines that nothing is known of, of ``followed`` ones: most are so judged."""
    others = followed & (standing.place[rows] != 0)
    if not others.any():
        return judged
    result = judged.copy()
    result[others] = corrected_ratios(
        terms.of(others), standing.wide, standing.heads, standing.explains
    )
    return result


def served_by(detector: Detector, decision: Decision) -> Served:
    """A model as the commissioner sees it; ``decision`` is the one that counts here."""
    manifest = detector.manifest
    return Served(
        manifest.turbine_type,
        detector.model,
        detector.fingerprint,
        detector.population,
        Signs(manifest.feature_names, decision.open_after),
        decision.smooth,
    )

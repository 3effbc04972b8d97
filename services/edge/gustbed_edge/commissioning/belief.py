"""Who is judged narrowly though nobody vouches for it: trust is won by calm, and lost by false
alarms.
"""

import logging
from collections.abc import Callable
from dataclasses import replace

from gustbed_core.commissioning.messages import FACTORY, PRIOR, PROVISIONAL
from gustbed_edge.commissioning.desk import Observation
from gustbed_edge.commissioning.fleet import Fleet
from gustbed_edge.commissioning.records import Records
from gustbed_edge.commissioning.site import Site

log = logging.getLogger(__name__)

STEPS = 6
"""In which doubt is written, until it is too much: each is a write of its turbine's record."""


class Belief:
    """Used by the commissioner's thread alone."""

    def __init__(self, site: Site, records: Records, alarm: float) -> None:
        self._lost: list[int] = []
        self._site = site
        self._records = records
        self._step = alarm / STEPS

    def resume(self, fleet: Fleet) -> None:
        """Go on with what speaks against trust in a model that has come."""
        for row in range(len(self._records)):
            record = self._records[row]
            if self._unvouched(row, fleet) and (record.doubt or self._site.open_kinds(row)):
                fleet.trust.watch(row, record.doubt)

    def alarmed(self, row: int, fleet: Fleet) -> None:
        """An event opened: does the wide measure see it too?"""
        if self._unvouched(row, fleet):
            fleet.trust.watch(row, self._records[row].doubt)

    def take(self, seen: Observation, fleet: Fleet, declared: Callable[[int], bool]) -> None:
        """Follow what a measure that nobody vouches for said.

        A declared period is judged as it began: its turbine may yet prove to differ.
        """
        trust = fleet.trust
        trust.restart(seen.restarted)
        told = trust.take(seen.rows, seen.ends, seen.ratios, seen.widely)
        # So that doubt outlives a restart, within a step.
        for row in trust.notable(self._step).tolist():
            self._records.change(row, doubt=float(trust.doubt[row]))
        for row in told.believed.tolist():
            if not declared(row):
                self._believe(row, fleet)
        for row in told.doubted.tolist():
            if not declared(row):
                self._doubt(row, fleet)

    def take_lost(self) -> list[int]:
        """Rows that have lost trust since the last call."""
        lost, self._lost = self._lost, []
        return lost

    def _unvouched(self, row: int, fleet: Fleet) -> bool:
        return fleet.basis(row, self._records[row].trusted) in (FACTORY, PROVISIONAL)

    def _believe(self, row: int, fleet: Fleet) -> None:
        record, trust = self._records[row], fleet.trust
        by_prior = fleet.basis(row, record.trusted) == PRIOR
        if by_prior and fleet.served.fingerprint not in record.doubted:
            self._records.put(row, record.trusting(fleet.served.fingerprint))
        if trust.watched[row] and not self._site.open_kinds(row):
            trust.unwatch(row)

    def _doubt(self, row: int, fleet: Fleet) -> None:
        fleet.trust.unwatch(row)
        record = self._records[row].doubting(fleet.served.fingerprint)
        if fleet.provisional.pop(row, None) is not None:
            record = replace(record, learnt=None)
        self._records.put(row, record)
        self._lost.append(row)
        log.warning(
            "%s differs from its type: it was in alarm for what machines of the type explain; "
            "judged widely from now on, and not commissioned",
            record.turbine,
        )

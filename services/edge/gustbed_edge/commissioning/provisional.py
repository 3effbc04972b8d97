"""What a turbine that is not commissioned shows unasked: better to judge it by than by nothing."""

from gustbed_core.commissioning.messages import FACTORY, PRIOR
from gustbed_core.commissioning.period import FEWEST
from gustbed_edge.commissioning.fleet import Fleet
from gustbed_edge.commissioning.models import Models
from gustbed_edge.commissioning.periods import Periods, new_run
from gustbed_edge.commissioning.records import Records
from gustbed_edge.commissioning.rules import RefusedError, check_may_start
from gustbed_edge.commissioning.site import Site

MOST_DOUBLED = 4
"""From a quarter of an hour to four hours."""


class Provisional:
    """Used by the commissioner's thread alone.

    Begins a period of every turbine that is judged as widely as machines of its type differ, and of
    one that is trusted and had an event since; ends it once something better judges it. After one
    that was not normal the next takes twice as long: what was a fault then must not be what is
    learnt.
    """

    def __init__(
        self, site: Site, records: Records, periods: Periods, models: Models, seconds: float
    ) -> None:
        self._begun: dict[tuple[int, str], int] = {}
        """Periods so far, by row and model."""
        self._site = site
        self._records = records
        self._periods = periods
        self._models = models
        self._seconds = seconds

    def follow(self, now: float) -> None:
        """Begin and end periods. ``now`` is Unix seconds."""
        for row in range(len(self._records)):
            fleet = self._models.fleet_of(row)
            if fleet is None:
                continue
            record, wanted = self._records[row], self._wanted(row, fleet)
            if wanted and record.run is None and record.waiting is None:
                self._begin(row, fleet, now)
            elif not wanted:
                self._begun.pop((row, fleet.served.fingerprint), None)
                if record.unasked is not None:
                    self._periods.drop(row)

    def pauses(self, row: int) -> bool:
        """Whether nothing is learnt of a turbine now: while a trusted one is in alarm, that is
        either a fault or what it must not be judged by.
        """
        return self._records[row].unasked is not None and bool(self._site.open_kinds(row))

    def goes_on(self, row: int) -> bool:
        """Whether an event that opens ends nothing: the factory's measure saw it."""
        record, fleet = self._records[row], self._models.fleet_of(row)
        if record.unasked is None or fleet is None:
            return False
        return fleet.basis(row, record.trusted) == FACTORY

    def first(self, row: int, hours: float) -> bool:
        """Whether a turbine is yet to show for the first time what it is, in less than so many
        hours.
        """
        fleet = self._models.fleet_of(row)
        if fleet is None or not 0 < self._seconds < hours * 3600:
            return False
        record = self._records[row]
        if record.declared is not None or fleet.basis(row, record.trusted) != PRIOR:
            return False
        return record.run is not None or (row, fleet.served.fingerprint) not in self._begun

    def _wanted(self, row: int, fleet: Fleet) -> bool:
        if self._seconds <= 0:
            return False
        basis = fleet.basis(row, self._records[row].trusted)
        return basis == PRIOR or (basis == FACTORY and bool(fleet.trust.watched[row]))

    def _begin(self, row: int, fleet: Fleet, now: float) -> None:
        presence, served = self._site.look(row), fleet.served
        known = row, served.fingerprint
        begun = self._begun.get(known, 0)
        seconds = max(self._seconds * 2 ** min(begun, MOST_DOUBLED), FEWEST * presence.span)
        try:
            wanted = check_may_start(presence, served, self._site.open_kinds(row), seconds / 3600)
        except RefusedError:
            return
        run = new_run(served, seconds / 3600, wanted, now, accept=True, provisional=True)
        self._begun[known] = begun + 1
        self._periods.begin(row, fleet, run)

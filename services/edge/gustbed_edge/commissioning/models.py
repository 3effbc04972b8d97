"""Which models serve, and what becomes of a turbine's correction and period when one changes."""

import logging
from collections.abc import Callable
from dataclasses import replace

from gustbed_core.commissioning.correction import Correction
from gustbed_core.commissioning.period import correction_from_bytes
from gustbed_core.errors import GustbedError
from gustbed_edge.commissioning.belief import Belief
from gustbed_edge.commissioning.desk import Desk, Served
from gustbed_edge.commissioning.fleet import Fleet
from gustbed_edge.commissioning.periods import Periods, run_again
from gustbed_edge.commissioning.records import Kept, Records
from gustbed_edge.commissioning.rules import RefusedError, check_may_start
from gustbed_edge.commissioning.site import Site
from gustbed_edge.commissioning.trust import Patience

log = logging.getLogger(__name__)


class Models:
    """Used by the commissioner's thread alone.

    Coefficients belong to one model. Under another one the turbine is not commissioned; because an
    operator accepted a period of it before, one of the same length starts by itself as soon as it
    may. A model that comes back finds its corrections again.
    """

    def __init__(
        self,
        site: Site,
        desk: Desk,
        records: Records,
        periods: Periods,
        patience: Patience,
    ) -> None:
        self.fleets: dict[str, Fleet] = {}
        """Of models that can be commissioned, by turbine type."""
        self.served: dict[str, Served] = {}
        self.again: set[int] = set()
        """Rows whose period a new model starts anew as soon as that can be."""
        self._site = site
        self._desk = desk
        self._records = records
        self._periods = periods
        self._patience = patience
        self.belief = Belief(site, records, patience.alarm)

    def follow(self) -> None:
        """Take up the models that serve now."""
        served = dict(self._desk.served)
        for name in self.fleets.keys() - served.keys():
            del self.fleets[name]
        for name, model in served.items():
            if self.served.get(name) is not model:
                self._take_up(model)
        self.served = served

    def fleet_of(self, row: int) -> Fleet | None:
        """The turbines of its type; None if its model cannot be commissioned."""
        return self.fleets.get(self._site.look(row).turbine_type)

    def use_kept(self, row: int, fleet: Fleet) -> None:
        """Judge a turbine by the newest correction that belongs to a model, if there is one."""
        model = fleet.served.fingerprint
        kept, learnt = self._records[row].at_work(model), self._records[row].learnt
        if kept is not None:
            correction = self._read(row, kept, fleet)
            if correction is not None:
                fleet.correct(row, kept.info.version, correction)
                self.again.discard(row)
        elif learnt is not None and learnt.model == model and self._patience.unasked > 0:
            correction = self._read(row, learnt, fleet)
            if correction is not None:
                fleet.provisional[row] = learnt.info.version, correction

    def begin_again(self, now: float, later: Callable[[int, float], bool]) -> None:
        """Start the periods that a new model asks for, of turbines that may have one now. Of rows
        that something shorter comes first for, they wait: ``later`` says so by row and hours.
        """
        for row in sorted(self.again):
            record = self._records[row]
            hours = record.declared.hours if record.declared else record.redo
            if self._periods.declared(row) or not hours:
                self.again.discard(row)
                continue
            if later(row, hours):
                continue
            presence = self._site.look(row)
            served = self.served.get(presence.turbine_type)
            try:
                wanted = check_may_start(presence, served, self._site.open_kinds(row), hours)
            except RefusedError as refused:
                self._wait(row, refused)
                continue
            if served is not None:
                run = run_again(record, served, hours, wanted, now)
                self._periods.begin(row, self.fleets[served.turbine_type], run)
                self._records.change(row, note="the model changed: a new period runs")
            self.again.discard(row)

    def _read(self, row: int, kept: Kept, fleet: Fleet) -> Correction | None:
        """A correction from disk; one that is spoilt is dropped."""
        try:
            return correction_from_bytes(kept.data, fleet.population)
        except GustbedError as error:
            record = self._records[row]
            log.error("%s is not commissioned: %s", record.turbine, error)  # noqa: TRY400
            rest = tuple(each for each in record.kept if each is not kept)
            learnt = None if record.learnt is kept else record.learnt
            self._records.put(row, replace(record, kept=rest, learnt=learnt))
            return None

    def _wait(self, row: int, refused: RefusedError) -> None:
        if refused.reason in ("no_population", "too_short"):
            self.again.discard(row)
            self._periods.refuse(row, f"the model changed: {refused}")
        else:
            note = f"the model changed: a new period waits, because {refused.what}"
            self._records.change(row, note=note)

    def _take_up(self, served: Served) -> None:
        """Judge a type by another model: with the corrections that belong to it, if any."""
        fleet = None
        self.fleets.pop(served.turbine_type, None)
        if served.population is not None:
            turbines = len(self._site.turbines)
            fleet = Fleet(served, served.population, turbines, self._patience)
            self.fleets[served.turbine_type] = fleet
        for row in range(len(self._records)):
            if fleet is not None:
                self.use_kept(row, fleet)
            self._carry_over(row, served)
            if fleet is not None:
                self._periods.resume(row, fleet)
        if fleet is not None:
            self.belief.resume(fleet)

    def _carry_over(self, row: int, served: Served) -> None:
        name, model = served.turbine_type, served.fingerprint
        waiting, run = self._records[row].waiting, self._records[row].run
        if waiting and waiting.turbine_type == name and waiting.model != model:
            self._records.change(row, waiting=None, note="the model changed: start again")
        if run and run.turbine_type == name and run.model != model:
            self._periods.leave(row)
            if run.provisional:
                self._records.change(row, run=None)
            else:
                self.again.add(row)
        record = self._records[row]
        last = record.kept[-1].turbine_type if record.kept else ""
        at_work = record.at_work(model) is not None
        if record.redo and last == name and not at_work and record.given_up != model:
            self.again.add(row)

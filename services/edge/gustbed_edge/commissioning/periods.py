"""The periods that run: from verdicts to a correction, or to the reason why there is none."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from gustbed_core.commissioning.correction import Correction, added
from gustbed_core.commissioning.explain import largest_shifts, wider
from gustbed_core.commissioning.messages import CorrectionInfo
from gustbed_core.commissioning.normality import NotNormalError
from gustbed_core.commissioning.period import Period, correction_to_bytes
from gustbed_core.errors import GustbedError
from gustbed_core.package import sha256
from gustbed_edge.commissioning.desk import Observation, Served
from gustbed_edge.commissioning.fleet import Fleet
from gustbed_edge.commissioning.learner import SAVE_SECONDS, Learner
from gustbed_edge.commissioning.records import Kept, Record, Records, Run
from gustbed_edge.commissioning.rules import PATIENCE
from gustbed_edge.commissioning.store import Store

log = logging.getLogger(__name__)

SAVED_AT_ONCE = 16
"""Periods written in a turn: those of a whole fleet come due together."""
_FROM_NOTHING = "the edge restarted before anything of its period was on disk: it begins anew"


class Periods:
    """Used by the commissioner's thread alone; ``learners`` by row may be read by others."""

    def __init__(self, records: Records, store: Store, clock: Callable[[], float]) -> None:
        self.learners: dict[int, Learner] = {}
        self._records = records
        self._store = store
        self._clock = clock
        self._ended: set[int] = set()
        """Rows whose file is no longer wanted once their record says so too."""

    def begin(self, row: int, fleet: Fleet, run: Run) -> None:
        """Start a period. Raises ``GustbedError`` for one that is too short."""
        learner = Learner(run, _empty(run, fleet))
        # So that the periods of a fleet are not written all at once.
        learner.saved = -int(row % SAVE_SECONDS / run.span)
        self.learners[row] = learner
        self._records.change(row, run=run)
        if not run.provisional:
            self._records.change(row, waiting=None, refused="", note="")

    def resume(self, row: int, fleet: Fleet) -> None:
        """Go on with a turbine's run, as the last stop left it."""
        record = self._records[row]
        run = record.run
        if run is None or row in self.learners or run.model != fleet.served.fingerprint:
            return
        try:
            period = self._saved(record.turbine, run, fleet)
        except GustbedError as error:
            log.error("%s: %s", record.turbine, error)  # noqa: TRY400 - the line says it all
            self.refuse(row, "what its period had seen cannot be read: start a new one")
            return
        if period is None and not run.provisional:
            self._records.change(row, note=_FROM_NOTHING)
        known = period or _empty(run, fleet)
        self.learners[row] = Learner(run, known, known.count)

    def take(
        self, observation: Observation, fleet: Fleet, pauses: Callable[[int], bool]
    ) -> Iterator[int]:
        """Learn from what was seen, but of rows that pause; yields after each turbine that took its
        time.
        """
        rows = observation.learners
        if not len(rows):
            return
        order = np.argsort(rows, kind="stable")
        starts = np.flatnonzero(np.diff(rows[order])) + 1
        for places in np.split(order, starts):
            row = int(rows[places[0]])
            learner = self.learners.get(row)
            if learner is None or learner.run.model != observation.fingerprint or pauses(row):
                continue
            if learner.take(observation.terms.of(places)):
                self._add(row, learner, fleet)
                yield row

    def refuse(self, row: int, why: str) -> None:
        """End a turbine's period without a result."""
        record = self._records[row]
        if record.declared is None:
            log.info("%s shows nothing normal unasked: %s", record.turbine, why)
        else:
            log.warning("commissioning of %s refused: %s", record.turbine, why)
        self._end(row, why)

    def leave(self, row: int) -> None:
        """Forget what a turbine's period has seen; its run is to begin anew."""
        self.learners.pop(row, None)
        self._store.drop_period(self._records[row].turbine)

    def cancel(self, row: int) -> None:
        """End a turbine's period, or what waits for acceptance, because somebody wants it."""
        self._end(row, "")
        self._records.change(row, waiting=None)

    def drop(self, row: int) -> None:
        """End what a turbine shows unasked: it is judged by something better now."""
        self._end(row, "")

    def declared(self, row: int) -> bool:
        """Whether a period of a turbine runs that somebody asked for."""
        return row in self.learners and not self.learners[row].run.provisional

    def expire(self) -> None:
        """End the periods whose turbines said too little."""
        now = self._clock()
        for row, learner in list(self.learners.items()):
            run = learner.run
            if now - run.started > PATIENCE * run.hours * 3600:
                seen = round(100 * learner.progress)
                self.refuse(
                    row,
                    f"its telemetry gave {seen} % of the wanted verdicts in {PATIENCE:g} times the "
                    "time: see to its connection, then start again",
                )

    def save(self, *, all_of_them: bool = False) -> None:
        """Write the periods that are due."""
        due = [row for row, each in self.learners.items() if all_of_them or each.due]
        for row in due if all_of_them else due[:SAVED_AT_ONCE]:
            learner = self.learners[row]
            turbine = self._records[row].turbine
            if not self._store.save_period(turbine, learner.run.id, learner.period):
                return
            learner.saved = learner.period.count

    def sweep(self) -> None:
        """Drop what ended periods had seen, if that they ended is on disk: before, a restart
        would have to begin them anew.
        """
        for row in self._ended - self._records.unsaved():
            self._ended.discard(row)
            if row not in self.learners:
                self._store.drop_period(self._records[row].turbine)

    def _end(self, row: int, why: str) -> None:
        record = self._records[row]
        self.learners.pop(row, None)
        if record.unasked is not None:
            note = f"what it showed unasked was not normal: {why}" if why else ""
            self._records.put(row, replace(record, run=None, note=note))
        else:
            given_up = record.run.model if record.run and record.run.again else record.given_up
            ended = replace(record, run=None, refused=why, given_up=given_up, note="")
            self._records.put(row, ended)
        self._ended.add(row)

    def _saved(self, turbine: str, run: Run, fleet: Fleet) -> Period | None:
        period = self._store.period(turbine, run.id)
        if period is None or _fits(period, fleet):
            return period
        raise GustbedError("the period on disk is of another model")

    def _add(self, row: int, learner: Learner, fleet: Fleet) -> None:
        try:
            learner.add(fleet.population, fleet.served.signs)
        except NotNormalError as error:
            self.refuse(row, str(error))
            return
        except np.linalg.LinAlgError as error:
            self.refuse(row, f"nothing can be fitted to it ({error}): look at its sensors")
            return
        if learner.period.done:
            self._finish(row, learner, fleet)

    def _finish(self, row: int, learner: Learner, fleet: Fleet) -> None:
        record, run = self._records[row], learner.run
        correction = learner.period.result()
        data = correction_to_bytes(correction)
        made, sort = record.made + 1, "p" if run.provisional else "c"
        info = _info(f"{sort}{made}.{sha256(data)[:8]}", self._clock(), learner, correction, fleet)
        kept = Kept(run.turbine_type, run.model, info, data)
        record = replace(record, made=made, run=None, note="")
        if run.provisional:
            fleet.learn(row, info.version, correction)
            if record.trusted == run.model:
                record = record.doubting(run.model)
            self._records.put(row, replace(record, learnt=kept))
        elif run.accept:
            fleet.correct(row, info.version, correction)
            self._records.put(row, record.accepted(kept))
        else:
            self._records.put(row, replace(record, waiting=kept))
        log.info("%s: correction %s of %s", record.turbine, info.version, info.model)
        del self.learners[row]
        self._ended.add(row)


def new_run(
    served: Served, hours: float, wanted: int, now: float, *, accept: bool,
    provisional: bool = False,
) -> Run:  # fmt: skip
    """A run that begins now."""
    span = hours * 3600 / wanted
    return Run(
        served.turbine_type, served.fingerprint, hours, wanted, now, span, accept,
        provisional=provisional,
    )  # fmt: skip


def run_again(record: Record, served: Served, hours: float, wanted: int, now: float) -> Run:
    """A run that a new model asks for, accepted by itself as the one before was by a person."""
    before = record.run
    accept = before.accept if before is not None else True
    return replace(new_run(served, hours, wanted, now, accept=accept), again=True)


def _empty(run: Run, fleet: Fleet) -> Period:
    return Period.begin(fleet.population, run.wanted, provisional=run.provisional)


def _info(
    version: str, now: float, learner: Learner, correction: Correction, fleet: Fleet
) -> CorrectionInfo:
    served, period = fleet.served, learner.period
    features = served.signs.features
    return CorrectionInfo(
        version,
        f"{served.model.name} {served.model.version}",
        now,
        learner.run.hours,
        period.blocks,
        largest_shifts(fleet.population, correction, added(period.segments), features),
        wider(correction, features),
    )


def _fits(period: Period, fleet: Fleet) -> bool:
    shape = fleet.population.covariance.shape
    return all(segment.moment.shape == shape for segment in period.segments)

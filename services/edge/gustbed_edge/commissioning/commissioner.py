"""The thread that learns from normal periods, decides what turbines are judged by, and keeps it."""

import logging
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from gustbed_core.commissioning.messages import (
    PRIOR,
    PROVISIONAL,
    CommissionAck,
    CommissionCommand,
    CommissioningInfo,
    CommissioningState,
    Refusal,
    decode_commission,
)
from gustbed_core.commissioning.period import correction_from_bytes
from gustbed_core.errors import PayloadError
from gustbed_core.worker import Worker
from gustbed_edge.commissioning.desk import Desk
from gustbed_edge.commissioning.fleet import Fleet
from gustbed_edge.commissioning.models import Models
from gustbed_edge.commissioning.periods import Periods, new_run
from gustbed_edge.commissioning.provisional import Provisional
from gustbed_edge.commissioning.records import Record, Records
from gustbed_edge.commissioning.rules import (
    RefusedError,
    check_command,
    check_may_start,
    started_already,
)
from gustbed_edge.commissioning.site import Site
from gustbed_edge.commissioning.store import Store
from gustbed_edge.commissioning.trust import Patience

log = logging.getLogger(__name__)

TURN_SECONDS = 0.5
GIVE_WAY_SECONDS = 0.0005
"""After each turbine: verdicts of others must not wait for it."""
MAX_ANSWERS = 100
"""That are remembered, for commands that come twice."""
MAX_REFUSALS = 100
"""In one answer."""


class Commissioner(Worker):
    """One for all turbines. Everything is this thread's own; what others read is replaced whole."""

    def __init__(
        self,
        site: Site,
        desk: Desk,
        store: Store,
        *,
        patience: Patience,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__("commissioner")
        self.states: tuple[CommissioningState | None, ...] = (None,) * len(site.turbines)
        """How each turbine stands, by row."""
        self._site = site
        self._desk = desk
        self._store = store
        self._clock = clock
        self._records = Records(store.record(turbine) for turbine in site.turbines)
        self._periods = Periods(self._records, store, clock)
        self._models = Models(site, desk, self._records, self._periods, patience)
        self._provisional = Provisional(
            site, self._records, self._periods, self._models, patience.unasked
        )
        self._requests: deque[CommissionCommand] = deque()
        self._answered: OrderedDict[str, CommissionAck] = OrderedDict()
        self._judged: dict[str, object] = {}
        """What the standings of each type were made of."""

    def receive(self, topic: str, payload: bytes) -> None:
        """Take a command from the site broker; called by its thread."""
        try:
            command = decode_commission(payload)
            check_command(command, waiting=len(self._requests))
        except PayloadError as error:
            self._site.reject(topic, payload, error)
            return
        self._requests.append(command)
        self.wake()

    def turn(self) -> float:
        """Follow models and events, learn, answer, keep, and say how turbines are judged."""
        self._models.follow()
        self._heed_events()
        for _ in self._learn():
            if self._requests:
                self._answer()
            if not self.stopping:
                self.pause(GIVE_WAY_SECONDS)
        self._periods.expire()
        self._models.begin_again(self._clock(), self._provisional.first)
        self._provisional.follow(self._clock())
        self._answer()
        self._periods.save()
        self._publish()
        return TURN_SECONDS

    def finish(self) -> None:
        """Learn from what was seen last, and keep it."""
        self._heed_events()
        for _ in self._learn():
            continue
        self._save()
        self._periods.save(all_of_them=True)
        lost = ", ".join(self._records[row].turbine for row in sorted(self._records.unsaved()))
        if lost:
            log.error("stopped before the disk took the commissioning of %s: it is as before", lost)

    @property
    def turbines(self) -> Sequence[str]:
        """Names, in the order of ``states``."""
        return self._site.turbines

    @property
    def left_out(self) -> int:
        """Windows that nobody learnt from."""
        return self._desk.left_out

    def infos(self) -> list[CommissioningInfo]:
        """Everything about every turbine, for people. May be called by any thread."""
        states = self.states
        return [self._info(row, state) for row, state in enumerate(states)]

    def corrections(self, turbine_type: str) -> dict[str, str]:
        """The versions of the corrections that were declared normal and are at work, by turbine.
        May be called by any thread.
        """
        standing = self._desk.standings.get(turbine_type)
        if standing is None:
            return {}
        return {
            turbine: version
            for turbine, version, place in zip(
                self._site.turbines, standing.versions, standing.place.tolist(), strict=True
            )
            if place > 0 and version != PROVISIONAL
        }

    def _info(self, row: int, state: CommissioningState | None) -> CommissioningInfo:
        record = self._records[row]
        waiting = record.waiting.info if record.waiting else None
        known = [each.info for each in reversed(record.kept)]
        learnt = [record.learnt.info] if record.learnt else []
        version = state.version if state else ""
        mine = next((each for each in known + learnt if each.version == version), None)
        earlier = [each for each in known if each is not mine]
        return CommissioningInfo(record.turbine, state, mine, waiting, earlier)

    # Periods

    def _heed_events(self) -> None:
        while self._desk.opened:
            row, kind = self._desk.opened.popleft()
            fleet = self._models.fleet_of(row)
            if fleet is not None:
                self._models.belief.alarmed(row, fleet)
            if row in self._periods.learners and not self._provisional.goes_on(row):
                self._periods.refuse(
                    row, f"an event opened: {kind}; mend it, and start once it has closed"
                )

    def _learn(self) -> Iterator[int]:
        while (observation := self._desk.take()) is not None:
            fleet = self._models.fleets.get(observation.turbine_type)
            if fleet is None or fleet.served.fingerprint != observation.fingerprint:
                continue
            self._models.belief.take(observation, fleet, self._periods.declared)
            yield from self._periods.take(observation, fleet, self._provisional.pauses)

    # Commands

    def _answer(self) -> None:
        while self._requests:
            command = self._requests.popleft()
            answer = self._answered.get(command.id)
            if answer is None:
                answer = self._obeyed(command)
                self._answered[command.id] = answer
                if len(self._answered) > MAX_ANSWERS:
                    self._answered.popitem(last=False)
            self._site.answer(answer)

    def _obeyed(self, command: CommissionCommand) -> CommissionAck:
        """Do it, keep it, and say of whom it could not be kept."""
        answer = self._obey(command)
        self._publish()
        unsaved = {self._site.turbines[row] for row in self._records.unsaved()}
        return replace(answer, unsaved=[name for name in answer.done if name in unsaved])

    def _obey(self, command: CommissionCommand) -> CommissionAck:
        rows = {turbine: row for row, turbine in enumerate(self._site.turbines)}
        done, refused = [], []
        for turbine in dict.fromkeys(command.turbines) or self._meant(command):
            try:
                self._act(rows.get(turbine), command)
            except RefusedError as error:
                refused.append(error.of(turbine))
            else:
                done.append(turbine)
        if not done and not refused:
            refused.append(Refusal("", "nothing", f"nothing to {command.action}", _WHY_NOTHING))
        more = max(0, len(refused) - MAX_REFUSALS)
        return CommissionAck(command.id, done, refused[:MAX_REFUSALS], more)

    def _meant(self, command: CommissionCommand) -> list[str]:
        """All turbines that an action can be for."""
        applies: dict[str, Callable[[int], bool]] = {
            "start": lambda _row: True,
            "accept": lambda row: self._records[row].waiting is not None,
            "undo": lambda row: self._own_of(row) is not None,
            "cancel": lambda row: self._cancels(self._records[row]),
        }
        wanted = applies[command.action]
        return [name for row, name in enumerate(self._site.turbines) if wanted(row)]

    def _act(self, row: int | None, command: CommissionCommand) -> None:
        if row is None:
            raise RefusedError("unknown_turbine", "no such turbine", "see `gustbed status`")
        if command.action == "start":
            self._start(row, command)
        elif command.action == "accept":
            self._accept(row)
        elif command.action == "undo":
            self._undo(row)
        elif self._cancels(self._records[row]):
            self._models.again.discard(row)
            self._periods.cancel(row)
        else:
            raise RefusedError("not_running", "no period runs or waits", _WHY_NOTHING)

    def _cancels(self, record: Record) -> bool:
        return record.declared is not None or record.waiting is not None

    def _start(self, row: int, command: CommissionCommand) -> None:
        already = started_already(self._records[row])
        if already is not None:
            raise already
        presence = self._site.look(row)
        served = self._models.served.get(presence.turbine_type)
        kinds = self._site.open_kinds(row)
        wanted = check_may_start(presence, served, kinds, command.hours)
        if served is None:
            return
        run = new_run(served, command.hours, wanted, self._clock(), accept=command.accept)
        self._models.again.discard(row)
        self._periods.begin(row, self._models.fleets[served.turbine_type], run)

    def _accept(self, row: int) -> None:
        record = self._records[row]
        waiting = record.waiting
        if waiting is None:
            raise RefusedError("not_ready", "no finished period waits", _WHY_NOTHING)
        fleet = self._models.fleets.get(waiting.turbine_type)
        if fleet is None or fleet.served.fingerprint != waiting.model:
            raise RefusedError("no_model", "its model does not serve now", "start again")
        correction = correction_from_bytes(waiting.data, fleet.population)
        fleet.correct(row, waiting.info.version, correction)
        self._records.put(row, record.accepted(waiting))

    def _own_of(self, row: int) -> Fleet | None:
        """The fleet in which a turbine is judged by a correction of its own."""
        fleet = self._models.fleet_of(row)
        return fleet if fleet is not None and row in fleet.own else None

    def _undo(self, row: int) -> None:
        fleet = self._own_of(row)
        if fleet is None:
            raise RefusedError("nothing", "no correction is at work", _WHY_NOTHING)
        del fleet.own[row]
        self._records.put(row, self._records[row].undone(fleet.served.fingerprint))
        self._models.use_kept(row, fleet)
        if self._site.open_kinds(row):
            self._models.belief.alarmed(row, fleet)

    # What others see

    def _save(self) -> None:
        self._records.save(self._store.save)
        self._periods.sweep()

    def _publish(self) -> None:
        self._save()
        records = [self._records[row] for row in range(len(self._records))]
        trusted = {row: record.trusted for row, record in enumerate(records)}
        for name, fleet in self._models.fleets.items():
            model = fleet.served.fingerprint
            learning = frozenset(
                row for row, each in self._periods.learners.items() if each.run.model == model
            )
            calm = frozenset(row for row, of in trusted.items() if of == model)
            doubted = frozenset(row for row, each in enumerate(records) if model in each.doubted)
            watched = fleet.trust.watched.tobytes()
            made_of = model, learning, calm, doubted, watched, fleet.versions()
            if self._judged.get(name) != made_of:
                self._desk.standings[name] = fleet.standing(trusted, doubted, learning)
                self._judged[name] = made_of
        # Only now: else their events would open again by what judged them before.
        self._desk.taken_back.extend(self._models.belief.take_lost())
        self.states = tuple(self._state(row) for row in range(len(self._records)))

    def _state(self, row: int) -> CommissioningState | None:
        fleet = self._models.fleet_of(row)
        if fleet is None:
            return None
        record, learner = self._records[row], self._periods.learners.get(row)
        basis = fleet.basis(row, record.trusted)
        shown = None if learner is None else round(learner.progress, 3)
        asked = self._periods.declared(row)
        return CommissioningState(
            basis,
            fleet.version(row, basis),
            shown if asked else None,
            record.waiting is not None,
            record.refused,
            record.note,
            differs=basis == PRIOR and fleet.served.fingerprint in record.doubted,
            learning=None if asked else shown,
        )


_WHY_NOTHING = "see `gustbed commission status`"

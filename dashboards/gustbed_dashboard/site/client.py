"""The live state of a site: one MQTT session for every viewer, kept up in the background."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from gustbed_core import topics
from gustbed_core.codec import encode
from gustbed_core.commands import Command
from gustbed_core.commissioning.messages import CommissionCommand
from gustbed_core.edge_http import ModelInfo
from gustbed_core.errors import GustbedError
from gustbed_core.events import ModelRef
from gustbed_core.mqtt import Live, Message, Session
from gustbed_core.settings import MqttSettings, SiteSettings
from gustbed_core.turbine_types import load_types
from gustbed_core.worker import Worker
from gustbed_dashboard.site.edge_client import EDGE_NAMED, EdgeClient
from gustbed_dashboard.site.glance import Glance, glance
from gustbed_dashboard.site.load import Load
from gustbed_dashboard.site.mirror_log import MirrorHistory
from gustbed_dashboard.site.signals import SignalHistory, signal_history
from gustbed_dashboard.site.snapshot import SiteSnapshot, take
from gustbed_dashboard.site.state import SiteState
from gustbed_dashboard.site.turbine_buffers import Heard, Scores, TurbineBuffers
from gustbed_dashboard.site.type_catalog import TypeCatalog

USER = "operator"
RETRY_SECONDS = 2.0
HISTORY_SECONDS = 24 * 3600.0
ASK_EVERY = 10.0
_SNAPSHOT_SECONDS = 0.2

OpenSession = Callable[[Mapping[str, Live]], Session]


class SiteClient(Worker):
    """Folds the site's messages under a lock and hands out snapshots. Every method is quick.

    ``open_session`` makes an unstarted session from subscriptions; it may raise ``GustbedError``
    as the ``edge`` may, and is tried again.
    """

    def __init__(
        self,
        site: SiteSettings,
        open_session: OpenSession,
        edge: EdgeClient,
        types: TypeCatalog,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__("gustbed-site-client")
        self._site = site.site
        self._state = SiteState(site.site, site.turbine_ids, types)
        self._lock = threading.Lock()
        self._open_session = open_session
        self._edge = edge
        self._models: dict[ModelRef, ModelInfo] = {}
        self._clock = clock
        self._session: Session | None = None
        self._refusal: GustbedError | None = None
        self._history_problem: str | None = None
        self._snapshot: SiteSnapshot | None = None
        self._next_question = 0.0
        self._load = Load()

    def turn(self) -> float:
        """Connect to the broker if need be, and ask the edge from time to time."""
        self._load.look()
        if self._session is None:
            self._connect()
        if time.monotonic() >= self._next_question:
            self._ask_edge()
            self._next_question = time.monotonic() + ASK_EVERY
        return RETRY_SECONDS

    def finish(self) -> None:
        """Leave the broker."""
        if self._session is not None:
            self._session.stop()

    def snapshot(self) -> SiteSnapshot:
        """The site now; viewers within a fraction of a second share one."""
        broker = self._broker_problem()
        with self._lock:
            now = self._clock()
            last = self._snapshot
            if last is None or last.broker != broker or now - last.now > _SNAPSHOT_SECONDS:
                self._snapshot = last = take(self._state, now, broker, self._load.share)
            return last

    def glance(self) -> Glance:
        """The site in a word; cheap enough to ask every site each time."""
        broker = self._broker_problem()
        with self._lock:
            return glance(self._state, self._clock(), heard=broker is None)

    def signals(self, turbine: str, seconds: float) -> SignalHistory:
        """A turbine's signals over the last ``seconds`` (at most ``KEPT_SECONDS``)."""
        with self._lock:
            now = self._clock()
            buffers = self._state.turbines.get(turbine) or TurbineBuffers()
            buffers.watch(now)
            times, columns = buffers.signals.since(now - seconds)
            turbine_type = buffers.turbine_type or self._state.types.get("")
            live = buffers.hears(now) is Heard.LIVE
        return replace(signal_history(turbine_type, times, columns, now), live=live)

    def scores(self, turbine: str, seconds: float) -> Scores:
        """What the serving model said of a turbine over the last ``seconds``."""
        with self._lock:
            now = self._clock()
            buffers = self._state.turbines.get(turbine) or TurbineBuffers()
            buffers.watch(now)
            return buffers.scores(now - seconds, now)

    def shadow_scores(self, turbine: str, seconds: float) -> Scores:
        """What the model in shadow said of it."""
        with self._lock:
            now = self._clock()
            buffers = self._state.turbines.get(turbine) or TurbineBuffers()
            buffers.watch(now)
            return buffers.shadow_scores(now - seconds, now)

    def mirror(self, turbine: str) -> MirrorHistory | None:
        """What the mirror beside a turbine said lately, None if there is none."""
        with self._lock:
            buffers = self._state.turbines.get(turbine)
            return buffers.mirror.history(self._clock()) if buffers is not None else None

    def model_info(self, model: ModelRef) -> ModelInfo | None:
        """What the edge told of a model that it runs, None if it has not."""
        return self._models.get(model)

    def history_problem(self) -> str | None:
        """Why the edge's event history cannot be read, None while it can."""
        return self._history_problem

    def send(self, turbine: str, command: Command) -> None:
        """Publish a command. Raises ``GustbedError`` when the broker would not get it now."""
        problem = self._broker_problem()
        if problem is not None or self._session is None:
            raise GustbedError(problem or "site broker: not connected")
        message = Message(topics.command(self._site, turbine), encode(command))
        if not self._session.publish(message):
            raise GustbedError(f"command to {turbine}: not sent", "try again in a moment")
        with self._lock:
            self._state.commands.add(turbine, command, self._clock())
            self._snapshot = None

    def commission(self, command: CommissionCommand) -> None:
        """Ask the edge. Raises ``GustbedError`` when the broker would not get it now."""
        problem = self._broker_problem()
        if problem is not None or self._session is None:
            raise GustbedError(problem or "site broker: not connected")
        with self._lock:
            # Before it is sent, so that no answer can be there first.
            self._state.commissioning.add(command)
            self._snapshot = None
        if not self._session.publish(Message(topics.commission(self._site), encode(command))):
            raise GustbedError("the command to the edge: not sent", "try again in a moment")

    def _broker_problem(self) -> str | None:
        if self._session is None:
            return str(self._refusal) if self._refusal else "site broker: connecting…"
        try:
            self._session.wait_connected(0)
        except GustbedError as error:
            return str(error)
        return None

    def _receive(self, topic: str, payload: bytes) -> None:
        with self._lock:
            self._state.fold(topic, payload, self._clock())

    def _receive_retained(self, topic: str, payload: bytes) -> None:
        with self._lock:
            self._state.fold(topic, payload, self._clock(), retained=True)

    def _connect(self) -> None:
        live = Live(self._receive, self._receive_retained)
        try:
            session = self._open_session({f"{topics.ROOT}/{self._site}/#": live})
        except GustbedError as error:
            self._refusal = error
            return
        session.start()
        self._session = session

    def _ask_edge(self) -> None:
        asked = self._clock()
        try:
            events = self._edge.events(asked - HISTORY_SECONDS)
            models = self._edge.models()
        except GustbedError as error:
            self._history_problem = str(error)
            return
        self._history_problem = None
        self._models = {info.model: info for info in models}
        with self._lock:
            self._state.events.reconcile(events, asked)


def make_site_client(
    site: SiteSettings, mqtt: MqttSettings, edge_url: str, named: str = EDGE_NAMED
) -> SiteClient:
    """A client on the site's broker and the edge's HTTP interface; not started yet.

    ``named`` says what names the edge's address. Raises ``GustbedError`` for a wrong file of a
    turbine type.
    """

    def open_session(subscriptions: Mapping[str, Live]) -> Session:
        # At most once: to acknowledge every block of a large site costs more than to read it.
        return Session(mqtt, user=USER, subscriptions=subscriptions, qos=0)

    types = TypeCatalog(load_types(site.types_dir))
    return SiteClient(site, open_session, EdgeClient(edge_url, named), types)

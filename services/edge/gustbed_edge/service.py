"""Wires the edge gateway together and runs it until told to stop."""

import fcntl
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from gustbed_edge.enrolment import Enrolment
from gustbed_edge.events import EventTracker, Site
from gustbed_edge.health import HealthServer, Views
from gustbed_edge.ingest import Ingest, check_size
from gustbed_edge.intake import Intake
from gustbed_edge.legacy import LegacyReader
from gustbed_edge.models import ModelStore, load_serving
from gustbed_edge.outbox import Outbox
from gustbed_edge.pipeline import Pipeline
from gustbed_edge.quarantine import Quarantine
from gustbed_edge.recorder import Recorder
from gustbed_edge.report import Reporter
from gustbed_edge.scoring import Scorer
from gustbed_edge.settings import EdgeSettings
from gustbed_protocol import codec, topics
from gustbed_protocol.errors import GustbedError, PayloadError
from gustbed_protocol.events import AnomalyEvent, ServiceState
from gustbed_protocol.mqtt import Message, Session
from gustbed_protocol.settings import MqttSettings, SiteSettings

log = logging.getLogger(__name__)

SERVICE = "edge"
USER = "edge"
HEARTBEAT_SECONDS = 1.0


class Edge:
    """One edge gateway. ``run`` blocks; ``http_port`` is known once ``ready`` is set."""

    def __init__(self, site: SiteSettings, mqtt: MqttSettings, settings: EdgeSettings) -> None:
        self.ready = threading.Event()
        self.http_port = 0
        self._site = site
        self._mqtt = mqtt
        self._settings = settings

    def run(self, stop: threading.Event) -> None:
        """Serve until ``stop`` is set. Raises ``GustbedError`` if something needs a person."""
        settings = self._settings
        with ExitStack() as stack:
            stack.enter_context(_sole_owner(settings.data_dir))
            outbox = self._outbox()
            stack.callback(outbox.close)
            quarantine = Quarantine(settings.data_dir)
            intake = Intake(settings.queue_limit)
            session = self._session(intake, quarantine)
            recorder = Recorder(outbox, lambda event: self._announce(session, event))
            scorer = self._scorer(outbox, recorder, quarantine)
            pipeline = Pipeline(
                self._site.site,
                intake,
                scorer,
                recorder,
                session.publish,
                turbines=self._site.turbine_ids,
                grace=settings.grace,
                telemetry_interval=settings.telemetry_interval,
            )
            reporter = Reporter(
                site=self._site,
                scorer=scorer,
                pipeline=pipeline,
                intake=intake,
                outbox=outbox,
                quarantine=quarantine,
                site_connected=lambda: session.connected,
                cloud_connected=lambda: False,
                update=lambda: None,
            )
            views = Views(reporter.reasons, reporter.status, outbox.events_since, reporter.metrics)
            http = HealthServer(settings.http_host, settings.http_port, views)
            self.http_port = http.port

            http.start()
            stack.callback(http.stop)
            session.start()
            stack.callback(lambda: session.stop(self._state("offline")))
            recorder.start()
            stack.callback(recorder.stop)
            pipeline.start()
            stack.callback(pipeline.stop)
            self.ready.set()
            log.info("edge %s runs, http port %d", self._site.thing, http.port)
            while not stop.wait(HEARTBEAT_SECONDS):
                heartbeat = codec.encode(reporter.heartbeat())
                topic = topics.heartbeat(self._site.site)
                # At QoS 1 old heartbeats would queue up while the broker is away.
                session.publish(Message(topic, heartbeat, qos=0, retain=True))
            log.info("stopping")

    def _outbox(self) -> Outbox:
        settings = self._settings
        return Outbox(
            settings.data_dir,
            max_bytes=settings.outbox_max_bytes,
            max_rows=settings.outbox_max_rows,
            events_kept=settings.events_kept,
        )

    def _session(self, intake: Intake, quarantine: Quarantine) -> Session:
        def receive(topic: str, payload: bytes) -> None:
            try:
                check_size(payload)
            except PayloadError as error:
                quarantine.reject(topic, payload, error)
            else:
                intake.put(topic, payload)

        site = self._site.site
        subscriptions = {topics.every("telemetry", site): receive}
        if self._settings.legacy_turbine is not None:
            subscriptions[topics.LEGACY_RAW] = receive
        return Session(
            self._mqtt,
            user=USER,
            client_id=f"gustbed-edge-{site}",
            subscriptions=subscriptions,
            will=self._state("offline"),
            births=lambda: [self._state("online")],
        )

    def _scorer(self, outbox: Outbox, recorder: Recorder, quarantine: Quarantine) -> Scorer:
        site, settings = self._site, self._settings
        tracker = EventTracker(
            Site(site.site, site.thing, site.turbine_ids),
            open_after=settings.open_after,
            close_after=settings.close_after,
        )
        recorder.events(tracker.resume(outbox.open_events()))
        ingest = Ingest(site.site, site.turbine_ids, max_clock_ahead=settings.max_clock_ahead)
        scorer = Scorer(
            site.turbine_ids,
            ingest,
            tracker,
            quarantine,
            legacy=self._legacy(),
            silent_after=settings.silent_after,
        )
        enrolment = Enrolment(settings.enrol_dir / site.thing)
        store = ModelStore(settings.data_dir / "models")
        loaded = load_serving(store, enrolment.signing_keys(), settings.factory_dir)
        if loaded is not None:
            scorer.serve(loaded.detector)
            log.info("serving model %s %s", loaded.release.name, loaded.release.version)
        return scorer

    def _legacy(self) -> LegacyReader | None:
        turbine = self._settings.legacy_turbine
        if turbine is None:
            return None
        if turbine not in self._site.turbine_ids:
            raise GustbedError(
                f"GUSTBED_EDGE_LEGACY_TURBINE={turbine}",
                f"choose one of {self._site.turbine_ids[0]} … {self._site.turbine_ids[-1]}",
            )
        return LegacyReader(turbine)

    def _state(self, state: str) -> Message:
        online = state == "online"
        payload = ServiceState(SERVICE, "online" if online else "offline", time.time())
        topic = topics.state(self._site.site, SERVICE)
        return Message(topic, codec.encode(payload), qos=1, retain=True)

    def _announce(self, session: Session, event: AnomalyEvent) -> None:
        log.log(
            logging.INFO if event.change == "updated" else logging.WARNING,
            "%s on %s %s, peak score %.2f",
            event.kind,
            event.turbine,
            event.change,
            event.peak_score,
        )
        topic = topics.event(self._site.site, event.turbine)
        session.publish(Message(topic, codec.encode(event), qos=1))


@contextmanager
def _sole_owner(folder: Path) -> Iterator[None]:
    """Hold the data folder: two edges on one store would undo each other's work."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise GustbedError(
            f"{folder}: {error.strerror}", "set GUSTBED_EDGE_DATA_DIR to a folder that is yours"
        ) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise GustbedError(
            f"{folder}: another edge uses it", "stop it, or set GUSTBED_EDGE_DATA_DIR"
        ) from error
    finally:
        os.close(handle)

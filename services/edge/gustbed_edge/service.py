"""Wires the edge gateway together and runs it until told to stop."""

import fcntl
import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gustbed_edge.capture import Capturer
from gustbed_edge.capture_writer import CaptureWriter
from gustbed_edge.challengers import Challengers
from gustbed_edge.cloudlog import CloudLog
from gustbed_edge.enrolment import Enrolment
from gustbed_edge.events import EventTracker, Site
from gustbed_edge.groups import Deciding
from gustbed_edge.health import HealthServer, Views
from gustbed_edge.ingest import Ingest, check_size
from gustbed_edge.installer import Installer, Limits
from gustbed_edge.intake import Intake
from gustbed_edge.jobs import JobsClient
from gustbed_edge.journal import Journal
from gustbed_edge.legacy import LegacyReader
from gustbed_edge.models import Loaded, ModelStore, load_challengers, load_serving
from gustbed_edge.outbox import Outbox
from gustbed_edge.pipeline import Pipeline
from gustbed_edge.quarantine import Quarantine
from gustbed_edge.recorder import Recorder
from gustbed_edge.report import Reporter
from gustbed_edge.scoring import Scorer
from gustbed_edge.sender import Sender
from gustbed_edge.settings import EdgeSettings
from gustbed_edge.shadow import ShadowBridge
from gustbed_edge.shadow_client import ShadowsClient
from gustbed_edge.updates import Updater
from gustbed_edge.uplink import CloudLink
from gustbed_protocol import codec, topics
from gustbed_protocol.errors import GustbedError, PayloadError
from gustbed_protocol.events import AnomalyEvent, ServiceState
from gustbed_protocol.mqtt import Message, Session
from gustbed_protocol.settings import MqttSettings, SiteSettings

log = logging.getLogger(__name__)

SERVICE = "edge"
USER = "edge"
HEARTBEAT_SECONDS = 1.0


@dataclass(frozen=True)
class _Models:
    """What was loaded at the start, by turbine type."""

    store: ModelStore
    serving: Mapping[str, Loaded]
    challengers: Mapping[str, Loaded]


@dataclass(frozen=True)
class _SitePart:
    """What works without the cloud."""

    outbox: Outbox
    session: Session
    recorder: Recorder
    pipeline: Pipeline
    scorer: Scorer
    challengers: Challengers
    captures: CaptureWriter
    intake: Intake
    quarantine: Quarantine
    bridge: ShadowBridge


@dataclass(frozen=True)
class _CloudPart:
    """What waits for the cloud."""

    link: CloudLink
    sender: Sender
    updater: Updater


class Edge:
    """One edge gateway. ``run`` blocks; ``http_port`` is known once ``ready`` is set."""

    def __init__(self, site: SiteSettings, mqtt: MqttSettings, settings: EdgeSettings) -> None:
        self.ready = threading.Event()
        self.http_port = 0
        self._site = site
        self._mqtt = mqtt
        self._settings = settings
        self._enrolment = Enrolment(settings.enrol_dir / site.thing)

    def run(self, stop: threading.Event) -> None:
        """Serve until ``stop`` is set. Raises ``GustbedError`` if something needs a person."""
        with ExitStack() as stack:
            stack.enter_context(_sole_owner(self._settings.data_dir))
            models = self._models()
            near = self._site_part(models)
            stack.callback(near.outbox.close)
            far = self._cloud_part(near, models)
            stack.enter_context(_cloud_log(near.recorder))
            reporter = self._reporter(near, far)
            http = HealthServer(
                self._settings.http_host,
                self._settings.http_port,
                Views(
                    reporter.reasons, reporter.status, near.outbox.events_since, reporter.metrics
                ),
            )
            self.http_port = http.port
            # Stopped in the opposite order: verdicts first, then what carries them away.
            http.start()
            stack.callback(http.stop)
            near.session.start()
            stack.callback(lambda: near.session.stop(self._state("offline")))
            far.link.start()
            stack.callback(far.link.stop)
            far.sender.start()
            stack.callback(far.sender.stop)
            near.recorder.start()
            stack.callback(near.recorder.stop)
            near.captures.start()
            stack.callback(near.captures.stop)
            near.pipeline.start()
            stack.callback(near.pipeline.stop)
            far.updater.start()
            stack.callback(far.updater.stop)
            near.bridge.start()
            stack.callback(near.bridge.stop)
            self.ready.set()
            log.info("edge %s runs, http port %d", self._site.thing, http.port)
            while not stop.wait(HEARTBEAT_SECONDS):
                self._beat(near.session, reporter)
            log.info("stopping")

    def _beat(self, session: Session, reporter: Reporter) -> None:
        heartbeat = codec.encode(reporter.heartbeat())
        # At QoS 1 old heartbeats would queue up while the broker is away.
        topic = topics.heartbeat(self._site.site)
        session.publish(Message(topic, heartbeat, qos=0, retain=True))

    def _models(self) -> _Models:
        store = ModelStore(self._settings.data_dir / "models")
        keys = self._enrolment.signing_keys()
        serving = load_serving(store, keys, self._settings.factory_dir)
        return _Models(store, serving, load_challengers(store, keys, serving))

    def _site_part(self, models: _Models) -> _SitePart:
        settings = self._settings
        outbox = Outbox(
            settings.data_dir,
            max_bytes=settings.outbox_max_bytes,
            max_rows=settings.outbox_max_rows,
            events_kept=settings.events_kept,
        )
        quarantine = Quarantine(settings.data_dir)
        intake = Intake(settings.queue_limit)
        bridge = ShadowBridge(
            self._site.site,
            self._site.turbine_ids,
            lambda message: session.publish(message),
            quarantine.reject,
        )
        session = self._session(intake, quarantine, bridge)
        recorder = Recorder(outbox, lambda event: self._announce(session, event))
        scorer = self._scorer(outbox, recorder, quarantine, models)
        challengers = self._challengers(models)
        captures = CaptureWriter(
            settings.data_dir,
            recorder.captures,
            max_bytes_per_day=settings.capture_max_bytes_per_day,
        )
        pipeline = Pipeline(
            self._site.site,
            intake,
            scorer,
            challengers,
            self._capturer(scorer, captures),
            recorder,
            session.publish,
            turbines=self._site.turbine_ids,
            grace=settings.grace,
            telemetry_interval=settings.telemetry_interval,
        )
        return _SitePart(
            outbox,
            session,
            recorder,
            pipeline,
            scorer,
            challengers,
            captures,
            intake,
            quarantine,
            bridge,
        )

    def _cloud_part(self, near: _SitePart, models: _Models) -> _CloudPart:
        settings, thing = self._settings, self._site.thing
        installer = Installer(
            models.store,
            serving=models.serving,
            challengers=models.challengers,
            keys=self._enrolment.signing_keys,
            scoring=near.pipeline,
            limits=Limits(self._site.turbines, settings.max_scoring_time),
            scratch=settings.data_dir,
        )
        updater = Updater(installer, Journal(settings.data_dir))

        def use(client: Any) -> None:
            updater.use(None if client is None else JobsClient(client, thing, updater.wake))
            near.bridge.use(
                None
                if client is None
                else ShadowsClient(client, thing, near.bridge.delta, lambda: link.connected)
            )

        def connected() -> None:
            sender.wake()
            updater.wake()
            near.bridge.connected()

        link = CloudLink(
            thing, settings.data_dir, settings.enrol_dir, on_client=use, on_connected=connected
        )
        sender = Sender(
            near.outbox,
            link,
            thing=thing,
            site=self._site.site,
            verdict_interval=settings.verdict_interval,
            telemetry_interval=settings.telemetry_interval,
        )
        near.recorder.on_event_written(sender.wake)
        return _CloudPart(link, sender, updater)

    def _reporter(self, near: _SitePart, far: _CloudPart) -> Reporter:
        return Reporter(
            site=self._site,
            scorer=near.scorer,
            challengers=near.challengers,
            captures=near.captures,
            pipeline=near.pipeline,
            intake=near.intake,
            outbox=near.outbox,
            quarantine=near.quarantine,
            bridge=near.bridge,
            site_connected=lambda: near.session.connected,
            cloud_connected=lambda: far.link.connected,
            update=lambda: far.updater.running,
        )

    def _session(self, intake: Intake, quarantine: Quarantine, bridge: ShadowBridge) -> Session:
        def receive(topic: str, payload: bytes) -> None:
            try:
                check_size(payload)
            except PayloadError as error:
                quarantine.reject(topic, payload, error)
            else:
                intake.put(topic, payload)

        site = self._site.site
        subscriptions = {
            topics.every("telemetry", site): receive,
            topics.every("reported", site): bridge.reported,
        }
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

    def _scorer(
        self, outbox: Outbox, recorder: Recorder, quarantine: Quarantine, models: _Models
    ) -> Scorer:
        site, settings = self._site, self._settings
        tracker = EventTracker(Site(site.site, site.thing, site.turbine_ids))
        recorder.events(tracker.resume(outbox.open_events()))
        ingest = Ingest(
            site.site,
            site.turbine_ids,
            max_clock_ahead=settings.max_clock_ahead,
            max_clock_behind=settings.max_clock_behind,
        )
        scorer = Scorer(
            site.turbine_ids,
            ingest,
            tracker,
            quarantine,
            deciding=self._deciding(),
            legacy=self._legacy(),
            silent_after=settings.silent_after,
        )
        for kind, loaded in models.serving.items():
            scorer.serve(loaded.detector)
            log.info("%s %s serves type %s", loaded.release.name, loaded.release.version, kind)
        return scorer

    def _challengers(self, models: _Models) -> Challengers:
        challengers = Challengers(
            self._site.turbines,
            deciding=self._deciding(),
            max_scoring_time=self._settings.max_scoring_time,
        )
        for kind, loaded in models.challengers.items():
            challengers.begin(loaded.detector)
            log.info("%s %s challenges type %s", loaded.release.name, loaded.release.version, kind)
        return challengers

    def _capturer(self, scorer: Scorer, captures: CaptureWriter) -> Capturer:
        settings, turbines = self._settings, self._site.turbine_ids
        # By the clock, so that after a restart it is not the first turbine's turn each time.
        turns = time.time() / settings.capture_interval if settings.capture_interval else 0.0
        return Capturer(
            turbines,
            scorer,
            captures.put,
            interval=settings.capture_interval,
            seconds=settings.capture_seconds,
            first=int(turns % 1 * len(turbines)),
        )

    def _deciding(self) -> Deciding:
        return Deciding(self._settings.open_after, self._settings.close_after)

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
        log.info(
            "%s on %s %s, peak score %.2f",
            event.kind,
            event.turbine,
            event.change,
            event.peak_score,
        )
        topic = topics.event(self._site.site, event.turbine)
        session.publish(Message(topic, codec.encode(event), qos=1))


@contextmanager
def _cloud_log(recorder: Recorder) -> Iterator[None]:
    """Send warnings of ours to the cloud too."""
    handler = CloudLog(recorder.line)
    logger = logging.getLogger("gustbed_edge")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


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

"""Wires the edge gateway together and runs it until told to stop."""

import fcntl
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gustbed_core import codec, topics
from gustbed_core.errors import GustbedError
from gustbed_core.mqtt import Message, Session
from gustbed_core.settings import MqttSettings, SiteSettings
from gustbed_edge.cloud.aws.connection import IotConnection
from gustbed_edge.cloud.aws.device_shadows import ShadowsClient
from gustbed_edge.cloud.aws.enrolment import Enrolment
from gustbed_edge.cloud.aws.jobs import JobsClient
from gustbed_edge.composition import Models, SitePart, load_models, site_part, state_message
from gustbed_edge.jobs.job_log import JobLog
from gustbed_edge.jobs.runner import JobRunner
from gustbed_edge.models.installer import Installer, Limits
from gustbed_edge.outbox.log_handler import CloudLogHandler
from gustbed_edge.outbox.recorder import Recorder
from gustbed_edge.outbox.sender import Sender
from gustbed_edge.reporting.http_server import HealthServer, Views
from gustbed_edge.reporting.reporter import Reporter
from gustbed_edge.settings import EdgeSettings

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 1.0


@dataclass(frozen=True)
class _CloudPart:
    """What waits for the cloud."""

    link: IotConnection
    sender: Sender
    job_runner: JobRunner


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
            models = load_models(
                self._settings.data_dir / "models",
                self._enrolment.signing_keys(),
                self._settings.factory_dir,
            )
            near = site_part(self._site, self._mqtt, self._settings, models)
            stack.callback(near.outbox.close)
            far = self._cloud_part(near, models)
            stack.enter_context(_cloud_log(near.recorder))
            reporter = self._reporter(near, far)
            http = HealthServer(
                self._settings.http_host,
                self._settings.http_port,
                Views(
                    health=reporter.health,
                    status=reporter.status,
                    models=reporter.models,
                    events=near.outbox.events_since,
                    metrics=reporter.metrics,
                ),
            )
            self.http_port = http.port
            # Stopped in the opposite order: verdicts first, then what carries them away.
            http.start()
            stack.callback(http.stop)
            near.session.start()
            stack.callback(lambda: near.session.stop(state_message(self._site, "offline")))
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
            far.job_runner.start()
            stack.callback(far.job_runner.stop)
            near.device_shadows.start()
            stack.callback(near.device_shadows.stop)
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

    def _cloud_part(self, near: SitePart, models: Models) -> _CloudPart:
        settings, thing = self._settings, self._site.thing
        installer = Installer(
            models.store,
            serving=models.serving,
            shadow_models=models.shadow_models,
            keys=self._enrolment.signing_keys,
            scoring=near.pipeline,
            limits=Limits(self._site.turbines, settings.max_scoring_time),
            scratch=settings.data_dir,
        )
        job_runner = JobRunner(installer, JobLog(settings.data_dir))

        def use(client: Any) -> None:
            job_runner.use(None if client is None else JobsClient(client, thing, job_runner.wake))
            near.device_shadows.use(
                None
                if client is None
                else ShadowsClient(client, thing, near.device_shadows.delta, lambda: link.connected)
            )

        def connected() -> None:
            sender.wake()
            job_runner.wake()
            near.device_shadows.connected()

        link = IotConnection(
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
        return _CloudPart(link, sender, job_runner)

    def _reporter(self, near: SitePart, far: _CloudPart) -> Reporter:
        return Reporter(
            site=self._site,
            scorer=near.scorer,
            shadow_models=near.shadow_models,
            captures=near.captures,
            pipeline=near.pipeline,
            queue=near.queue,
            outbox=near.outbox,
            quarantine=near.quarantine,
            device_shadows=near.device_shadows,
            site_connected=lambda: near.session.connected,
            cloud_connected=lambda: far.link.connected,
            update=lambda: far.job_runner.running,
        )


@contextmanager
def _cloud_log(recorder: Recorder) -> Iterator[None]:
    """Send warnings of ours to the cloud too."""
    handler = CloudLogHandler(recorder.line)
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

"""Runs the edge gateway until told to stop."""

import fcntl
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from gustbed_core import codec, topics
from gustbed_core.errors import GustbedError
from gustbed_core.mqtt import Message
from gustbed_core.settings import MqttSettings, SiteSettings
from gustbed_edge.composition import Gateway, compose
from gustbed_edge.outbox.log_handler import CloudLogHandler
from gustbed_edge.outbox.outgoing import open_outbox
from gustbed_edge.outbox.recorder import Recorder
from gustbed_edge.settings import EdgeSettings

log = logging.getLogger(__name__)

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
        with ExitStack() as stack:
            stack.enter_context(_sole_owner(self._settings.data_dir))
            outbox = open_outbox(self._settings)
            stack.callback(outbox.close)
            gateway = compose(self._site, self._mqtt, self._settings, outbox)
            stack.enter_context(_cloud_log(gateway.recorder))
            for part in gateway.parts:
                part.start()
                stack.callback(part.stop)
            self.http_port = gateway.http_port
            self.ready.set()
            log.info("edge %s runs, http port %d", self._site.thing, gateway.http_port)
            while not stop.wait(HEARTBEAT_SECONDS):
                self._beat(gateway)
            log.info("stopping")

    def _beat(self, gateway: Gateway) -> None:
        heartbeat = codec.encode(gateway.heartbeat())
        # At QoS 1 old heartbeats would queue up while the broker is away.
        topic = topics.heartbeat(self._site.site)
        gateway.broker.publish(Message(topic, heartbeat, qos=0, retain=True))


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
        handle = _open_lock(folder / "lock")
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


def _open_lock(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        if not path.exists():
            raise
        # A disk that has become read-only is told in health; the site is served all the same.
        return os.open(path, os.O_RDONLY)

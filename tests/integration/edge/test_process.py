"""The edge as a process: signals, kills, health from the command line."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gustbed_core.settings import SiteSettings
from gustbed_edge.outbox.store import Outbox
from tests.support.edge import Turbines, edge_settings
from tests.support.mosquitto import Broker
from tests.support.packages import calm, excited
from tests.support.ports import free_port, wait_until

SITE = SiteSettings(turbines=2)


class EdgeProcess:
    """``python -m gustbed_edge run`` with a folder that survives it."""

    def __init__(self, folder: Path, broker: Broker) -> None:
        self.settings = edge_settings(folder)
        self.port = free_port()
        self.log = folder / "edge.log"
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("GUSTBED_")},
            "GUSTBED_TURBINES": "2",
            "GUSTBED_MQTT_PORT": str(broker.settings.port),
            "GUSTBED_MQTT_CREDENTIALS_DIR": str(broker.settings.credentials_dir),
            "GUSTBED_EDGE_DATA_DIR": str(self.settings.data_dir),
            "GUSTBED_EDGE_ENROL_DIR": str(self.settings.enrol_dir),
            "GUSTBED_EDGE_FACTORY_DIR": str(self.settings.factory_dir),
            "GUSTBED_EDGE_HTTP_PORT": str(self.port),
        }

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run it, healthy, until the block ends."""
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "gustbed_edge", "run"],
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        try:
            wait_until(lambda: self.health() == 0, f"the edge is healthy, see {self.log}")
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(30)

    def health(self) -> int:
        """``python -m gustbed_edge health``."""
        done = subprocess.run(
            [sys.executable, "-m", "gustbed_edge", "health"],
            env=self.environment,
            capture_output=True,
            timeout=30,
            check=False,
        )
        return done.returncode

    def disk(self) -> Outbox:
        """What is on disk now."""
        return Outbox(self.settings.data_dir, max_bytes=10**9, max_rows=10**6, events_kept=100)


@pytest.fixture
def edge(tmp_path: Path, broker: Broker) -> EdgeProcess:
    return EdgeProcess(tmp_path, broker)


def test_sigterm_stops_it_cleanly(edge: EdgeProcess, broker: Broker) -> None:
    with edge.running() as process, Turbines(broker.settings, SITE, ("wt01", "wt02")):
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert edge.health() == 1
    assert "Traceback" not in edge.log.read_text()


@pytest.mark.promise("T4")
def test_sigkill_loses_no_event_and_it_goes_on_afterwards(
    edge: EdgeProcess, broker: Broker
) -> None:
    with Turbines(broker.settings, SITE, ("wt01", "wt02")) as turbines:
        turbines.values["wt01"] = excited()
        with edge.running() as process:
            wait_until(lambda: edge.disk().open_events(), "an event is on disk")
            process.kill()
            process.wait(30)
        (killed,) = edge.disk().open_events()
        waiting = edge.disk().waiting
        with edge.running() as process:
            turbines.values["wt01"] = calm()
            wait_until(lambda: not edge.disk().open_events(), "the event closes")
            process.terminate()
            assert process.wait(30) == 0
    assert [event.id for event in edge.disk().events_since(0)] == [killed.id]
    assert edge.disk().waiting > waiting, "what waited is kept, and more has come"


@pytest.mark.promise("S4")
def test_neither_logs_nor_arguments_hold_a_secret(edge: EdgeProcess, broker: Broker) -> None:
    with edge.running() as process:
        arguments = Path(f"/proc/{process.pid}/cmdline").read_bytes()
    password = broker.settings.password("edge")
    key = (edge.settings.data_dir / "private-key.pem").read_text().splitlines()[1]
    assert password
    for secret in (password, key):
        assert secret not in edge.log.read_text()
        assert secret.encode() not in arguments

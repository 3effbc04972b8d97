"""The edge as a process: signals, kills, health from the command line."""

import signal
from pathlib import Path

import pytest

from gustbed_core.settings import SiteSettings
from tests.support.edge import Turbines
from tests.support.edge_process import EdgeProcess
from tests.support.mosquitto import Broker
from tests.support.packages import calm, excited
from tests.support.ports import wait_until

SITE = SiteSettings(turbines=2)


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

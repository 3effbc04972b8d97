"""A service that hangs is started again, one that is merely unwell is not; with real processes."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from gustbed_cli.fleet import Fleet, PlaceSettings
from gustbed_cli.runtime import probes, supervisor
from gustbed_cli.runtime.services import Service
from gustbed_cli.runtime.supervisor import Supervisor, read_state
from gustbed_core.settings import SiteSettings
from tests.support.ports import free_port, listens, wait_until

PATIENCE = 1.0
WEB = """
import http.server, sys

http.server.HTTPServer(
    ("127.0.0.1", int(sys.argv[1])), http.server.BaseHTTPRequestHandler
).serve_forever()
"""
ONCE = """
import socket, sys, time

listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
first = listener.accept()[0]
first.recv(999)
first.sendall(b"HTTP/1.0 204 OK\\r\\n\\r\\n")
first.close()
time.sleep(600)
"""


def process(home: Path) -> int | None:
    state = read_state(home)
    return state.processes[0].pid if state and state.processes else None


def restarts(home: Path) -> int:
    state = read_state(home)
    return state.processes[0].restarts if state else 0


@contextmanager
def supervised(home: Path, monkeypatch: pytest.MonkeyPatch, program: str) -> Iterator[int]:
    """One service under a supervisor, in a thread of this process; its port."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    service = Service(
        "web",
        (sys.executable, "-c", program, str(port)),
        url,
        lambda: None,
        lambda: probes.get(url) and None,
    )
    monkeypatch.setattr(supervisor, "services", lambda _fleet: [service])
    # Signals belong to a process's main thread, which runs the test.
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    # The child must outlive the thread that starts it.
    monkeypatch.setattr(supervisor, "_die_with_parent", lambda: None)
    (home / "run").mkdir()
    watched = Supervisor(
        Fleet(PlaceSettings(home=home, hang_s=PATIENCE), SiteSettings(), "local"), dict(os.environ)
    )
    thread = threading.Thread(target=watched.run)
    thread.start()
    try:
        wait_until(lambda: process(home), "the service runs")
        yield port
    finally:
        watched._ask_to_stop(0, None)
        thread.join(30)


@pytest.mark.promise("T4")
def test_a_stopped_service_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with supervised(tmp_path, monkeypatch, WEB) as port:
        wait_until(lambda: listens(port), "it listens")
        first = process(tmp_path)
        assert first is not None
        os.kill(first, signal.SIGSTOP)
        wait_until(lambda: process(tmp_path) not in (None, first), "another takes its place")
        assert not psutil.pid_exists(first)
        assert restarts(tmp_path) == 1
        wait_until(lambda: listens(port), "it listens again")


@pytest.mark.promise("T4")
def test_a_service_that_answered_once_and_no_more_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with supervised(tmp_path, monkeypatch, ONCE):
        wait_until(lambda: restarts(tmp_path) > 0, "it is started again")


def test_a_service_that_answers_badly_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with supervised(tmp_path, monkeypatch, WEB) as port:
        wait_until(lambda: listens(port), "it listens")
        # It knows no GET.
        assert probes.get(f"http://127.0.0.1:{port}/")[0] == 501
        pid = process(tmp_path)
        assert pid is not None
        began = psutil.Process(pid).create_time()
        wait_until(lambda: time.time() - began > 4 * PATIENCE, "its patience is over")
        assert (process(tmp_path), restarts(tmp_path)) == (pid, 0)

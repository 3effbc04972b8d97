"""What a health check makes of answers, silence and heartbeats; it ends nothing here."""

import importlib.util
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from gustbed_twin.publisher.health import Health, write_health
from tests.support.paths import ROOT
from tests.support.ports import free_port

HEALTH = Health(time.time(), "site-1", 1, 6, 6, online=True, blocks=9, dropped=0)


class Answering(BaseHTTPRequestHandler):
    """Says what its server is told to say."""

    def do_GET(self) -> None:
        self.send_response(self.server.status)  # type: ignore[attr-defined]
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    spec = importlib.util.spec_from_file_location("check_health", ROOT / "scripts/check_health.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "NOTES", tmp_path / "notes")
    monkeypatch.setattr(module, "is_stopped", lambda: False)
    monkeypatch.setattr(os, "kill", lambda *_: pytest.fail("a check out of its image ends nothing"))
    return module


@pytest.fixture
def server() -> Iterator[Any]:
    serving = HTTPServer(("127.0.0.1", 0), Answering)
    serving.status = 200  # type: ignore[attr-defined]
    thread = threading.Thread(target=serving.serve_forever)
    thread.start()
    yield serving
    serving.shutdown()
    thread.join()
    serving.server_close()


def address(server: Any) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}/"


def test_an_unwell_answer_is_no_silence(check: Any, server: Any) -> None:
    assert check.main([address(server)]) == 0
    server.status = 503
    assert [check.main([address(server)]) for _ in range(4)] == [1] * 4
    assert check.noted("hangs") == 0


def test_silence_counts_once_it_had_answered(check: Any, server: Any) -> None:
    silent = f"http://127.0.0.1:{free_port()}/"
    assert check.main([silent]) == 1
    assert check.noted("hangs") == 0, "it may still be starting"
    check.main([address(server)])
    assert [(check.main([silent]), check.noted("hangs")) for _ in range(4)] == [
        (1, 1),
        (1, 2),
        (1, 3),
        (1, 4),
    ]
    check.main([address(server)])
    assert check.noted("hangs") == 0


def test_a_stopped_process_counts_whatever_it_says(
    check: Any, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert check.main([address(server)]) == 0
    monkeypatch.setattr(check, "is_stopped", lambda: True)
    assert check.main([address(server)]) == 1
    assert check.noted("hangs") == 1


def test_a_heartbeat_says_how_it_is_and_may_be_so_old(check: Any, tmp_path: Path) -> None:
    watch = ["--heartbeat", str(tmp_path)]
    assert check.main(watch) == 1, "there is none before the first"
    beat = tmp_path / "site-1.health.json"
    write_health(beat, HEALTH)
    assert check.main(watch) == 0
    seconds_ago(beat, check.FRESH + 1)
    assert (check.main(watch), check.noted("hangs")) == (1, 0), "stale, and not yet a hang"
    seconds_ago(beat, check.BEAT_WITHIN + 1)
    assert (check.main(watch), check.noted("hangs")) == (1, 1)
    write_health(beat, replace(HEALTH, online=False))
    assert (check.main(watch), check.noted("hangs")) == (1, 0)


def seconds_ago(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def test_a_named_problem_is_unwell_and_an_empty_one_is_none(check: Any, tmp_path: Path) -> None:
    said = tmp_path / "provisioner"
    assert check.main(["--problem", str(said)]) == 1, "it has said nothing yet"
    said.touch()
    assert check.main(["--problem", str(said)]) == 0
    said.write_text("stack gustbed: not deployed")
    assert (check.main(["--problem", str(said)]), check.noted("hangs")) == (1, 0)

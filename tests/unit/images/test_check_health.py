"""What a health check makes of answers, silence and heartbeats; it ends nothing here."""

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from gustbed_twin.publisher.health import Health, write_health
from tests.support.paths import ROOT
from tests.support.ports import free_port

CHECK = ROOT / "images/check-health"
FRESH, BEAT_WITHIN = 15, 60
HEALTH = Health(time.time(), "site-1", 1, 6, 6, online=True, blocks=9, dropped=0)
BODY = b'{"state":"connecting"}\n'


class Answering(BaseHTTPRequestHandler):
    """Says what its server is told to say, unless it is told to say nothing."""

    def do_GET(self) -> None:
        self.server.asked = dict(self.headers)  # type: ignore[attr-defined]
        if self.server.status is None:  # type: ignore[attr-defined]
            return
        self.send_response(self.server.status)  # type: ignore[attr-defined]
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@dataclass(frozen=True)
class Check:
    """The script, with notes and processes of the test's own."""

    folder: Path

    def look(self, *arguments: str | Path, within: int = 5) -> tuple[int, str]:
        """Exit code, and what it printed."""
        changed = f"NOTES={self.folder}/notes PROCESSES={self.folder}/proc ANSWER_WITHIN={within}"
        # Sourced it is another file than the image's: it ends nothing.
        done = subprocess.run(
            ["bash", "-c", f'source {CHECK}; {changed}; main "$@"', "test", *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert not done.stderr
        return done.returncode, done.stdout

    def hangs(self) -> int:
        """Looks in a row that found it hanging."""
        return int((self.folder / "notes" / "hangs").read_text())

    def process(self, number: int, name: str, state: str) -> None:
        """Let a process be there."""
        folder = self.folder / "proc" / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "stat").write_text(f"{number} ({name}) {state} 1 1 1 0 -1\n")


@pytest.fixture
def check(tmp_path: Path) -> Check:
    return Check(tmp_path)


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
    return f"http://127.0.0.1:{server.server_address[1]}/health"


def test_an_answer_is_printed_and_asked_for_by_its_own_address(check: Check, server: Any) -> None:
    assert check.look(address(server)) == (0, f"{BODY.decode()}\n")
    assert server.asked["Host"] == f"127.0.0.1:{server.server_address[1]}"


def test_an_unwell_answer_is_no_silence(check: Check, server: Any) -> None:
    assert check.look(address(server))[0] == 0
    server.status = 503
    assert [check.look(address(server)) for _ in range(4)] == [(1, f"{BODY.decode()}\n")] * 4
    assert check.hangs() == 0


def test_silence_counts_once_it_had_answered(check: Check, server: Any) -> None:
    silent = f"http://127.0.0.1:{free_port()}/"
    assert check.look(silent) == (1, f"{silent}: Connection refused\n")
    assert check.hangs() == 0, "it may still be starting"
    check.look(address(server))
    assert [(check.look(silent)[0], check.hangs()) for _ in range(8)] == [
        (1, count) for count in range(1, 9)
    ]
    check.look(address(server))
    assert check.hangs() == 0


def test_a_connection_without_an_answer_is_silence(check: Check, server: Any) -> None:
    check.look(address(server))
    server.status = None
    assert (check.look(address(server))[0], check.hangs()) == (1, 1)


def test_an_address_that_accepts_and_says_nothing_is_given_up(check: Check, server: Any) -> None:
    check.look(address(server))
    with HTTPServer(("127.0.0.1", 0), Answering) as deaf:
        code, said = check.look(address(deaf), within=1)
    assert (code, check.hangs()) == (1, 1)
    assert said.endswith("no answer within 1 s\n")


@pytest.mark.parametrize("name", ["python", "x) T (", "two\nlines"])
def test_a_stopped_process_counts_whatever_it_says(check: Check, server: Any, name: str) -> None:
    check.process(7, name, "S")
    assert check.look(address(server))[0] == 0
    check.process(8, name, "T")
    assert check.look(address(server))[0] == 1
    assert check.hangs() == 1


def test_a_heartbeat_says_how_it_is_and_may_be_so_old(check: Check, tmp_path: Path) -> None:
    watch = ("--heartbeat", tmp_path)
    assert check.look(*watch) == (1, f"{tmp_path}: no heartbeat yet\n")
    beat = tmp_path / "site-1.health.json"
    write_health(beat, HEALTH)
    assert check.look(*watch) == (0, f"{beat.read_text()}\n")
    seconds_ago(beat, FRESH + 1)
    assert (check.look(*watch)[0], check.hangs()) == (1, 0), "stale, and not yet a hang"
    seconds_ago(beat, BEAT_WITHIN + 1)
    assert (check.look(*watch)[0], check.hangs()) == (1, 1)
    write_health(beat, replace(HEALTH, online=False))
    assert (check.look(*watch)[0], check.hangs()) == (1, 0)


def test_the_newest_heartbeat_counts(check: Check, tmp_path: Path) -> None:
    old, new = tmp_path / "site-1.health.json", tmp_path / "site-1-of-2.health.json"
    write_health(old, replace(HEALTH, online=False))
    write_health(new, HEALTH)
    seconds_ago(old, 5)
    assert check.look("--heartbeat", tmp_path)[0] == 0
    seconds_ago(new, 10)
    assert check.look("--heartbeat", tmp_path)[0] == 1


def seconds_ago(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def test_a_named_problem_is_unwell_and_an_empty_one_is_none(check: Check, tmp_path: Path) -> None:
    said = tmp_path / "provisioner"
    assert check.look("--problem", said)[0] == 1, "it has said nothing yet"
    said.touch()
    assert check.look("--problem", said)[0] == 0
    said.write_text("stack gustbed: not deployed")
    assert check.look("--problem", said) == (1, "stack gustbed: not deployed\n")
    assert check.hangs() == 0

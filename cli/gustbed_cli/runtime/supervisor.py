"""Keeps the fleet's processes running until told to stop.

Runs detached: ``python -m gustbed_cli.runtime.supervisor``. Its own state lies in
``<home>/run/supervisor.json``, so that ``gustbed status`` can read it without asking.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO

import msgspec

from gustbed_cli.fleet import Fleet, load_fleet
from gustbed_cli.runtime.services import Service, log_file, services
from gustbed_cli.runtime.watchdog import Watchdog
from gustbed_core.errors import GustbedError

MARK = "GUSTBED_FLEET_HOME"
"""Environment variable that every process of a fleet carries: how its processes are found."""
POLL_SECONDS = 0.25
GRACE_SECONDS = 8.0
BACKOFF_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0)
STEADY_SECONDS = 60.0
"""A process that ran this long starts again without waiting."""
KEEP_LOG_BYTES = 20 * 1024 * 1024
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class ProcessState:
    """One supervised process. ``pid`` None: waiting to be started again."""

    name: str
    pid: int | None
    restarts: int


@dataclass(frozen=True, slots=True)
class SupervisorState:
    """What the supervisor tells the world."""

    pid: int
    processes: list[ProcessState]


@dataclass(slots=True)
class _Child:
    service: Service
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    restarts: int = 0
    failures: int = 0
    due: float = field(default=0.0)


class Supervisor:
    """Starts, restarts and stops the processes of one fleet."""

    def __init__(self, fleet: Fleet, environment: Mapping[str, str]) -> None:
        self._fleet = fleet
        self._environment = {**environment, MARK: str(fleet.home)}
        self._children = [_Child(service) for service in services(fleet)]
        self._stopping = False
        self._watchdog = Watchdog(
            [child.service for child in self._children], self._pid_of, fleet.place.hang_s
        )
        self._state_file = state_path(fleet.home)

    def run(self) -> None:
        """Supervise until SIGTERM or SIGINT."""
        signal.signal(signal.SIGTERM, self._ask_to_stop)
        signal.signal(signal.SIGINT, self._ask_to_stop)
        self._watchdog.start()
        try:
            while not self._stopping:
                changed = [self._tend(child) for child in self._children]
                if any(changed):
                    self._write_state()
                time.sleep(POLL_SECONDS)
        finally:
            self._watchdog.stop()
            self._stop_all()
            self._state_file.unlink(missing_ok=True)

    def _ask_to_stop(self, _signal: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _tend(self, child: _Child) -> bool:
        now = time.monotonic()
        if child.process is None:
            if now < child.due:
                return False
            child.process = self._start(child.service)
            child.started = now
            return True
        code = child.process.poll()
        if code is None:
            if self._watchdog.hangs(child.process.pid):
                print(f"{child.service.name} hangs: ending it", flush=True)
                _end(child.process)
            return False
        steady = now - child.started > STEADY_SECONDS
        child.failures = 0 if steady else child.failures + 1
        wait = BACKOFF_SECONDS[min(child.failures, len(BACKOFF_SECONDS)) - 1] if not steady else 0
        print(f"{child.service.name} ended with {code}; starting again in {wait} s", flush=True)
        child.process, child.due = None, now + wait
        child.restarts += 1
        return True

    def _pid_of(self, name: str) -> int | None:
        processes = (child.process for child in self._children if child.service.name == name)
        return next((process.pid for process in processes if process is not None), None)

    def _start(self, service: Service) -> subprocess.Popen[bytes]:
        with _open_log(log_file(self._fleet, service.name)) as log:
            return subprocess.Popen(
                service.command,
                env=self._environment,
                cwd=self._fleet.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )

    def _stop_all(self) -> None:
        running = [child.process for child in reversed(self._children) if child.process]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + GRACE_SECONDS
        for process in running:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _write_state(self) -> None:
        state = SupervisorState(
            os.getpid(),
            [
                ProcessState(c.service.name, c.process.pid if c.process else None, c.restarts)
                for c in self._children
            ],
        )
        temporary = self._state_file.with_suffix(".new")
        temporary.write_bytes(msgspec.json.encode(state))
        temporary.replace(self._state_file)


def state_path(home: Path) -> Path:
    """Where the supervisor writes its state."""
    return home / "run" / "supervisor.json"


def read_state(home: Path) -> SupervisorState | None:
    """The supervisor's last word, or None if there is none."""
    try:
        return msgspec.json.decode(state_path(home).read_bytes(), type=SupervisorState)
    except (OSError, msgspec.MsgspecError):
        return None


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and what it started; one that was stopped heeds nothing else."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _open_log(path: Path) -> IO[bytes]:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > KEEP_LOG_BYTES:
        path.replace(path.with_suffix(".log.1"))
    return path.open("ab")


def _die_with_parent() -> None:
    # A supervisor that is killed outright must not leave a headless fleet behind.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def main() -> int:
    """Entry point of the detached process."""
    try:
        # Keys, passwords and logs are nobody else's, whatever the person's own umask.
        os.umask(0o077)
        fleet = load_fleet()
        state_path(fleet.home).parent.mkdir(parents=True, exist_ok=True)
        Supervisor(fleet, fleet.environment()).run()
    except GustbedError as error:
        print(f"gustbed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

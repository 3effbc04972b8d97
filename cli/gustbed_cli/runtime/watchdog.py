"""Finds services that hang: they run, and answer nothing."""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import psutil

from gustbed_cli.runtime.services import Service
from gustbed_core.errors import GustbedError

LOOK_EVERY = 2.0


@dataclass(slots=True)
class _Watched:
    pid: int
    worked: bool = False
    silent_since: float | None = None


@dataclass(slots=True)
class Watchdog:
    """Looks at running services in the background.

    A service hangs if for ``patience`` seconds it was stopped (SIGSTOP), or gave no answer although
    it had answered before. One that answers badly does not hang.
    """

    services: Iterable[Service]
    pid_of: Callable[[str], int | None]
    patience: float
    _watched: dict[str, _Watched] = field(default_factory=dict)
    _hanging: set[int] = field(default_factory=set)
    _stop: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Begin to look."""
        threading.Thread(target=self._run, daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()

    def hangs(self, pid: int) -> bool:
        """Whether the process was found hanging."""
        return pid in self._hanging

    def _run(self) -> None:
        while not self._stop.wait(min(LOOK_EVERY, self.patience / 2)):
            for service in self.services:
                self._look(service)

    def _look(self, service: Service) -> None:
        pid = self.pid_of(service.name)
        if pid is None:
            return
        known = self._watched.get(service.name)
        if known is None or known.pid != pid:
            known = self._watched[service.name] = _Watched(pid)
        stopped = _is_stopped(pid)
        answers = not stopped and _answers(service)
        if answers:
            known.worked, known.silent_since = True, None
        elif stopped or known.worked:
            now = time.monotonic()
            if known.silent_since is None:
                known.silent_since = now
            elif now - known.silent_since >= self.patience:
                self._hanging.add(pid)


def _is_stopped(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    except psutil.Error:
        return False


def _answers(service: Service) -> bool:
    try:
        service.answers()
    except GustbedError:
        return False
    return True

"""Finds and stops processes that an earlier fleet of the same home left behind."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import psutil

from gustbed_cli.runtime.supervisor import GRACE_SECONDS, MARK

SUPERVISOR_MODULE = "gustbed_cli.runtime.supervisor"


def of_home(home: Path) -> list[psutil.Process]:
    """Every process that carries this home's mark, the supervisor first."""
    found = [process for process in psutil.process_iter() if _belongs(process, home)]
    return sorted(found, key=lambda process: not is_supervisor(process))


def is_supervisor(process: psutil.Process) -> bool:
    """Whether a process is a fleet's supervisor."""
    try:
        return SUPERVISOR_MODULE in process.cmdline()
    except psutil.Error:
        return False


def stop(processes: list[psutil.Process]) -> None:
    """SIGTERM, and SIGKILL for what does not listen."""
    for process in processes:
        _quietly(process.terminate)
    _, deaf = psutil.wait_procs(processes, timeout=GRACE_SECONDS + 2)
    for process in deaf:
        _quietly(process.kill)
    psutil.wait_procs(deaf, timeout=GRACE_SECONDS)


def _belongs(process: psutil.Process, home: Path) -> bool:
    try:
        return process.environ().get(MARK) == str(home) and process.pid != psutil.Process().pid
    except psutil.Error:
        return False


def _quietly(action: Callable[[], None]) -> None:
    with contextlib.suppress(psutil.Error):
        action()

"""Work of many parts on several cores: in processes that stop when they are told to."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import active_children, get_context
from types import FrameType
from typing import TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")

BYTES_EACH = 4 * 2**30
"""Memory that a training takes at most, and the judging of what it made; it takes one core."""


def processes(cores: int, memory: int) -> int:
    """Processes at a time, of as many cores and bytes of memory: one at least."""
    return max(1, min(cores, memory // BYTES_EACH))


def finished(
    work: Callable[[Task], Result], tasks: Sequence[Task]
) -> Iterator[tuple[Task, Result]]:
    """Tasks and what became of them, as they end; begun in their order, one thread each.

    Raises what the first failed one raises, once all others have stopped.
    """
    count = max(1, min(processes(os.cpu_count() or 1, _memory()), len(tasks)))
    pool = ProcessPoolExecutor(count, get_context("spawn"), _obey)
    try:
        running = {pool.submit(work, task): task for task in tasks}
        for done in as_completed(running):
            yield running[done], done.result()
    except BaseException:
        # One failed or all are to stop: who is at work leaves nothing half written.
        for child in active_children():
            child.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _memory() -> int:
    """Bytes of this machine; where it does not say, as much as two trainings take."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return 2 * BYTES_EACH


def _obey() -> None:
    """A child stops when its parent says so, and not for a key that both hear."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _stop)
    os.environ["OMP_NUM_THREADS"] = "1"
    # Without it CUDA's matrix products are not the same from run to run.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt

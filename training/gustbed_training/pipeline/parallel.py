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


def finished(
    work: Callable[[Task], Result], tasks: Sequence[Task], processes: int
) -> Iterator[tuple[Task, Result]]:
    """Tasks and what became of them, as they end; begun in their order, one thread each.

    Raises what the first failed one raises, once all others have stopped.
    """
    count = max(1, min(processes, os.cpu_count() or 1, len(tasks)))
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


def _obey() -> None:
    """A child stops when its parent says so, and not for a key that both hear."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _stop)
    os.environ["OMP_NUM_THREADS"] = "1"


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt

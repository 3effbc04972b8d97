"""Free ports and conditions to wait for."""

import functools
import os
import random
import socket
import time
from collections.abc import Callable, Iterator

BELOW_EPHEMERAL = range(10_000, 32_000)
"""Linux takes the ports of outgoing connections from 32768 on, so none of them takes these."""
WORKERS = 8
"""Processes of one test run that have ports of their own."""


def free_port() -> int:
    """A port that nobody holds, nor the next one; no other test of this run is given either.

    So a service that is down for a moment finds its port again when it comes back.
    """
    for port in _own_ports():
        with socket.socket() as probe, socket.socket() as next_probe:
            try:
                probe.bind(("", port))
                next_probe.bind(("", port + 1))
            except OSError:
                continue
            return port
    raise RuntimeError(f"no free port left among {BELOW_EPHEMERAL}")


@functools.cache
def _own_ports() -> Iterator[int]:
    """This test process's ports, each once, by chance: other runs may be under way here."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    own = BELOW_EPHEMERAL[2 * (worker % WORKERS) :: 2 * WORKERS]
    return iter(random.SystemRandom().sample(own, len(own)))


def wait_until(condition: Callable[[], object], what: str, timeout: float = 60.0) -> None:
    """Wait for a condition to hold. Raises ``TimeoutError`` naming what did not happen."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {timeout:.0f} s still not true: {what}")
        time.sleep(0.05)


def listens(port: int) -> bool:
    """Whether something accepts connections on a local port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0

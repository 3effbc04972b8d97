"""Free ports and conditions to wait for."""

import random
import socket
import time
from collections.abc import Callable

BELOW_EPHEMERAL = range(10_000, 32_000)
"""Linux takes the ports of outgoing connections from 32768 on, so none of them takes these."""


def free_port() -> int:
    """A port that nobody holds; drawn by chance, so that test processes rarely draw the same."""
    for port in random.SystemRandom().sample(BELOW_EPHEMERAL, 100):
        with socket.socket() as probe:
            try:
                probe.bind(("", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port among 100 drawn")


def wait_until(condition: Callable[[], object], what: str, timeout: float = 30.0) -> None:
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

"""How far the cloud is behind the site, and whether it falls further behind."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from gustbed_edge.outbox.sender import Sender
from gustbed_edge.outbox.store import Outbox

LOOK_SECONDS = 5.0
GROWTH_SECONDS = 120.0
"""Over so long the cloud must have been there, and fallen behind, before that is a fault."""
MIN_LAG_SECONDS = 60.0
"""Less is no backlog."""
GROWTH = 0.1
"""Seconds that the lag must grow in a second."""
RATE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class _Look:
    at: float
    lag: float
    recorded: int
    sent: int
    dropped: int
    connected: bool


class Backlog:
    """Looks at outbox and sender from time to time, whenever somebody asks. Any thread may."""

    def __init__(
        self,
        outbox: Outbox,
        sender: Sender,
        connected: Callable[[], bool],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._outbox = outbox
        self._sender = sender
        self._connected = connected
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._looks: deque[_Look] = deque(maxlen=int(2 * GROWTH_SECONDS / LOOK_SECONDS))

    @property
    def lag(self) -> float:
        """Seconds that the oldest record has waited for the cloud; 0 if none waits."""
        return max(self._outbox.ages().values(), default=0.0)

    def rates(self) -> tuple[float, float]:
        """Bytes a second that came in and went up over the last minute."""
        looks = self._look()
        now = looks[-1]
        then = next(look for look in looks if look.at >= now.at - RATE_SECONDS)
        past = max(now.at - then.at, LOOK_SECONDS)
        return (now.recorded - then.recorded) / past, (now.sent - then.sent) / past

    def grows(self) -> bool:
        """Whether the cloud has been there for minutes and fallen further behind all the same."""
        looks = self._look()
        now = looks[-1]
        recent = [look for look in looks if look.at >= now.at - GROWTH_SECONDS - LOOK_SECONDS]
        then = recent[0]
        past = now.at - then.at
        return (
            past >= GROWTH_SECONDS
            and all(look.connected for look in recent)
            and now.lag >= MIN_LAG_SECONDS
            and now.lag - then.lag >= GROWTH * past
        )

    def drops(self) -> bool:
        """Whether records were dropped for want of room in the last minutes."""
        looks = self._look()
        now = looks[-1]
        then = next(look for look in looks if look.at >= now.at - GROWTH_SECONDS)
        return now.dropped > then.dropped

    def _look(self) -> tuple[_Look, ...]:
        with self._lock:
            at = self._monotonic()
            if not self._looks or at - self._looks[-1].at >= LOOK_SECONDS:
                outbox, sent = self._outbox, sum(self._sender.sent.copy().values())
                recorded = sum(dict(outbox.recorded).values())
                dropped = sum(dict(outbox.dropped).values())
                look = _Look(at, self.lag, recorded, sent, dropped, self._connected())
                self._looks.append(look)
            return tuple(self._looks)

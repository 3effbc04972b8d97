"""Empties the outbox into the cloud: oldest first, deleted only once acknowledged."""

import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from gustbed_core import codec, topics
from gustbed_core.capture import CaptureBatch
from gustbed_core.events import EventBatch, LogBatch, TelemetryBatch, VerdictBatch
from gustbed_core.worker import Worker
from gustbed_edge.cloud.ports import Uplink
from gustbed_edge.outbox.store import Outbox

MESSAGE_BYTES = 100 * 1024
"""Of items in one message: below IoT Core's 128 KiB, with room for the envelope."""
TURN_SECONDS = 1.0
ACK_SECONDS = 20.0
LAST_ACK_SECONDS = 0.5
"""While stopping."""
LONGEST_PAUSE_SECONDS = 30.0
"""Before a kind whose message was not acknowledged is tried again."""


@dataclass(slots=True)
class _Kind:
    name: str
    interval: float
    envelope: tuple[bytes, bytes]
    due: float = 0.0
    failures: int = 0
    """Messages in a row that were not acknowledged."""


class Sender(Worker):
    """A worker that sends each kind of message at its own interval while connected, and as fast
    as ``max_rate`` (bytes a second) lets it while more waits than one message takes.
    """

    def __init__(
        self,
        outbox: Outbox,
        link: Uplink,
        *,
        thing: str,
        site: str,
        verdict_interval: float,
        telemetry_interval: float,
        max_rate: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__("sender")
        self.sent: Counter[str] = Counter()
        """Bytes that the cloud has acknowledged since the start, by uplink kind."""
        self._outbox = outbox
        self._link = link
        self._thing = thing
        self._max_rate = max_rate
        self._monotonic = monotonic
        self._free = 0.0
        """When the link may carry the next message."""
        others = min(telemetry_interval, 5.0)
        self._kinds = (
            _Kind("events", 0.0, _envelope(EventBatch(thing, site, []))),
            _Kind("verdicts", verdict_interval, _envelope(VerdictBatch(thing, site, []))),
            _Kind("telemetry", others, _envelope(TelemetryBatch(thing, site, []))),
            _Kind("logs", others, _envelope(LogBatch(thing, site, []))),
            # Nobody waits for these: last in each round, one message at a time.
            _Kind("capture", others, _envelope(CaptureBatch(thing, site, []))),
        )

    def turn(self) -> float:
        """Send what is due, if connected, until no more than that waits."""
        try:
            self._empty()
        except sqlite3.Error as error:
            self._outbox.failed(error)
        return TURN_SECONDS

    def finish(self) -> None:
        """Send what can be sent at once; what remains is on disk."""
        self.turn()

    def connected(self) -> None:
        """There is a connection anew: what failed before is tried at once."""
        for kind in self._kinds:
            kind.due, kind.failures = 0.0, 0
        self.wake()

    def _empty(self) -> None:
        more = True
        while more and self._link.connected:
            more = False
            # In rounds, so that a backlog of one kind does not keep the others waiting.
            for kind in self._kinds:
                if self._link.connected and (self.stopping or self._monotonic() >= kind.due):
                    more |= self._send(kind)
            more &= not self.stopping

    def _send(self, kind: _Kind) -> bool:
        """Send one message; whether there is enough for another."""
        pending = self._outbox.waiting_for(kind.name, MESSAGE_BYTES)
        if not pending:
            return False
        body = b",".join(item.body for item in pending)
        message = kind.envelope[0] + body + kind.envelope[1]
        self._wait_turn(len(message))
        timeout = LAST_ACK_SECONDS if self.stopping else ACK_SECONDS
        now = self._monotonic()
        if not self._link.publish(topics.uplink(self._thing, kind.name), message, timeout):
            # Or a message that is refused, or whose acknowledgement is, goes up again and again.
            kind.failures += 1
            kind.due = now + min(LONGEST_PAUSE_SECONDS, 2.0 ** min(kind.failures, 10))
            return False
        kind.failures = 0
        self._outbox.acknowledge(kind.name, pending)
        self.sent[kind.name] += len(message)
        if self._outbox.bytes_by_kind.get(kind.name, 0) >= MESSAGE_BYTES // 2:
            return True
        kind.due = now + kind.interval
        return False

    def _wait_turn(self, size: int) -> None:
        now = self._monotonic()
        if self._free > now:
            self.pause(self._free - now)
        self._free = max(self._free, now) + size / self._max_rate


def _envelope(empty: object) -> tuple[bytes, bytes]:
    """What stands before and after the items, taken from the encoded empty batch."""
    before, after = codec.encode(empty).split(b"[]")
    return before + b"[", b"]" + after

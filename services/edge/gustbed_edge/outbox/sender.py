"""Empties the outbox into IoT Core: oldest first, deleted only once acknowledged."""

import time
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
CATCH_UP = 4
"""Messages per kind and turn while there is a backlog; in steady state it is one."""
TURN_SECONDS = 1.0
ACK_SECONDS = 20.0
LAST_ACK_SECONDS = 0.5
"""While stopping."""


@dataclass(slots=True)
class _Kind:
    name: str
    interval: float
    envelope: tuple[bytes, bytes]
    due: float = 0.0
    catch_up: int = CATCH_UP


class Sender(Worker):
    """A worker that sends each kind of message at its own interval while connected."""

    def __init__(
        self,
        outbox: Outbox,
        link: Uplink,
        *,
        thing: str,
        site: str,
        verdict_interval: float,
        telemetry_interval: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__("sender")
        self._outbox = outbox
        self._link = link
        self._thing = thing
        self._monotonic = monotonic
        self._kinds = (
            _Kind("events", 1.0, _envelope(EventBatch(thing, site, []))),
            _Kind("verdicts", verdict_interval, _envelope(VerdictBatch(thing, site, []))),
            _Kind("telemetry", telemetry_interval, _envelope(TelemetryBatch(thing, site, []))),
            _Kind("logs", telemetry_interval, _envelope(LogBatch(thing, site, []))),
            # Nobody waits for these: one at a time, and never what the others need the link for.
            _Kind(
                "capture", telemetry_interval, _envelope(CaptureBatch(thing, site, [])), catch_up=1
            ),
        )

    def turn(self) -> float:
        """Send what is due, if connected."""
        if self._link.connected:
            now = self._monotonic()
            for kind in self._kinds:
                if (now >= kind.due or self.stopping) and self._send(kind):
                    kind.due = now + kind.interval
        return TURN_SECONDS

    def finish(self) -> None:
        """Send what can be sent at once; what remains is on disk."""
        self.turn()

    def _send(self, kind: _Kind) -> bool:
        """Send up to ``catch_up`` messages; whether anything was sent."""
        sent = False
        timeout = LAST_ACK_SECONDS if self.stopping else ACK_SECONDS
        for _ in range(kind.catch_up):
            pending = self._outbox.waiting_for(kind.name, MESSAGE_BYTES)
            if not pending:
                break
            body = b",".join(item.body for item in pending)
            message = kind.envelope[0] + body + kind.envelope[1]
            topic = topics.uplink(self._thing, kind.name)
            if not self._link.connected or not self._link.publish(topic, message, timeout):
                break
            self._outbox.acknowledge(kind.name, pending)
            sent = True
            if len(body) < MESSAGE_BYTES // 2:
                break
        return sent


def _envelope(empty: object) -> tuple[bytes, bytes]:
    """What stands before and after the items, taken from the encoded empty batch."""
    before, after = codec.encode(empty).split(b"[]")
    return before + b"[", b"]" + after

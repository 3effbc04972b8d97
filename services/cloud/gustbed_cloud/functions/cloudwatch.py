"""Lines of the fleet's log, and how they get into CloudWatch Logs.

A message that cannot be read becomes a line of the stream ``<thing>/rejected`` with a reason, so
that nothing is lost.
"""

import json
import re
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from envelope import Message, RejectedError

Line = tuple[int, str]
"""Unix time in milliseconds, and the text."""

_STREAM_SAFE = re.compile(r"[^A-Za-z0-9_-]")
# PutLogEvents: 1 MiB and 10,000 events a call, 26 bytes of overhead each, 24 hours from first to
# last, at most 14 days back and 2 hours ahead.
_MAX_BYTES, _MAX_EVENTS, _OVERHEAD = 1_000_000, 10_000, 26
_DAY_MS = 24 * 3600 * 1000
_OLDEST_MS, _NEWEST_MS = 13 * _DAY_MS, 3600 * 1000
_MAX_LINE = 250_000


def rejected(message: Message | None, reason: object, body: str, now: float) -> tuple[str, Line]:
    """Stream and line of a message that cannot be used; None is one without an envelope."""
    thing, topic = (message.thing, message.topic) if message else ("unknown", "unknown")
    content = {"thing": thing, "kind": topic, "reason": str(reason), "payload": body[:4000]}
    return stream_of(thing, "rejected"), line_of(content, message.received if message else now)


def stream_of(thing: str, topic: str) -> str:
    """Name of the stream of a thing's lines of one topic."""
    return f"{_STREAM_SAFE.sub('_', thing)[:128] or 'unknown'}/{topic}"


def line_of(content: dict[str, Any], t: float) -> Line:
    """Make a line of ``t`` (Unix seconds). Raises ``RejectedError`` if it is too long."""
    text = to_json(content)
    if len(text) > _MAX_LINE:
        raise RejectedError(f"a line of more than {_MAX_LINE} bytes")
    return int(t * 1000), text.decode()


def to_json(content: object, *, allow_nan: bool = True) -> bytes:
    """Compact JSON in UTF-8. Raises ``ValueError`` for a NaN that is not allowed."""
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False, allow_nan=allow_nan)
    # Half a surrogate pair is no UTF-8; as a backslash escape it is JSON again.
    return text.encode("utf-8", "backslashreplace")


def write(logs: Any, group: str, stream: str, lines: Iterable[Line], now: float) -> None:
    """Put lines in order of time, in as many calls as the service's limits ask for."""
    now_ms = int(now * 1000)
    clamped = ((min(max(t, now_ms - _OLDEST_MS), now_ms + _NEWEST_MS), text) for t, text in lines)
    for batch in batches(sorted(clamped, key=lambda line: line[0])):
        events = [{"timestamp": t, "message": text} for t, text in batch]
        try:
            logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
        except logs.exceptions.ResourceNotFoundException:
            with suppress(logs.exceptions.ResourceAlreadyExistsException):
                logs.create_log_stream(logGroupName=group, logStreamName=stream)
            logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def batches(lines: Iterable[Line]) -> Iterable[list[Line]]:
    """Cut sorted lines where a call to PutLogEvents must end."""
    batch: list[Line] = []
    size = 0
    for line in lines:
        cost = len(line[1].encode()) + _OVERHEAD
        full = size + cost > _MAX_BYTES or len(batch) >= _MAX_EVENTS
        if batch and (full or line[0] - batch[0][0] >= _DAY_MS):
            yield batch
            batch, size = [], 0
        batch.append(line)
        size += cost
    if batch:
        yield batch

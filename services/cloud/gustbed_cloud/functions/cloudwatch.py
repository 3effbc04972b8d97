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
    """Put lines in order of time, in as many calls as the service's limits ask for.

    A line that CloudWatch Logs takes no more, or not yet, is written as of now, its own time kept
    in it as ``true_time``. Raises ``RuntimeError`` if it refuses that, too.
    """
    now_ms = int(now * 1000)
    good: list[Line] = []
    odd: list[Line] = []
    for line in lines:
        in_time = now_ms - _OLDEST_MS <= line[0] <= now_ms + _NEWEST_MS
        (good if in_time else odd).append(line)
    for batch in batches(sorted(good, key=lambda line: line[0])):
        odd += _refused(batch, _put(logs, group, stream, batch))
    if not odd:
        return
    print(json.dumps({"level": "warning", "stream": stream, "retimed": len(odd)}))
    for batch in batches([retimed(line, now_ms) for line in odd]):
        if _refused(batch, answer := _put(logs, group, stream, batch)):
            raise RuntimeError(f"stream {stream}: not taken: {answer['rejectedLogEventsInfo']}")


def retimed(line: Line, now_ms: int) -> Line:
    """The line as of now, with its own time, in Unix seconds, as ``true_time``."""
    return now_ms, to_json({**json.loads(line[1]), "true_time": line[0] / 1000}).decode()


def _put(logs: Any, group: str, stream: str, batch: list[Line]) -> dict[str, Any]:
    events = [{"timestamp": t, "message": text} for t, text in batch]
    try:
        answer = logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
    except logs.exceptions.ResourceNotFoundException:
        with suppress(logs.exceptions.ResourceAlreadyExistsException):
            logs.create_log_stream(logGroupName=group, logStreamName=stream)
        answer = logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
    return dict(answer or {})


def _refused(batch: list[Line], answer: dict[str, Any]) -> list[Line]:
    """The lines that were not taken, though the call succeeded: it says where they begin or end."""
    info = answer.get("rejectedLogEventsInfo") or {}
    # Up to these, the first of the batch are too old; "end" is the index after the last.
    oldest = max(info.get("tooOldLogEventEndIndex", 0), info.get("expiredLogEventEndIndex", 0))
    newest = info.get("tooNewLogEventStartIndex", len(batch))
    return [line for i, line in enumerate(batch) if i < oldest or i >= newest]


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

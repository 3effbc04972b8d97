"""Write what edges send to CloudWatch Logs: a stream per thing and kind, a JSON line per record.

Deliveries repeat; readers fold verdicts by (turbine, boot, seq) and events by id. A message that
cannot be read goes to the stream ``<thing>/rejected`` with a reason, so that nothing is lost.
"""

import json
import os
import re
import time
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from gustbed_protocol.topics import UPLINK_KINDS

Line = tuple[int, str]
"""Unix time in milliseconds, and the text."""

_BATCHED = {"verdicts": "verdicts", "events": "events", "telemetry": "turbines", "logs": "lines"}
_ENVELOPE = ("mqtt_client", "mqtt_thing", "mqtt_kind", "mqtt_received")
_STREAM_SAFE = re.compile(r"[^A-Za-z0-9_-]")
# PutLogEvents: 1 MiB and 10,000 events a call, 26 bytes of overhead each, 24 hours from first to
# last, at most 14 days back and 2 hours ahead.
_MAX_BYTES, _MAX_EVENTS, _OVERHEAD = 1_000_000, 10_000, 26
_DAY_MS = 24 * 3600 * 1000
_OLDEST_MS, _NEWEST_MS = 13 * _DAY_MS, 3600 * 1000
_MAX_LINE = 250_000


class RejectedError(Exception):
    """A message that is none of ours. The text is the reason."""


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Take a batch from the queue; return the messages that must be delivered again."""
    import boto3

    return ingest(event, boto3.client("logs"), os.environ["LOG_GROUP"], time.time())


def ingest(event: dict[str, Any], logs: Any, group: str, now: float) -> dict[str, Any]:
    """Write a batch stream by stream. A stream that fails fails only its own messages."""
    streams: dict[str, list[Line]] = defaultdict(list)
    sources: dict[str, set[str]] = defaultdict(set)
    for record in event["Records"]:
        for stream, line in read(record["body"], now):
            streams[stream].append(line)
            sources[stream].add(record["messageId"])
    failed: set[str] = set()
    for stream, lines in streams.items():
        try:
            write(logs, group, stream, lines, now)
        except Exception as error:  # noqa: BLE001 - whatever it is, SQS delivers again
            print(json.dumps({"level": "error", "stream": stream, "error": str(error)}))
            failed |= sources[stream]
    return {"batchItemFailures": [{"itemIdentifier": name} for name in sorted(failed)]}


def read(body: str, now: float) -> list[tuple[str, Line]]:
    """Split a message into lines by stream. Never raises: a bad one becomes a rejected line."""
    try:
        message = json.loads(body)
    except ValueError:
        return [_rejected("unknown", "unknown", "not JSON", body, now)]
    if not isinstance(message, dict) or not isinstance(message.get("mqtt_thing"), str):
        return [_rejected("unknown", "unknown", "not from the topic rule", body, now)]
    thing, kind = message["mqtt_thing"], str(message.get("mqtt_kind"))
    received = _seconds(message.get("mqtt_received"), 1000, now)
    try:
        return [
            (f"{_safe(thing)}/{kind}", line) for line in lines_of(thing, kind, message, received)
        ]
    except RejectedError as reason:
        return [_rejected(thing, kind, str(reason), body, received)]


def lines_of(thing: str, kind: str, message: dict[str, Any], received: float) -> list[Line]:
    """One line per record, with the record's own time. Raises ``RejectedError``."""
    if kind not in UPLINK_KINDS:
        raise RejectedError(f"kind {kind!r} is not one of {', '.join(UPLINK_KINDS)}")
    payload = {key: value for key, value in message.items() if key not in _ENVELOPE}
    field = _BATCHED[kind]
    if field not in payload:
        if kind != "logs" or "type" not in payload:
            raise RejectedError(f"no list {field!r}")
        # The reference systems' records share the logs topic.
        return [_line({"thing": thing, **payload}, received)]
    rows = payload[field]
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise RejectedError(f"{field!r} is not a list of objects")
    origin = {"site": payload.get("site"), "thing": thing}
    return [_line({**row, **origin}, _time_of(row, kind, received)) for row in rows]


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


def _time_of(row: dict[str, Any], kind: str, received: float) -> float:
    if kind != "events":
        return _seconds(row.get("t"), 1, received)
    if row.get("change") == "closed":
        return _seconds(row.get("closed"), 1, received)
    # An update happens after the opening; when exactly, only the arrival tells.
    return received if row.get("change") == "updated" else _seconds(row.get("opened"), 1, received)


def _seconds(value: object, scale: int, otherwise: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return otherwise
    seconds = value / scale
    return seconds if 0 <= seconds < 1e11 else otherwise


def _line(content: dict[str, Any], t: float) -> Line:
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    if len(text.encode()) > _MAX_LINE:
        raise RejectedError(f"a line of more than {_MAX_LINE} bytes")
    return int(t * 1000), text


def _rejected(thing: str, kind: str, reason: str, body: str, t: float) -> tuple[str, Line]:
    content = {"thing": thing, "kind": kind, "reason": reason, "payload": body[:4000]}
    return f"{_safe(thing)}/rejected", _line(content, t)


def _safe(name: str) -> str:
    return _STREAM_SAFE.sub("_", name)[:128] or "unknown"

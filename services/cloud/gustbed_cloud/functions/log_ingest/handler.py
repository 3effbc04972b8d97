"""Write what edges send to CloudWatch Logs: a stream per thing and topic, a JSON line per record.

Deliveries repeat; readers fold verdicts by (turbine, boot, seq) and events by id.
"""

import json
import os
import time
from collections import defaultdict
from functools import cache
from typing import Any

from cloudwatch import Line, line_of, rejected, stream_of, write
from envelope import Message, RejectedError, seconds, unwrap
from membership import Members, Ours, everybody

_BATCHED = {"verdicts": "verdicts", "events": "events", "telemetry": "turbines", "logs": "lines"}
"""By topic, the field that holds the records. Captures have a function of their own."""


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Take a batch from the queue; return the messages that must be delivered again."""
    import boto3

    ours = _members(os.environ["STACK"])
    return ingest(event, boto3.client("logs"), os.environ["LOG_GROUP"], time.time(), ours)


@cache
def _members(stack: str) -> Members:
    """Kept as long as Lambda keeps this process, so that a thing is not asked about each time."""
    import boto3

    return Members(boto3.client("iot"), stack)


def ingest(
    event: dict[str, Any], logs: Any, group: str, now: float, ours: Ours = everybody
) -> dict[str, Any]:
    """Write a batch stream by stream. A stream that fails fails only its own messages."""
    streams: dict[str, list[Line]] = defaultdict(list)
    sources: dict[str, set[str]] = defaultdict(set)
    for record in event["Records"]:
        for stream, line in read(record["body"], now, ours):
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


def read(body: str, now: float, ours: Ours) -> list[tuple[str, Line]]:
    """Split a message into lines by stream. Never raises: a bad one becomes a rejected line."""
    message: Message | None = None
    try:
        message = unwrap(body, now)
        if not ours(message.thing):
            return []
        stream = stream_of(message.thing, message.topic)
        return [(stream, line) for line in lines_of(message)]
    except RejectedError as reason:
        return [rejected(message, reason, body, now)]


def lines_of(message: Message) -> list[Line]:
    """One line per record, with the record's own time. Raises ``RejectedError``."""
    topic, payload, thing = message.topic, message.payload, message.thing
    if topic not in _BATCHED:
        raise RejectedError(f"topic {topic!r} is not one of {', '.join(_BATCHED)}")
    field = _BATCHED[topic]
    if field not in payload:
        if topic != "logs" or "type" not in payload:
            raise RejectedError(f"no list {field!r}")
        # The reference systems' records share the logs topic.
        return [line_of({"thing": thing, **payload}, message.received)]
    rows = payload[field]
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise RejectedError(f"{field!r} is not a list of objects")
    origin = {"site": payload.get("site"), "thing": thing}
    return [line_of({**row, **origin}, _time_of(row, topic, message.received)) for row in rows]


def _time_of(row: dict[str, Any], topic: str, received: float) -> float:
    if topic != "events":
        return seconds(row.get("t"), 1, received)
    if row.get("change") == "closed":
        return seconds(row.get("closed"), 1, received)
    # An update happens after the opening; when exactly, only the arrival tells.
    return received if row.get("change") == "updated" else seconds(row.get("opened"), 1, received)

"""Put what edges captured into the lake, through Firehose: a line of JSON per message.

Every line is compressed by itself. Firehose joins records as they are, and gzip files that are
joined are one gzip file, so an object reads the same however many lines it was made of. Deliveries
repeat; readers fold captures by (turbine, boot, t0).
"""

import gzip
import json
import os
import time
from collections.abc import Iterator
from functools import cache
from typing import Any

import cloudwatch
from envelope import Message, RejectedError, unwrap
from membership import Members, Ours, everybody

TOPIC = "capture"
SCHEMA = 1
FIELDS: dict[str, type | tuple[type, ...]] = {
    "turbine": str,
    "type": str,
    "boot": str,
    "t0": (int, float),
    "dt": (int, float),
    "channels": list,
    "values": str,
    "scores": list,
    "anomalies": int,
    "model": (dict, type(None)),
    "reason": str,
}
"""Of ``gustbed_core.capture.Capture``, which needs NumPy; its readers look closer."""
OPTIONAL: dict[str, type] = {"violations": list, "commissioning": str, "fair": bool}
"""The same, of fields that edges of 0.3 do not send."""
MAX_RECORD_BYTES = 1000 * 1024
# PutRecordBatch: 500 records and 4 MiB a call.
_MAX_RECORDS, _MAX_CALL_BYTES = 500, 4_000_000

Record = tuple[str, bytes]
"""A queue message's id, and what it becomes."""


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Take a batch from the queue; return the messages that must be delivered again."""
    import boto3

    lake = Lake(boto3.client("firehose"), os.environ["LAKE_STREAM"])
    log = Log(boto3.client("logs"), os.environ["LOG_GROUP"])
    return ingest(event, lake, log, time.time(), _members(os.environ["STACK"]))


@cache
def _members(stack: str) -> Members:
    """Kept as long as Lambda keeps this process, so that a thing is not asked about each time."""
    import boto3

    return Members(boto3.client("iot"), stack)


class Lake:
    """The way into the lake."""

    def __init__(self, firehose: Any, stream: str) -> None:
        self._firehose = firehose
        self._stream = stream

    def put(self, records: list[Record]) -> set[str]:
        """Send records; return the ids of those that were not taken."""
        failed: set[str] = set()
        for batch in batches(records):
            ids = [name for name, _ in batch]
            try:
                answer = self._firehose.put_record_batch(
                    DeliveryStreamName=self._stream, Records=[{"Data": data} for _, data in batch]
                )
            except Exception as error:  # noqa: BLE001 - whatever it is, SQS delivers again
                _log_error(error)
                failed |= set(ids)
                continue
            for name, answered in zip(ids, answer["RequestResponses"], strict=True):
                if answered.get("ErrorCode"):
                    _log_error(answered.get("ErrorMessage", answered["ErrorCode"]))
                    failed.add(name)
        return failed


class Log:
    """The fleet's log, for what does not get into the lake."""

    def __init__(self, logs: Any, group: str) -> None:
        self._logs = logs
        self._group = group

    def put(self, stream: str, line: cloudwatch.Line, now: float) -> bool:
        """Write a line; return whether that succeeded."""
        try:
            cloudwatch.write(self._logs, self._group, stream, [line], now)
        except Exception as error:  # noqa: BLE001 - whatever it is, SQS delivers again
            _log_error(error)
            return False
        return True


def ingest(
    event: dict[str, Any], lake: Lake, log: Log, now: float, ours: Ours = everybody
) -> dict[str, Any]:
    """Send good messages to the lake and bad ones to the log; what fails is delivered again."""
    records: list[Record] = []
    failed: set[str] = set()
    for row in event["Records"]:
        name, body = row["messageId"], row["body"]
        message: Message | None = None
        try:
            message = unwrap(body, now)
            if not ours(message.thing):
                continue
            records.append((name, record_of(message)))
        except RejectedError as reason:
            if not log.put(*cloudwatch.rejected(message, reason, body, now), now):
                failed.add(name)
    failed |= lake.put(records)
    return {"batchItemFailures": [{"itemIdentifier": name} for name in sorted(failed)]}


def record_of(message: Message) -> bytes:
    """Compress a message to a line of the lake. Raises ``RejectedError``."""
    if message.topic != TOPIC:
        raise RejectedError(f"topic {message.topic!r} is not {TOPIC}")
    payload = message.payload
    if payload.get("schema") != SCHEMA:
        raise RejectedError(f"schema {payload.get('schema')!r} is not {SCHEMA}")
    captures = payload.get("captures")
    if not isinstance(payload.get("site"), str) or not isinstance(captures, list) or not captures:
        raise RejectedError("no 'site', or no list 'captures'")
    for number, capture in enumerate(captures):
        _check(number, capture)
    # The topic, not the payload, says who sent it.
    origin = {"thing": message.thing, "site": payload["site"]}
    line = {**origin, "captures": captures, "schema": SCHEMA}
    try:
        text = cloudwatch.to_json(line, allow_nan=False)
    except ValueError as error:
        raise RejectedError("a number is not finite") from error
    # mtime 0, so that a message that is delivered again is the same record.
    record = gzip.compress(text + b"\n", mtime=0)
    if len(record) > MAX_RECORD_BYTES:
        raise RejectedError(f"a record of {len(record)} bytes, at most {MAX_RECORD_BYTES}")
    return record


def batches(records: list[Record]) -> Iterator[list[Record]]:
    """Cut records where a call to PutRecordBatch must end."""
    batch: list[Record] = []
    size = 0
    for record in records:
        if batch and (len(batch) >= _MAX_RECORDS or size + len(record[1]) > _MAX_CALL_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += len(record[1])
    if batch:
        yield batch


def _check(number: int, capture: object) -> None:
    if not isinstance(capture, dict):
        raise RejectedError(f"capture {number} is not an object")
    for name, wanted in FIELDS.items():
        if name not in capture or not isinstance(capture[name], wanted):
            raise RejectedError(f"capture {number}: {name!r} is missing or of a wrong type")
    for name, kind in OPTIONAL.items():
        if not isinstance(capture.get(name, kind()), kind):
            raise RejectedError(f"capture {number}: {name!r} is of a wrong type")


def _log_error(error: object) -> None:
    print(json.dumps({"level": "error", "error": str(error)}))

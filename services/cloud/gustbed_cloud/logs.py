"""What edges sent, read back from CloudWatch Logs."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import msgspec

from gustbed_cloud.aws import readable_errors
from gustbed_cloud.client import Cloud
from gustbed_core.events import AnomalyEvent

REJECTED = "rejected"
"""The stream of messages which could not be read."""
_AT_ONCE = 100
"""Streams that FilterLogEvents takes in one call."""
_RANK = {"opened": 0, "updated": 1, "closed": 2}


@dataclass(frozen=True)
class LogRecord:
    """One line. ``t`` is its Unix time in seconds."""

    t: float
    thing: str
    topic: str
    content: dict[str, Any]


@readable_errors()
def read_log(
    cloud: Cloud,
    topic: str,
    *,
    thing: str | None = None,
    since: float | None = None,
    limit: int = 10_000,
) -> list[LogRecord]:
    """Return the lines of one topic (``telemetry``, ``verdicts``, ``events``, ``logs``, …) by time.

    Each line once: deliveries repeat, and a record that came twice is the same text twice.
    """
    logs, group = cloud.client("logs"), cloud.outputs.log_group_name
    streams = [name for name in _streams(logs, group, thing) if name.endswith(f"/{topic}")]
    start = {} if since is None else {"startTime": int(since * 1000)}
    lines: list[LogRecord] = []
    for first in range(0, len(streams), _AT_ONCE):
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=group, logStreamNames=streams[first : first + _AT_ONCE], **start
        )
        rows = (row for page in pages for row in page["events"])
        lines.extend(islice(_records(_once(rows)), limit))
    # The emulator ignores some filters; what was asked for is kept here too.
    kept = [line for line in lines if since is None or line.t >= since]
    return sorted(kept, key=lambda line: line.t)[:limit]


def read_events(
    cloud: Cloud, *, thing: str | None = None, since: float | None = None
) -> list[AnomalyEvent]:
    """Return anomaly events that changed since then: each once, in its latest state."""
    return fold(line.content for line in read_log(cloud, "events", thing=thing, since=since))


def fold(rows: Iterable[dict[str, Any]]) -> list[AnomalyEvent]:
    """Keep each event's latest change, in order of opening; skip rows that make no sense."""
    latest: dict[str, AnomalyEvent] = {}
    for row in rows:
        try:
            event = msgspec.convert(row, AnomalyEvent)
        except msgspec.ValidationError:
            continue
        known = latest.get(event.id)
        if known is None or _age(event) >= _age(known):
            latest[event.id] = event
    return sorted(latest.values(), key=lambda event: event.opened)


def _age(event: AnomalyEvent) -> tuple[int, float]:
    return _RANK[event.change], event.peak_score


def _streams(logs: Any, group: str, thing: str | None) -> Iterator[str]:
    prefix = {} if thing is None else {"logStreamNamePrefix": f"{thing}/"}
    for page in logs.get_paginator("describe_log_streams").paginate(logGroupName=group, **prefix):
        for stream in page["logStreams"]:
            yield stream["logStreamName"]


def _once(rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    seen: set[tuple[str, str]] = set()
    for row in rows:
        key = row["logStreamName"], row["message"]
        if key not in seen:
            seen.add(key)
            yield row


def _records(rows: Iterable[dict[str, Any]]) -> Iterator[LogRecord]:
    for row in rows:
        thing, _, topic = row["logStreamName"].rpartition("/")
        try:
            content = json.loads(row["message"])
        except ValueError:
            continue
        if isinstance(content, dict):
            yield LogRecord(row["timestamp"] / 1000, thing, topic, content)

"""What a stack costs in a month, at list prices: quantities from what sites send, a price each.

What goes up is measured (docs/uplink.md, "How much that is"); how AWS meters it is AWS' word. Where
a quantity is not known it is the most that it can be, or an assumption that the line names.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gustbed_core.errors import GustbedError

PRICES = Path(__file__).with_name("prices.json")
HOURS = 730
_DAYS, _MINUTES, _SECONDS = HOURS / 24, HOURS * 60, HOURS * 3600
_GB = 1e9


@dataclass(frozen=True)
class TypeBytes:
    """Measured bytes of a type's records."""

    verdict: int
    summary: int


RECORDS = {"mini": TypeBytes(338, 165), "nrel_5mw": TypeBytes(1177, 568)}
EVENT_BYTES, EVENT_CHANGES, EVENT_VERDICTS = 284, 4, 42
"""An anomaly event: bytes of a change, changes, and verdicts that go up around it."""
CAPTURE_BYTES_PER_DAY = 64 * 1024 * 1024
"""At most, of a site: the default of GUSTBED_EDGE_CAPTURE_MAX_BYTES_PER_DAY."""
MESSAGE_BYTES, CAPTURE_MESSAGE_BYTES = 100 * 1024, 96 * 1024
VERDICT_EVERY, OTHERS_EVERY = 2.0, 5.0
"""Seconds between two messages of a kind, at least, while no more waits than one takes."""
METERED = 5 * 1024
"""Bytes of a message, rule or action that AWS IoT counts as one, and Firehose of a record."""
LINE_OVERHEAD, RUN_LOG_BYTES = 26 + 60, 500
"""CloudWatch Logs' own bytes of a line and our envelope; what AWS Lambda writes of a run."""
RUN_SECONDS, RUN_GB = 0.2, 0.25
"""Assumed of a run of a function: not measured at AWS."""
POLLS_PER_SECOND = 5 / 20
"""AWS Lambda's five pollers of a queue, each waiting 20 s."""
QUEUES, KEYS, ALARMS, DASHBOARDS = 3, 2, 14, 1
DELIVERIES = HOURS * 12
"""Objects that Firehose writes at most, one in five minutes."""

NOT_COUNTED = (
    "free tiers and taxes",
    "shadows of turbines that report a state",
    "what you read: dashboards, log queries, objects",
    "traffic out of AWS: packages that edges download, logs and captures that you fetch",
    "mail of alerts beyond SNS' own price; support; the site's own network",
)


@dataclass(frozen=True)
class Fleet:
    """What is estimated. ``events``: of a turbine a day; ``rollouts``: of the fleet a month."""

    sites: int = 1
    turbines: int = 6
    kind: str = "mini"
    events: float = 1.0
    rollouts: float = 1.0
    lake_days: int = 90
    record: TypeBytes = field(init=False)

    def __post_init__(self) -> None:
        if self.kind not in RECORDS:
            known = ", ".join(sorted(RECORDS))
            raise GustbedError(f"type {self.kind!r}: its records were not measured", f"use {known}")
        object.__setattr__(self, "record", RECORDS[self.kind])


@dataclass(frozen=True)
class Prices:
    """Unit prices of one region, by name; None where it is not known."""

    region: str
    currency: str
    date: str
    note: str
    by_name: dict[str, float | None]


@dataclass(frozen=True)
class Item:
    """A line: a quantity in a month, of a unit with a price. ``how`` says where it comes from."""

    what: str
    quantity: float
    unit: str
    price: float | None
    how: str

    @property
    def cost(self) -> float | None:
        """In a month."""
        return None if self.price is None else self.quantity * self.price


@dataclass(frozen=True)
class Traffic:
    """What one site sends in a month: messages, bytes, and units as AWS meters them."""

    messages: float
    size: float

    @property
    def units(self) -> float:
        """Parts of 5 KB, at most: each message begins one."""
        return self.messages + self.size / METERED


def read_prices(region: str, path: Path = PRICES) -> Prices:
    """Read a price file. Raises ``GustbedError`` naming the file, or a region that it lacks."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        regions: dict[str, Any] = content["regions"]
        currency, date, note = (str(content[name]) for name in ("currency", "date", "note"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise GustbedError(f"{path}: no price file: {error}", f"write it as {PRICES}") from error
    if region not in regions:
        raise GustbedError(
            f"{path}: no prices of region {region}",
            f"use --region {' or '.join(sorted(regions))}, or a file of your own with --prices",
        )
    prices = {name: None if each is None else float(each) for name, each in regions[region].items()}
    lacking = sorted(set(_wanted()) - prices.keys())
    if lacking:
        raise GustbedError(
            f"{path}: region {region} has no {lacking[0]}", "add it, null if unknown"
        )
    return Prices(region, currency, date, note, prices)


def _wanted() -> Iterator[str]:
    content = json.loads(PRICES.read_text(encoding="utf-8"))
    yield from next(iter(content["regions"].values()))


def traffic(fleet: Fleet) -> dict[str, Traffic]:
    """What one site sends in a month, by uplink kind."""
    turbines, record = fleet.turbines, fleet.record
    events = turbines * fleet.events * _DAYS
    # One of each turbine in a minute, spread over it, and what goes up around events.
    verdicts = turbines * _MINUTES + events * EVENT_VERDICTS
    summaries = turbines * _MINUTES
    changes = events * EVENT_CHANGES
    captured = CAPTURE_BYTES_PER_DAY * _DAYS
    return {
        "verdicts": _batched(verdicts, record.verdict, VERDICT_EVERY),
        "telemetry": _batched(summaries, record.summary, OTHERS_EVERY),
        "events": Traffic(changes, changes * EVENT_BYTES),
        "capture": Traffic(captured / CAPTURE_MESSAGE_BYTES, captured),
    }


def _batched(records: float, size: int, every: float) -> Traffic:
    """Messages of records that wait for each other: not more often than the sender's interval."""
    most = max(_SECONDS / every, records * size / MESSAGE_BYTES)
    return Traffic(min(records, most), records * size)


Row = tuple[str, float, str, str, str]
"""What, quantity, unit, the price's name, and where the quantity comes from."""


def estimate(fleet: Fleet, prices: Prices) -> list[Item]:
    """Every line of a month's bill that follows from what sites send."""
    sent = traffic(fleet)
    rows = [*_iot(fleet, sent), *_functions(fleet, sent), *_kept(fleet, sent), *_standing()]
    return [
        Item(what, quantity, unit, prices.by_name[name], how)
        for what, quantity, unit, name, how in rows
    ]


def _iot(fleet: Fleet, sent: dict[str, Traffic]) -> Iterator[Row]:
    sites, unit = fleet.sites, "million of 5 KB"
    every = sites * sum(each.units for each in sent.values())
    events, captures = (sites * sent[name].units for name in ("events", "capture"))
    minutes = sites * _MINUTES / 1e6
    why = "a verdict and a summary a minute and turbine, events, captures at most"
    pace = f"{fleet.rollouts:g} rollouts a month on every edge"
    yield "IoT, connected", minutes, "million minutes", "iot_million_minutes", "one edge a site"
    yield "IoT, messages", every / 1e6, unit, "iot_million_messages", why
    rules = (every + events + captures) / 1e6
    yield "IoT, rules", rules, unit, "iot_million_rules", "two see events and captures"
    actions = (every + events) / 1e6
    yield "IoT, actions", actions, unit, "iot_million_actions", "one for each rule that routes"
    yield "IoT, jobs", sites * fleet.rollouts, "executions", "jobs_execution", pace


def _runs(fleet: Fleet, sent: dict[str, Traffic]) -> float:
    """Runs of functions at most: one for each message, a second one for events."""
    messages = sum(each.messages for each in sent.values()) + sent["events"].messages
    return fleet.sites * messages


def _functions(fleet: Fleet, sent: dict[str, Traffic]) -> Iterator[Row]:
    runs, request = _runs(fleet, sent), "sqs_million_requests"
    polls = QUEUES * POLLS_PER_SECOND * _SECONDS / 1e6
    poller = f"by Lambda: 5 pollers of 20 s on each of {QUEUES} queues"
    assumed = f"{RUN_SECONDS:g} s of 256 MB each, assumed"
    yield "SQS, messages", 3 * runs / 1e6, "million requests", request, "sent, received, deleted"
    yield "SQS, polling", polls, "million requests", request, poller
    yield "Lambda, runs", runs / 1e6, "million", "lambda_million_requests", "one a message, at most"
    yield "Lambda, time", runs * RUN_SECONDS * RUN_GB, "GB-seconds", "lambda_gb_second", assumed
    told = fleet.sites * fleet.turbines * fleet.events * 2 * _DAYS / 1e6
    yield "SNS, alerts", told, "million", "sns_million_publishes", "events opened and closed"


def _kept(fleet: Fleet, sent: dict[str, Traffic]) -> Iterator[Row]:
    around = fleet.events * _DAYS * (EVENT_VERDICTS + EVENT_CHANGES)
    lines = fleet.sites * fleet.turbines * (2 * _MINUTES + around)
    size = fleet.sites * sum(each.size for name, each in sent.items() if name != "capture")
    logs = (size + lines * LINE_OVERHEAD + _runs(fleet, sent) * RUN_LOG_BYTES) / _GB
    captures = fleet.sites * sent["capture"].size / _GB
    days = f"{fleet.lake_days} days of captures at most"
    yield "Logs, taken in", logs, "GB", "cloudwatch_log_gb", "records, and what functions print"
    yield "Logs, kept", logs, "GB-months", "cloudwatch_log_gb_month", "30 days, not compressed"
    yield "Firehose", captures, "GB", "firehose_gb", "captures at most, not compressed"
    yield "S3, lake", captures * fleet.lake_days / _DAYS, "GB-months", "s3_gb_month", days
    puts = DELIVERIES / 1000
    yield "S3, deliveries", puts, "thousand", "s3_thousand_puts", "one in five minutes, at most"


def _standing() -> Iterator[Row]:
    yield "KMS keys", KEYS, "keys", "kms_key", "signing, alerts"
    yield "Alarms", ALARMS, "alarms", "cloudwatch_alarm", "stack.yaml"
    yield "Dashboard", DASHBOARDS, "dashboards", "cloudwatch_dashboard", "stack.yaml"


def total(items: list[Item]) -> tuple[float, list[str]]:
    """The sum of what has a price, and what has none."""
    known = math.fsum(each.cost for each in items if each.cost is not None)
    return known, [each.what for each in items if each.cost is None]

"""From a device's message to logs and alerts, through rules, queues and functions."""

import time
from collections.abc import Iterator

import pytest

from gustbed_cloud import operations
from gustbed_core.codec import encode
from gustbed_core.event_kinds import ROTATION
from gustbed_core.events import (
    AnomalyEvent,
    EventBatch,
    EventChange,
    LogBatch,
    LogLine,
    ModelRef,
    TelemetryBatch,
    TelemetrySummary,
    Verdict,
    VerdictBatch,
)
from gustbed_core.topics import uplink
from tests.support.cloud import Device, LocalCloud, Mailbox, alert_mailbox, enrolled
from tests.support.ports import wait_until

THING, SITE = "gustbed-site-1", "site-1"
MODEL = ModelRef("windturbine", "1.0.0")


@pytest.fixture(scope="module")
def device(cloud: LocalCloud) -> Iterator[Device]:
    with Device(enrolled(cloud, THING)) as connected:
        yield connected


@pytest.fixture(scope="module")
def client(cloud: LocalCloud) -> operations.Cloud:
    return cloud.connect()


@pytest.fixture
def mailbox(client: operations.Cloud) -> Iterator[Mailbox]:
    topic = client.outputs.alert_topic_arn
    with alert_mailbox(client.client("sqs"), client.client("sns"), topic) as box:
        yield box


def event(id_: str, change: EventChange, *, opened: float, closed: float | None = None) -> bytes:
    anomaly = AnomalyEvent(id_, SITE, THING, "wt03", ROTATION, opened, closed, 3.5, MODEL, change)
    return encode(EventBatch(THING, SITE, [anomaly]))


def test_events_reach_logs_and_alerts_once_each(
    device: Device, client: operations.Cloud, mailbox: Mailbox
) -> None:
    now = time.time()
    for change, closed in (("opened", None), ("updated", None), ("closed", now + 1)):
        device.publish(uplink(THING, "events"), event("e-1", change, opened=now, closed=closed))  # type: ignore[arg-type]
    wait_until(lambda: len(mailbox.fetch()) >= 2, "two notices")
    subjects = sorted(notice["Subject"] for notice in mailbox.notices)
    assert subjects == [
        "rotation anomaly closed on wt03 at site-1",
        "rotation anomaly opened on wt03 at site-1",
    ]
    assert all("e-1" in notice["Message"] for notice in mailbox.notices)
    wait_until(
        lambda: [e.change for e in operations.read_events(client) if e.id == "e-1"] == ["closed"],
        "the event is closed in the logs",
    )
    (found,) = (e for e in operations.read_events(client) if e.id == "e-1")
    assert (found.turbine, found.kind, found.closed) == ("wt03", "rotation", now + 1)


def test_verdicts_telemetry_and_logs_become_lines_with_their_own_time(
    device: Device, client: operations.Cloud
) -> None:
    t = time.time() - 3600.5
    verdict = Verdict("wt01", "boot", 7, t, "ok", 0.4, {"roll": 0.4}, [], MODEL)
    # Of a type that nothing in the cloud knows.
    summary = TelemetrySummary("wt01", "pump", t + 1, {"flow": 48.0, "pressure": 2.1})
    device.publish(uplink(THING, "verdicts"), encode(VerdictBatch(THING, SITE, [verdict])))
    device.publish(uplink(THING, "telemetry"), encode(TelemetryBatch(THING, SITE, [summary])))
    device.publish(
        uplink(THING, "logs"), encode(LogBatch(THING, SITE, [LogLine(t + 2, "info", "hello")]))
    )
    for kind, field, value, offset in (
        ("verdicts", "seq", 7, 0),
        ("telemetry", "values", summary.values, 1),
        ("logs", "message", "hello", 2),
    ):
        wait_until(lambda k=kind: operations.read_log(client, k, thing=THING), f"{kind} in logs")  # type: ignore[misc]
        line = operations.read_log(client, kind, thing=THING)[-1]
        assert line.content[field] == value
        assert (line.content["thing"], line.content["site"]) == (THING, SITE)
        assert line.t == pytest.approx(t + offset, abs=0.001)


@pytest.mark.promise("P3")
def test_record_of_the_reference_systems_is_kept(device: Device, client: operations.Cloud) -> None:
    record = {"type": "rawdata", "data": {"ts": "2026-01-01T00:00:00+00:00", "values": ["1"] * 20}}
    device.publish(uplink(THING, "logs"), record)
    wait_until(
        lambda: [
            line
            for line in operations.read_log(client, "logs", thing=THING)
            if line.content.get("type") == "rawdata"
        ],
        "the record is in the logs",
    )


@pytest.mark.parametrize(
    "payload",
    [b"not json", b"\xff\x00", b'{"events": 5}', b'{"unrelated": true}', b'{"events": [1, 2]}'],
)
def test_malformed_batch_is_kept_apart_with_a_reason(
    device: Device, client: operations.Cloud, payload: bytes
) -> None:
    before = len(operations.read_log(client, "rejected"))
    device.publish(uplink(THING, "events"), payload)
    wait_until(
        lambda: len(operations.read_log(client, "rejected")) > before, "a rejected line appears"
    )
    assert operations.read_log(client, "rejected")[-1].content["reason"]


def test_thing_in_a_payload_does_not_override_the_topic(
    device: Device, client: operations.Cloud
) -> None:
    batch = LogBatch("gustbed-other", SITE, [LogLine(time.time(), "info", "impostor")])
    device.publish(uplink(THING, "logs"), encode(batch))

    def lines() -> list[operations.LogRecord]:
        found = operations.read_log(client, "logs")
        return [line for line in found if line.content.get("message") == "impostor"]

    wait_until(lines, "the line arrives")
    assert {line.thing for line in lines()} == {THING}
    assert lines()[0].content["thing"] == THING


def test_burst_of_messages_arrives_whole(device: Device, client: operations.Cloud) -> None:
    count, t = 120, time.time()
    for i in range(count):
        batch = LogBatch(THING, SITE, [LogLine(t, "info", f"burst {i}")])
        device.publish(uplink(THING, "logs"), encode(batch))

    def arrived() -> set[str]:
        lines = operations.read_log(client, "logs", thing=THING)
        texts = {str(line.content.get("message")) for line in lines}
        return {text for text in texts if text.startswith("burst ")}

    wait_until(lambda: len(arrived()) == count, "every message of the burst", timeout=60)
    assert not device.interrupted

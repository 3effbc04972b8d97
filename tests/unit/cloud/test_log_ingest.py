"""log_ingest: device messages to log lines."""

import json
from typing import Any

import pytest

from tests.unit.cloud.functions import FakeLogs, load, queued

handler = load("log_ingest")
NOW = 1_800_000_000.0
GROUP = "/gustbed/fleet"


def routed(kind: str, payload: dict[str, Any], thing: str = "edge-1") -> dict[str, Any]:
    envelope = {"mqtt_client": thing, "mqtt_thing": thing, "mqtt_kind": kind}
    return {**payload, **envelope, "mqtt_received": int(NOW * 1000)}


def ingest(*bodies: object, logs: FakeLogs | None = None) -> tuple[FakeLogs, dict[str, Any]]:
    logs = logs or FakeLogs()
    return logs, handler.ingest(queued(*bodies), logs, GROUP, NOW)


@pytest.mark.parametrize(
    ("kind", "field"), [("verdicts", "verdicts"), ("telemetry", "turbines"), ("logs", "lines")]
)
def test_every_record_becomes_a_line_with_its_own_time(kind: str, field: str) -> None:
    rows = [{"t": NOW - 20, "turbine": "wt01"}, {"t": NOW - 10, "turbine": "wt02"}]
    logs, result = ingest(routed(kind, {"site": "s", "thing": "liar", field: rows}))
    assert result == {"batchItemFailures": []}
    lines = logs.lines(f"edge-1/{kind}")
    assert [line["turbine"] for line in lines] == ["wt01", "wt02"]
    assert {(line["site"], line["thing"]) for line in lines} == {("s", "edge-1")}
    times = [event["timestamp"] for event in logs.streams[f"edge-1/{kind}"]]
    assert times == [int((NOW - 20) * 1000), int((NOW - 10) * 1000)]


@pytest.mark.parametrize(
    ("change", "seconds"), [("opened", NOW - 60), ("updated", NOW), ("closed", NOW - 5)]
)
def test_event_line_has_the_time_of_its_change(change: str, seconds: float) -> None:
    row = {"id": "e", "change": change, "opened": NOW - 60, "closed": NOW - 5}
    logs, _ = ingest(routed("events", {"events": [row]}))
    (event,) = logs.streams["edge-1/events"]
    assert event["timestamp"] == int(seconds * 1000)


def test_lines_are_sorted_and_split_by_day() -> None:
    rows = [{"t": NOW - age} for age in (0, 3 * 86400, 86400, 2 * 86400)]
    logs, result = ingest(routed("verdicts", {"verdicts": rows}))
    assert result == {"batchItemFailures": []}
    assert len(logs.streams["edge-1/verdicts"]) == 4


def test_lines_beyond_a_mebibyte_are_split() -> None:
    rows = [{"t": NOW, "text": "x" * 100_000, "i": i} for i in range(25)]
    logs, _ = ingest(routed("logs", {"lines": rows}))
    assert [line["i"] for line in logs.lines("edge-1/logs")] == list(range(25))


@pytest.mark.promise("T2")
@pytest.mark.parametrize("t", [NOW - 30 * 86400, NOW - 13.5 * 86400, NOW + 86400])
def test_what_logs_do_not_take_is_written_as_of_now_with_its_true_time(t: float) -> None:
    rows = [{"t": t, "turbine": "wt01"}, {"t": NOW - 5, "turbine": "wt02"}]
    logs, result = ingest(routed("verdicts", {"verdicts": rows}))
    assert result == {"batchItemFailures": []}
    in_time, odd = sorted(logs.lines("edge-1/verdicts"), key=lambda line: "true_time" in line)
    assert "true_time" not in in_time
    assert (odd["t"], odd["true_time"]) == (t, t)
    assert [event["timestamp"] for event in logs.streams["edge-1/verdicts"]] == [
        int((NOW - 5) * 1000),
        int(NOW * 1000),
    ]


@pytest.mark.promise("T2")
def test_what_retention_would_drop_at_once_is_not_lost() -> None:
    logs = FakeLogs(NOW, retention_days=1)
    rows = [{"t": NOW - hours * 3600, "turbine": "wt01", "seq": hours} for hours in range(48)]
    _, result = ingest(routed("verdicts", {"verdicts": rows}), logs=logs)
    assert result == {"batchItemFailures": []}
    lines = logs.lines("edge-1/verdicts")
    assert sorted(line["seq"] for line in lines) == list(range(48))
    old = [line for line in lines if line["seq"] > 24]
    assert all(line["true_time"] == line["t"] for line in old)


@pytest.mark.promise("T2")
def test_what_is_refused_though_it_is_new_is_delivered_again() -> None:
    logs = FakeLogs(NOW, retention_days=-1)
    _, result = ingest(routed("verdicts", {"verdicts": [{"t": NOW}]}), logs=logs)
    assert result == {"batchItemFailures": [{"itemIdentifier": "m0"}]}


@pytest.mark.parametrize("t", [NOW - 30 * 86400, NOW + 86400, -5, 1e300, "now", None, True])
def test_time_out_of_range_is_brought_within_what_logs_accept(t: object) -> None:
    logs, _ = ingest(routed("verdicts", {"verdicts": [{"t": t, "turbine": "wt01"}]}))
    (event,) = logs.streams["edge-1/verdicts"]
    assert NOW - 14 * 86400 < event["timestamp"] / 1000 < NOW + 2 * 3600
    assert json.loads(event["message"])["t"] == t


def test_record_of_the_reference_systems_is_one_line() -> None:
    record = {"type": "inference", "model_name": "m", "anomalies": [0.0] * 6}
    logs, _ = ingest(routed("logs", record))
    assert logs.lines("edge-1/logs") == [{"thing": "edge-1", **record}]


@pytest.mark.parametrize(
    ("body", "stream"),
    [
        ("{not json", "unknown/rejected"),
        ("[1, 2]", "unknown/rejected"),
        ({"events": []}, "unknown/rejected"),
        ("[" * 100_000, "unknown/rejected"),
        (routed("other", {"x": 1}), "edge-1/rejected"),
        (routed("capture", {"captures": []}), "edge-1/rejected"),
        (routed("events", {}), "edge-1/rejected"),
        (routed("events", {"events": "many"}), "edge-1/rejected"),
        (routed("verdicts", {"verdicts": [1]}), "edge-1/rejected"),
        (routed("logs", {"no": "type"}), "edge-1/rejected"),
        (routed("logs", {"lines": [{"message": "x" * 300_000}]}), "edge-1/rejected"),
    ],
)
def test_malformed_message_is_kept_with_a_reason_and_the_rest_goes_on(
    body: object, stream: str
) -> None:
    good = routed("logs", {"lines": [{"t": NOW, "message": "fine"}]})
    logs, result = ingest(body, good)
    assert result == {"batchItemFailures": []}
    (line,) = logs.lines(stream)
    assert line["reason"]
    assert line["payload"]
    assert [line["message"] for line in logs.lines("edge-1/logs")] == ["fine"]


def test_text_that_is_no_unicode_is_kept_and_the_rest_goes_on() -> None:
    lines = [{"t": NOW, "message": "\ud800"}, {"t": NOW, "message": "fine"}]
    logs, result = ingest(routed("logs", {"lines": lines}))
    assert result == {"batchItemFailures": []}
    assert [line["message"] for line in logs.lines("edge-1/logs")] == ["\ud800", "fine"]


def test_thing_that_is_no_stream_name_is_made_one() -> None:
    logs, _ = ingest(routed("events", {"events": []}), routed("logs", {}, thing="a:b*/c"))
    assert list(logs.streams) == ["a_b__c/rejected"]


def test_stream_that_fails_fails_only_its_own_messages() -> None:
    logs = FakeLogs()
    logs.broken.add("edge-2/logs")
    bodies = [
        routed("logs", {"lines": [{"t": NOW, "message": thing}]}, thing=thing)
        for thing in ("edge-1", "edge-2", "edge-3")
    ]
    _, result = ingest(*bodies, logs=logs)
    assert result == {"batchItemFailures": [{"itemIdentifier": "m1"}]}
    assert set(logs.streams) == {"edge-1/logs", "edge-3/logs"}

"""From a gust of wind to an alert, through every real part."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.fleet import RunningFleet
from tests.support.ports import wait_until

EVENT_WITHIN = 15.0
CLOUD_WITHIN = 30.0


@pytest.fixture(scope="module")
def alerts(fleet: RunningFleet) -> Iterator["Alerts"]:
    """Everything published on the alert topic since the fixture was made."""
    yield Alerts(fleet)


class Alerts:
    """A queue subscribed to the alert topic, as a pager would be."""

    def __init__(self, fleet: RunningFleet) -> None:
        outputs = fleet.aws("cloudformation").describe_stacks(StackName="gustbed")
        values = {o["OutputKey"]: o["OutputValue"] for o in outputs["Stacks"][0]["Outputs"]}
        self._sqs = fleet.aws("sqs")
        self._queue = self._sqs.create_queue(QueueName=f"pager-{time.time_ns()}")["QueueUrl"]
        attributes = self._sqs.get_queue_attributes(
            QueueUrl=self._queue, AttributeNames=["QueueArn"]
        )
        fleet.aws("sns").subscribe(
            TopicArn=values["AlertTopicArn"],
            Protocol="sqs",
            Endpoint=attributes["Attributes"]["QueueArn"],
        )
        self._seen: list[str] = []

    def texts(self) -> list[str]:
        """Bodies of all alerts so far."""
        got = self._sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10)
        for message in got.get("Messages", []):
            self._seen.append(message["Body"])
            self._sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
        return self._seen


def logged_events(fleet: RunningFleet) -> list[Any]:
    """Event changes in CloudWatch Logs."""
    logs = fleet.aws("logs")
    found = logs.filter_log_events(logGroupName="/gustbed/fleet")["events"]
    return [
        json.loads(event["message"])
        for event in found
        if event["logStreamName"].endswith("/events")
    ]


@pytest.mark.parametrize(
    ("turbine", "kind"), [("wt02", "vibration"), ("wt03", "rotation"), ("wt05", "voltage")]
)
def test_a_fault_opens_one_event_of_its_kind_reaches_the_cloud_and_closes(
    fleet: RunningFleet, alerts: Alerts, turbine: str, kind: str
) -> None:
    wait_until(lambda: fleet.turbines()[turbine]["state"] == "ok", f"{turbine} is ok", 60)
    before = {event["id"] for event in fleet.events()}

    def new_events() -> list[Any]:
        return [event for event in fleet.events() if event["id"] not in before]

    fleet.cli("fault", "inject", turbine, kind, "--severity", "0.8")
    wait_until(new_events, f"{kind} on {turbine} opens an event", EVENT_WITHIN)
    (event,) = new_events()
    assert (event["turbine"], event["kind"], event["closed"]) == (turbine, kind, None)
    assert event["peak_score"] > 1

    def reached_logs() -> bool:
        return any(e.get("id") == event["id"] for e in logged_events(fleet))

    wait_until(reached_logs, "the event is in CloudWatch Logs", CLOUD_WITHIN)
    wait_until(
        lambda: any(event["id"] in text for text in alerts.texts()),
        "the alert was published on SNS",
        CLOUD_WITHIN,
    )

    fleet.cli("fault", "clear", turbine)
    wait_until(lambda: all(e["closed"] for e in new_events()), "clearing the fault closes it", 60)
    (closed,) = new_events()
    assert closed["id"] == event["id"]
    assert closed["closed"] > closed["opened"]


def test_t1_every_block_is_counted_and_none_is_lost(fleet: RunningFleet) -> None:
    before = fleet.turbines()

    def advanced() -> bool:
        now = fleet.turbines()
        return all(now[t]["blocks"] > before[t]["blocks"] for t in before)

    wait_until(advanced, "every turbine sends blocks")
    assert {t["lost"] for t in fleet.turbines().values()} == {0}

"""From a gust of wind to an alert, through every real part."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.cloud import Mailbox, alert_mailbox
from tests.support.fleet import RunningFleet, logged
from tests.support.ports import wait_until

EVENT_WITHIN = 15.0
CLOUD_WITHIN = 30.0


@pytest.fixture(scope="module")
def alerts(fleet: RunningFleet) -> Iterator[Mailbox]:
    """Everything published on the alert topic from now on, as a pager would get it."""
    stack = fleet.aws("cloudformation").describe_stacks(StackName="gustbed")["Stacks"][0]
    outputs = {row["OutputKey"]: row["OutputValue"] for row in stack["Outputs"]}
    topic = outputs["AlertTopicArn"]
    with alert_mailbox(fleet.aws("sqs"), fleet.aws("sns"), topic) as mailbox:
        yield mailbox


@pytest.mark.parametrize(
    ("turbine", "kind"), [("wt02", "vibration"), ("wt03", "rotation"), ("wt05", "voltage")]
)
def test_a_fault_opens_one_event_of_its_kind_reaches_the_cloud_and_closes(
    fleet: RunningFleet, alerts: Mailbox, turbine: str, kind: str
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
        return any(row["id"] == event["id"] for row in logged(fleet, "events"))

    wait_until(reached_logs, "the event is in CloudWatch Logs", CLOUD_WITHIN)
    wait_until(
        lambda: any(event["id"] in notice["Message"] for notice in alerts.fetch()),
        "the alert was published on SNS",
        CLOUD_WITHIN,
    )

    fleet.cli("fault", "clear", turbine)
    wait_until(lambda: all(e["closed"] for e in new_events()), "clearing the fault closes it", 60)
    (closed,) = new_events()
    assert closed["id"] == event["id"]
    assert closed["closed"] > closed["opened"]


@pytest.mark.promise("T1")
def test_every_block_is_counted_and_none_is_lost(fleet: RunningFleet) -> None:
    before = fleet.turbines()

    def advanced() -> bool:
        now = fleet.turbines()
        return all(now[t]["blocks"] > before[t]["blocks"] for t in before)

    wait_until(advanced, "every turbine sends blocks")
    assert {t["lost"] for t in fleet.turbines().values()} == {0}
